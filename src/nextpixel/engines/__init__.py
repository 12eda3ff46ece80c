"""What computes a program of `nextpixel.plan`. No PyTorch here."""
