"""The names of the curves that a model's `curve` option chooses from. This does not import PyTorch."""

from __future__ import annotations

RASTER, S_CURVE, HILBERT = "raster", "s-curve", "hilbert"
CURVES = (RASTER, S_CURVE, HILBERT)

MOST_ORDERS = 8
"""Symmetries of a rectangle, by which one curve makes as many orders."""
