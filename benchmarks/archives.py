"""Write synthetic archives in the format of ISPRS Potsdam: two zip files with textured tiles and color-coded labels.

    python benchmarks/archives.py FOLDER --side 6000

The archives contain no pixels from the benchmark. Objects are a few hundred pixels wide, and textures have grain of all
sizes, so that PNG and LZW compress the tiles about as well as the real ones.
"""

import argparse
import zipfile
from pathlib import Path

import numpy as np
import rasterio
import torch
import torch.nn.functional as F
from affine import Affine
from numpy.typing import NDArray

from geoseg.config.load import load_recipe
from geoseg.config.recipe import Recipe
from geoseg.data.datasets._isprs import LEGEND

TILES = ("2_10", "2_11", "2_12", "3_10")
SHARES = (0.0, 0.0, -0.1, -0.4, -1.2, -0.9)
"""Offset added to the noise of each class, so that cars and clutter are rare."""
COLOURS = np.array([[128, 124, 120], [150, 96, 84], [112, 122, 84], [64, 80, 58], [140, 140, 150], [120, 110, 96]])
OCTAVES = ((1, 5.0), (2, 7.0), (8, 7.0), (64, 10.0))
"""Size of the grain in pixels, and its standard deviation in gray levels."""


def noise(size: int, length: int, rng: torch.Generator) -> torch.Tensor:
    """Return Gaussian noise (row, col) with a correlation length of ``length`` pixels."""
    side = size // length + 3
    coarse = torch.randn(1, 1, side, side, generator=rng)
    return F.interpolate(coarse, scale_factor=length, mode="bicubic" if length > 1 else "nearest")[0, 0, :size, :size]


def made_up(size: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the image (row, col, band) and the class indices (row, col) of a tile."""
    rng = torch.Generator().manual_seed(seed)
    best, mask = torch.full((size, size), -torch.inf), torch.zeros(size, size, dtype=torch.uint8)
    for index, share in enumerate(SHARES):
        score = noise(size, 150, rng) + 0.3 * noise(size, 30, rng) + share
        mask[score > best] = index
        best = torch.maximum(best, score)
    image = torch.from_numpy(COLOURS).float()[mask.long()]
    for length, deviation in OCTAVES:
        image += deviation * noise(size, length, rng)[..., None]
    image += 2 * torch.randn(image.shape, generator=rng)
    return image.clamp(0, 255).byte().numpy(), mask.numpy()


def without_boundary(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the colors (row, col, band) of class indices; pixels within three pixels of another class are black."""
    values = torch.from_numpy(mask)[None, None].float()
    largest, smallest = (sign * F.max_pool2d(sign * values, 7, 1, 3)[0, 0].numpy() for sign in (1, -1))
    return np.where((largest == smallest)[..., None], LEGEND.draw(mask), 0).astype(np.uint8)


def write_tile(path: Path, pixels: NDArray[np.uint8], tile: str) -> None:
    """Write pixels (row, col, band) as a striped, LZW-compressed GeoTIFF with a GSD of 5 cm."""
    row, col = map(int, tile.split("_"))
    size, _, bands = pixels.shape
    place = Affine(0.05, 0, 366_000 + 0.05 * size * col, 0, -0.05, 5_808_000 - 0.05 * size * row)
    profile = {"count": bands, "height": size, "width": size, "dtype": "uint8", "crs": "EPSG:32633", "transform": place}
    with rasterio.open(path, "w", driver="GTiff", compress="lzw", predictor=2, interleave="pixel", **profile) as file:
        file.write(pixels.transpose(2, 0, 1))


def write_archives(root: Path, size: int, tiles: tuple[str, ...] = TILES) -> Path:
    """Write ``2_Ortho_RGB.zip`` and ``5_Labels_all_noBoundary.zip`` with tiles of ``size`` x ``size`` pixels."""
    root.mkdir(parents=True, exist_ok=True)
    with (
        zipfile.ZipFile(root / "2_Ortho_RGB.zip", "w") as images,
        zipfile.ZipFile(root / "5_Labels_all_noBoundary.zip", "w") as labels,
    ):
        image, mask = made_up(size)
        for tile in tiles:
            image, mask = (np.roll(field, (size // 3, size // 5), (0, 1)) for field in (image, mask))
            for archive, name, pixels in (
                (images, f"top_potsdam_{tile}_RGB.tif", image),
                (labels, f"top_potsdam_{tile}_label_noBoundary.tif", without_boundary(mask)),
            ):
                write_tile(root / name, pixels, tile)
                archive.write(root / name, name)
                (root / name).unlink()
    return root


def recipe(root: Path, prepared: Path, *changes: str) -> Recipe:
    """Return the Potsdam recipe for an incomplete archive, with overrides ``section.key=value``."""
    return load_recipe(
        "potsdam.yaml", [f"data.root={root}", f"data.prepared={prepared}", "data.complete=false", *changes]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=6000, help="side of the tiles in pixels")
    options = parser.parse_args()
    write_archives(options.folder, options.side)


if __name__ == "__main__":
    main()
