"""The only room that knows Flower's internals: its programs, its Control API, its faults and how they are mended."""
