"""Masks to polygons: from `label`, `trace`, `rings`, `outlines` (arrays) to `layer`, `polygonize`; back: `rasterize`."""
