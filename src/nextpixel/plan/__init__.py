"""One description of a model's arithmetic, in integers or floats, which every engine computes. No PyTorch here."""
