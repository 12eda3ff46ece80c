"""Scoring images: exact likelihoods."""
