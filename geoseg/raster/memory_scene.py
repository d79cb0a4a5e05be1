"""Open an in-memory raster as a scene, so that it can be read like a file."""

import contextlib
import hashlib
from collections.abc import Iterator

from rasterio.io import MemoryFile

from geoseg.raster.raster import Raster
from geoseg.raster.scene import Scene


@contextlib.contextmanager
def open_memory_scene(raster: Raster) -> Iterator[Scene]:
    """Copy a raster to an uncompressed in-memory GeoTIFF and open it; release the memory when the context exits.

    Args:
        raster: The pixels; the validity mask becomes the mask of the GeoTIFF.
    """
    content = hashlib.sha256(raster.values.tobytes() + raster.valid.tobytes() + repr(raster.grid).encode())
    profile = {
        "driver": "GTiff",
        "count": len(raster.values),
        "height": raster.grid.height,
        "width": raster.grid.width,
        "dtype": raster.values.dtype,
        "transform": raster.grid.transform,
        "crs": None if raster.grid.crs is None else raster.grid.crs.to_wkt(),
        "bigtiff": "IF_SAFER",
    }
    with MemoryFile(filename=f"raster-{content.hexdigest()[:12]}.tif") as file:
        with file.open(**profile) as dataset:
            dataset.write(raster.values)
            if not raster.valid.all():
                dataset.write_mask(raster.valid)
        with Scene.open(file.name) as scene:
            yield scene
