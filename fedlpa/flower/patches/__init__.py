"""Faults of Flower's programs and how they are mended: a module for each, with its reason and when to delete it."""
