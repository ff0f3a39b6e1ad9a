"""What runs at an institution: the Flower ClientApp, private state, the egress guard, one folder a method."""
