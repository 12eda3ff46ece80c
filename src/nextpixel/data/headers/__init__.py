"""Headers of picture files."""
