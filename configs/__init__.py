"""Recipes that come with geoseg, one YAML file each."""
