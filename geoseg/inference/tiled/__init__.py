"""Predict a scene in overlapping tiles whose probabilities are blended."""
