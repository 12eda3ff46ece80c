"""Layers: masks, masked convolutions, gated blocks and likelihood heads."""
