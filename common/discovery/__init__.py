"""Categories: similarity of features, the catalogue, predictions by it, and their scores."""
