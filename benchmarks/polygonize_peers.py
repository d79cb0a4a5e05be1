"""Convert one mask to one file in a separate process, and measure this; benchmarks/polygonize.py starts the processes.

    python benchmarks/polygonize_peers.py geoseg mask.tif polygons.gpkg

Prints the wall time and CPU time in seconds, the peak memory in MB and the number of polygons as JSON.
"""

import ctypes
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def geoseg(mask: Path, output: Path) -> None:
    from geoseg.vector.polygonize import polygonize

    polygonize(mask, output, overwrite=True)


def geoseg_simplified(mask: Path, output: Path) -> None:
    from geoseg.vector.polygonize import polygonize

    polygonize(mask, output, simplify_m=0.5, overwrite=True)  # one pixel


def geoseg_generalised(mask: Path, output: Path) -> None:
    from geoseg.vector.polygonize import polygonize

    polygonize(mask, output, min_area_m2=20, simplify_m=0.5, overwrite=True)  # 80 pixels


def rasterio(mask: Path, output: Path) -> None:
    import geopandas as gpd
    import rasterio as rio
    from rasterio.features import shapes

    with rio.open(mask) as dataset:
        rows = [
            {"geometry": geometry, "properties": {"class_index": int(value)}}
            for geometry, value in shapes(dataset.read(1), transform=dataset.transform)
        ]
        gpd.GeoDataFrame.from_features(rows, crs=dataset.crs).to_file(output)


def gdal(mask: Path, output: Path) -> None:
    """Run GDALPolygonize from pyogrio's GDAL (3.12) as `gdal raster polygonize` does."""
    library = _gdal_library()
    source = library.GDALOpen(str(mask).encode(), 0)
    band = library.GDALGetRasterBand(ctypes.c_void_p(source), 1)
    driver = library.GDALGetDriverByName(b"GPKG")
    target = library.GDALCreate(ctypes.c_void_p(driver), str(output).encode(), 0, 0, 0, 0, None)
    reference = library.GDALGetSpatialRef(ctypes.c_void_p(source))
    layer = library.GDALDatasetCreateLayer(ctypes.c_void_p(target), b"polygons", ctypes.c_void_p(reference), 3, None)
    field = library.OGR_Fld_Create(b"class_index", 0)
    library.OGR_L_CreateField(ctypes.c_void_p(layer), ctypes.c_void_p(field), 1)
    library.GDALDatasetStartTransaction(ctypes.c_void_p(target), 0)
    valid = library.GDALGetMaskBand(ctypes.c_void_p(band))
    library.GDALPolygonize(*(ctypes.c_void_p(each) for each in (band, valid, layer)), 0, None, None, None)
    library.GDALDatasetCommitTransaction(ctypes.c_void_p(target))
    library.GDALClose(ctypes.c_void_p(target))


def _gdal_library() -> ctypes.CDLL:
    import pyogrio

    folder = Path(pyogrio.__file__).parent.with_name("pyogrio.libs")
    library = ctypes.CDLL(str(next(folder.glob("libgdal*"))))
    for name in (
        "GDALOpen", "GDALGetRasterBand", "GDALGetMaskBand", "GDALGetDriverByName", "GDALCreate", "GDALGetSpatialRef",
        "GDALDatasetCreateLayer", "OGR_Fld_Create",
    ):  # fmt: skip
        getattr(library, name).restype = ctypes.c_void_p
    library.GDALAllRegister()
    return library


def contourrs(mask: Path, output: Path) -> None:
    import contourrs as peer
    import pyarrow as pa
    import pyarrow.parquet as pq
    import pyogrio
    import rasterio as rio

    with rio.open(mask) as dataset:
        t = dataset.transform
        found = peer.shapes_arrow(dataset.read(1), transform=(t.a, t.b, t.c, t.d, t.e, t.f))
        table = pa.table(found)
        if output.suffix == ".parquet":
            pq.write_table(table, output, compression="zstd")
        else:
            pyogrio.raw.write_arrow(
                table,
                output,
                driver="GPKG",
                geometry_type="Polygon",
                geometry_name="geometry",
                crs=dataset.crs.to_wkt(),
            )


SIDES: dict[str, Callable[[Path, Path], None]] = {
    "geoseg": geoseg,
    "geoseg_simplified": geoseg_simplified,
    "geoseg_generalised": geoseg_generalised,
    "rasterio": rasterio,
    "gdal": gdal,
    "contourrs": contourrs,
}


def measure(side: str, mask: Path, output: Path) -> dict[str, float]:
    """Run a library on a corner of the mask, which imports and compiles everything, then measure it on the full mask."""
    import rasterio as rio

    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.tif"
        with (
            rio.open(mask) as dataset,
            rio.open(small, "w", **(dataset.profile | {"width": 256, "height": 256})) as corner,
        ):
            corner.write(dataset.read(1, window=((0, 256), (0, 256))), 1)
            corner.update_tags(**dataset.tags())
        SIDES[side](small, small.with_suffix(output.suffix))
    output.unlink(missing_ok=True)
    wall, cpu = time.perf_counter(), time.process_time()
    SIDES[side](mask, output)
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "mb": _peak_mb(),
    }


def _peak_mb() -> float:
    """Return the peak memory of this process in MB; getrusage would include the memory of the parent at the start."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
