"""Joining the sites' updates: the running mean, robust forms, the mean with noise."""
