"""Generalize polygons: fill holes, merge small polygons, simplify and smooth borders, and make corners right-angled.

The polygons of a mask are a *coverage*: they do not overlap, and neighbors share all vertices of their common border.
Every operation preserves this property.

A mask is generalized while it is read in strips, so memory use does not depend on the number of pixels; a layer of
polygons is held in memory. Most operations therefore have two implementations in the same module, with identical
results:

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
