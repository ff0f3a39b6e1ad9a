"""Data sets: the formats of files, reading, checking, splitting and writing."""
