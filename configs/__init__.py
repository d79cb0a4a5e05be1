"""Recipes that are included in geoseg, one YAML file each."""
