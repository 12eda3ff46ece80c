"""Lossless compression by the exact probabilities of a model, computed in integers so that any machine decodes."""
