"""What the graph methods share at a site: neighbourhoods, condensation, training, priors, scores."""
