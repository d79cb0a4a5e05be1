"""Trace the outlines of regions of a class raster."""
