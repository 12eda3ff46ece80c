"""Layers: masks, masked convolutions, gated blocks, heads and distributions."""
