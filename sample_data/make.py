"""Generate geoseg's sample data: six small scenes of a synthetic town, with labels.

    python sample_data/make.py [OUT_DIR] [--check]

Nothing is downloaded. The plan of the town (town.py), its objects (things.py, canvas.py) and the illumination (light.py)
follow from fixed seeds, so that two runs write the same bytes.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from canvas import Canvas
from light import Light, photograph
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin
from town import build

CRS = "EPSG:32633"
GSD = 0.3
CORNER = (421_200.0, 5_412_300.0)  # easting and northing of the upper left corner of the town in meters
SPACING_M = 210.0  # between the corners of neighboring scenes; the largest scene is 192 m wide
MARGIN = 64  # pixels painted around a scene and cropped: houses and shadows extend into the scene
IGNORE_INDEX = 255
LEGEND: dict[str, tuple[int, int, int]] = {
    "impervious_surface": (255, 255, 255),
    "building": (0, 0, 255),
    "low_vegetation": (0, 255, 255),
    "tree": (0, 255, 0),
    "car": (255, 255, 0),
    "clutter": (255, 0, 0),
}
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Place:
    """A scene of the town: position, content and illumination."""

    name: str
    split: str
    cell: tuple[int, int]
    """Position in the town, (row, col) in steps of `SPACING_M`."""
    size: tuple[int, int]
    """(height, width) in pixels."""
    heading_deg: float
    """Rotation of the streets against east."""
    uses: tuple[str, ...]
    """Uses of the blocks, from the center outward."""
    light: Light
    tilt_deg: float | None = None
    """Rotation of the footprint inside the raster; pixels around it are nodata."""


PLACES = (
    Place("market", "train", (0, 0), (640, 640), 9,
          ("flats", "parking", "houses", "site", "rows", "park", "houses", "pond"), Light(150, 46)),
    Place("station", "train", (0, 1), (576, 640), -21,
          ("houses", "parking", "site", "flats", "park", "rows", "houses"), Light(165, 50, 0.86, 0.05, 0.03)),
    Place("meadow", "train", (1, 0), (640, 512), 34,
          ("houses", "pond", "field", "rows", "park", "parking", "site"), Light(140, 42, 1.06, -0.05, 0.02)),
    Place("mill", "val", (1, 1), (576, 576), -8,
          ("houses", "rows", "pond", "site", "flats", "parking", "park", "field"),
          Light(172, 48, 0.94, 0.08, 0.01)),
    Place("school", "test", (1, 2), (576, 608), 18,
          ("flats", "houses", "rows", "park", "site", "parking", "field"), Light(133, 44, 1.1, -0.03, 0.05)),
    Place("collar", "test", (0, 2), (487, 613), -33,
          ("houses", "parking", "site", "houses", "pond", "flats"), Light(158, 47, 0.9, 0.02, 0.02), 14.0),
)  # fmt: skip


def render(place: Place) -> tuple[Bytes, Bytes]:
    """Return the image (band, row, col) and the class indices (row, col) of a place; nodata pixels are 0 and 255."""
    rng = np.random.default_rng([32633, *place.cell])
    height, width = place.size
    canvas = Canvas(height + 2 * MARGIN, width + 2 * MARGIN, GSD, rng)
    build(canvas, place.heading_deg, place.uses, rng)
    inner = slice(MARGIN, MARGIN + height), slice(MARGIN, MARGIN + width)
    image = photograph(canvas, place.light, rng)[(slice(None), *inner)]
    valid = footprint(place)
    return np.where(valid, image, 0).astype(np.uint8), np.where(valid, canvas.label[inner], IGNORE_INDEX)


def footprint(place: Place) -> NDArray[np.bool_]:
    """Return True where a place has pixels: everywhere, or in a rotated rectangle that touches the borders."""
    height, width = place.size
    if place.tilt_deg is None:
        return np.ones(place.size, bool)
    sin, cos = math.sin(math.radians(place.tilt_deg)), math.cos(math.radians(place.tilt_deg))
    row = (np.arange(height) + 0.5 - height / 2)[:, None]
    col = (np.arange(width) + 0.5 - width / 2)[None, :]
    # Solve for the sides (long, wide) of the rotated rectangle whose bounds are the raster.
    long = (width * cos - height * sin) / (cos**2 - sin**2)
    wide = (height * cos - width * sin) / (cos**2 - sin**2)
    return (np.abs(col * cos + row * sin) <= long / 2) & (np.abs(row * cos - col * sin) <= wide / 2)


def write(place: Place, folder: Path) -> None:
    """Write image and labels of a place to `folder`."""
    image, label = render(place)
    left, top = CORNER[0] + place.cell[1] * SPACING_M, CORNER[1] - place.cell[0] * SPACING_M
    common = {
        "driver": "GTiff", "dtype": "uint8", "height": place.size[0], "width": place.size[1],
        "crs": CRS, "transform": from_origin(left, top, GSD, GSD), "compress": "deflate", "zlevel": 9,
        "tiled": True, "blockxsize": 256, "blockysize": 256,
    }  # fmt: skip
    _write_image(folder / "images" / f"{place.name}.tif", image, common, None if place.tilt_deg is None else 0)
    _write_label(folder / "labels" / f"{place.name}.tif", label, common)


def _write_image(path: Path, image: Bytes, common: dict[str, object], nodata: int | None) -> None:
    # Lossless, so that pixels do not depend on a JPEG decoder and nodata pixels are exactly 0.
    profile = common | {"count": 3, "predictor": 2, "photometric": "rgb", "nodata": nodata}
    with rasterio.open(path, "w", **profile) as file:
        file.write(image)
        file.descriptions = ("red", "green", "blue")
        file.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


def _write_label(path: Path, label: Bytes, common: dict[str, object]) -> None:
    with rasterio.open(path, "w", **common, count=1, nodata=IGNORE_INDEX) as file:
        file.write(label, 1)
        classes = [
            {"index": i, "name": n, "colour": "#{:02x}{:02x}{:02x}".format(*c)}
            for i, (n, c) in enumerate(LEGEND.items())
        ]
        file.update_tags(GEOSEG_CLASSES=json.dumps(classes))
        file.write_colormap(1, {index: (*colour, 255) for index, colour in enumerate(LEGEND.values())})
        file.descriptions = ("class index",)


def make(folder: Path) -> None:
    """Write all scenes, labels and splits to `folder`."""
    for part in ("images", "labels", "splits"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for place in PLACES:
        write(place, folder)
    for split in ("train", "val", "test"):
        names = [place.name for place in PLACES if place.split == split]
        (folder / "splits" / f"{split}.txt").write_text("".join(f"{name}\n" for name in names), newline="\n")


def read_split(folder: Path, split: str) -> tuple[Bytes, Bytes]:
    """Return the labeled pixels of a split: colors (pixel, band) and class indices (pixel,)."""
    colours, classes = [], []
    for name in (folder / "splits" / f"{split}.txt").read_text().split():
        with rasterio.open(folder / "images" / f"{name}.tif") as file:
            image = file.read()
        with rasterio.open(folder / "labels" / f"{name}.tif") as file:
            label = file.read(1)
        colours.append(image[:, label != IGNORE_INDEX].T)
        classes.append(label[label != IGNORE_INDEX])
    return np.concatenate(colours), np.concatenate(classes)


def colour_lookup_miou(folder: Path) -> float:
    """Return the mean IoU on val and test of a lookup table from color to class, fitted on train.

    The table has 16 levels per band. A network that scores no higher has only learned colors.
    """
    classes = len(LEGEND)
    colours, labels = read_split(folder, "train")
    counts = np.bincount(_colour_code(colours) * classes + labels, minlength=16**3 * classes)
    table = counts.reshape(-1, classes).argmax(axis=1)
    parts = [read_split(folder, split) for split in ("val", "test")]
    guess = np.concatenate([table[_colour_code(colours)] for colours, _ in parts])
    truth = np.concatenate([labels for _, labels in parts])
    confusion = np.bincount(truth * classes + guess, minlength=classes**2).reshape(classes, classes)
    hits = np.diag(confusion)
    return float(np.mean(hits / (confusion.sum(axis=0) + confusion.sum(axis=1) - hits)))


def _colour_code(colours: Bytes) -> NDArray[np.int64]:
    """Return a number below 4096 for each color (pixel, band)."""
    code: NDArray[np.int64] = (colours >> 4).astype(np.int64) @ np.array([256, 16, 1])
    return code


def class_shares(folder: Path, split: str) -> dict[str, float]:
    """Return the share of each class in the labeled pixels of a split."""
    _, labels = read_split(folder, split)
    counts = np.bincount(labels, minlength=len(LEGEND)) / labels.size
    return dict(zip(LEGEND, counts.tolist(), strict=True))


def total_bytes(folder: Path) -> int:
    """Return the size of the files that this script writes, in bytes."""
    return sum(path.stat().st_size for part in ("images", "labels", "splits") for path in (folder / part).iterdir())


def check(folder: Path) -> None:
    """Print size, class shares and the color baseline."""
    print(f"size: {total_bytes(folder) / 1e6:.2f} MB")
    for split in ("train", "val", "test"):
        shares = (f"{name} {100 * share:.1f} %" for name, share in class_shares(folder, split).items())
        print(f"{split}: {', '.join(shares)}")
    print(f"color lookup mIoU: {colour_lookup_miou(folder):.3f}")


def main() -> None:
    """Generate the sample data from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out_dir", nargs="?", type=Path, default=Path(__file__).parent, help="default: this folder")
    parser.add_argument("--check", action="store_true", help="print size, class shares and the color baseline")
    options = parser.parse_args()
    make(options.out_dir)
    if options.check:
        check(options.out_dir)


if __name__ == "__main__":
    main()
