"""What runs in the cloud: the Flower ServerApp, the round loop, aggregation, the methods' server sides."""
