"""What runs in the cloud: the Flower ServerApp, the round loop, run files and the report."""
