"""Differential privacy: clipping and noise, and the account of what they come to."""
