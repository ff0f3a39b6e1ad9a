"""What server and clients must agree on: configuration, wire contract, models, data formats, metrics."""
