"""The model families, their registry, and how models are saved and loaded."""
