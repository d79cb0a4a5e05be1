"""Helpers of the tests: fabricated rasters, archives, models and processes."""
