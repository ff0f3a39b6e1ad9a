"""The front door: the ``fedlpa`` command line and its Python API."""

__version__ = "0.1.0"
