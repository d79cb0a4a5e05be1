"""Trace the outlines of the regions in a class raster, with memory use that does not grow with the raster's height.

Each step is implemented in a separate module, and ``trace_raster`` runs them all:

1. ``raster_strips``: the raster is read in *strips* of rows, each padded with surrounding pixels to form a *block*.
2. ``trace_strip``: *contours* follow the pixel sides around the regions in one strip. They are closed, or open if they
   leave the strip. ``connected_components`` labels the regions; strips are traced in parallel.
3. ``stitch_contours``: open contours are joined end to end across strips. Closed contours are complete; open contours
   are kept until the next strips are added.
4. ``split_rings``: closed contours are split into *rings*, which do not touch themselves.
5. ``assemble_polygons``: rings are grouped into *polygons* (one shell and its holes per part). A polygon is complete
   once the last row that was read contains none of its pixels.
6. ``outline_arrays``: *outlines* are the complete polygons in pixel corner coordinates, stored in ragged arrays
   (``ragged_arrays``).

``vertex_spatial_index`` collects the vertices of all strips; simplification uses them to test if a border may move.
"""
