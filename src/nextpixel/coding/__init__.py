"""Entropy coding: from shares of 2^22 to bytes and back, and integer shares of levels. No PyTorch here."""
