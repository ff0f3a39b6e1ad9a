"""Laying out the sites of a simulation as folders, one a site."""
