"""Generalize polygons: simplify, smooth, fill holes, merge small polygons, square corners."""
