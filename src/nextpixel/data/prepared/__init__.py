"""Prepared sets: their manifest, their shards, and reading them."""
