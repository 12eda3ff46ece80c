"""One description of a model's arithmetic in integers, which every engine computes. No PyTorch here."""
