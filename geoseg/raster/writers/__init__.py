"""Where predicted windows go: `base` (what a sink promises), `memory`, `geotiff` (with its `attribute_table`)."""
