"""Measure the domain shift between a source and a target without labels."""
