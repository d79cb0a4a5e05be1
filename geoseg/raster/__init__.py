"""Pixels in files and arrays: `raster`, `scene` (with `opening`, `description`), `statistics`, `picture`, `sinks/`."""
