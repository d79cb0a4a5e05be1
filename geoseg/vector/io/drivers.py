"""The vector formats that geoseg can write; this module does not import the libraries that write them."""

DRIVERS = {".gpkg": "GPKG", ".parquet": "", ".fgb": "FlatGeobuf", ".geojson": "GeoJSON", ".shp": "ESRI Shapefile"}
"""GDAL driver for each suffix; GeoParquet is written without GDAL."""
