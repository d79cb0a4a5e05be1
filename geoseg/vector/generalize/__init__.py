"""Generalize polygons: fill holes, merge small polygons, simplify and smooth borders, make right angles.

The polygons of a mask are a *coverage*: they do not overlap, and neighbors share all vertices of their common border.
Every operation keeps it a coverage.

A mask is generalized while it is read in strips, so that memory does not grow with its size; a layer of polygons is in
memory. Most operations therefore exist twice, next to each other in one module, with the same result:

================================  ====================================  ==================================
Operation                         Masks, in strips                      Polygons, in memory
================================  ====================================  ==================================
Fill holes (``fill_holes``)       ``fill_raster_holes``                 ``fill_coverage_holes``
Merge small polygons (``sieve``)  ``sieve_raster``                      ``sieve_coverage``
Simplify and smooth               ``simplify_outlines``                 ``simplify_coverage``
(``simplify``)
Make right angles                 (as polygons)                         ``orthogonalize_coverage``
(``orthogonalize``)
================================  ====================================  ==================================
"""
