"""What picture formats cannot hold. No PyTorch here."""

from __future__ import annotations

MOST_WEBP_SIDE = 16383
"""Pixels of a side of a WebP picture."""
