"""The names of the distributions that a model's `head` option chooses from. This does not import PyTorch."""

from __future__ import annotations

SOFTMAX, LOGISTIC_MIXTURE = "softmax", "logistic-mixture"
HEADS = (SOFTMAX, LOGISTIC_MIXTURE)
COMPONENTS, MOST_COMPONENTS = 5, 100
