"""The vector formats that geoseg writes; this module does not import the libraries that write them."""

DRIVERS = {".gpkg": "GPKG", ".parquet": "", ".fgb": "FlatGeobuf", ".geojson": "GeoJSON", ".shp": "ESRI Shapefile"}
"""GDAL driver by suffix; GeoParquet is written without GDAL."""
