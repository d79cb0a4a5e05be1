"""Pixels in files and arrays: `raster`, `scene`, `environment`, `statistics`, `output`, `picture`, `sinks/`."""
