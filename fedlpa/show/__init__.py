"""What a run shows in the terminal while it goes on."""
