"""Trace the outlines of the regions of a class raster, in memory that does not grow with its height.

The steps, each in a separate module (``trace_raster`` runs them all):

1. ``raster_strips``: the raster is read in *strips* of rows, each padded to a *block* by the pixels around it.
2. ``trace_strip``: *contours* follow the pixel sides around the regions of one strip. They are closed, or open where the
   strip is cut off. ``connected_components`` labels the regions; strips are traced in parallel.
3. ``stitch_contours``: open contours are joined end to end across the strips. Closed contours are complete; open ones
   wait for the next strips.
4. ``split_rings``: closed contours are split into *rings*, which do not touch themselves.
5. ``assemble_polygons``: rings are grouped into *polygons* (one shell and its holes per part). A polygon is complete when
   no pixel of it is in the last row read.
6. ``outline_arrays``: *outlines* are the complete polygons, in pixel corners and in ragged arrays (``ragged_arrays``).

``vertex_spatial_index`` collects all vertices of the strips; simplification tests with it whether a border may move.
"""
