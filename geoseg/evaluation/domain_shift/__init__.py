"""Measure the domain shift between a source and a target domain without labels."""
