"""Scores, computed from counts so that a federation can add them up without per-sample labels."""
