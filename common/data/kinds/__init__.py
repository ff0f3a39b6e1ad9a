"""Kinds of data, one module each; ``common.data.kind_registry`` lists them."""
