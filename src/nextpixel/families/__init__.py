"""The model families: what they share, one file a family, and the registry that names them."""
