"""Where pixels lie: ``window`` (rectangles of pixels), ``grid`` (CRS, transform, size), ``tiling`` (how a grid is cut)."""
