"""What a run leaves on disk, typed, each with one reader and one writer."""
