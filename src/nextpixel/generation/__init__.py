"""Drawing images from models: the walk over the sub-pixels in the order of generation."""
