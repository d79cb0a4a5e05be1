"""The vector formats that geoseg writes, without the libraries that write them."""

DRIVERS = {".gpkg": "GPKG", ".parquet": "", ".fgb": "FlatGeobuf", ".geojson": "GeoJSON", ".shp": "ESRI Shapefile"}
"""GDAL driver by suffix; GeoParquet is written without GDAL."""
