"""Tiled prediction: overlapping tiles whose probabilities are blended (the default mode)."""
