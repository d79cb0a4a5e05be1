"""ISPRS Potsdam: 38 orthophotos of 6000 x 6000 pixels with a GSD of 5 cm, and six classes.

Images and labels are read from the archives that ISPRS provides (``2_Ortho_RGB.zip``, ``3_Ortho_IRRG.zip``,
``4_Ortho_RGBIR.zip``, ``5_Labels_all.zip``, ``5_Labels_all_noBoundary.zip``, ``5_Labels_for_participants.zip``), zipped
or extracted.
"""

from pathlib import Path
from typing import Literal

from geoseg.data.dataset import Dataset
from geoseg.data.datasets import _isprs as isprs
from geoseg.data.datasets import datasets
from geoseg.data.datasets._benchmark_files import find_files, pair_scenes, require_images
from geoseg.raster.archive import list_files

LEGEND = isprs.LEGEND

BANDS = {"rgb": ("red", "green", "blue"), "irrg": ("nir", "red", "green"), "rgbir": ("red", "green", "blue", "nir")}
"""Bands of each type of orthophoto. The files wrongly declare near infrared as alpha or as a color."""

GSD = 0.05

TRAIN = frozenset(
    (row, col)
    for row, cols in {
        "2": "10 11 12", "3": "10 11 12", "4": "10 11 12", "5": "10 11 12", "6": "7 8 9 10 11 12", "7": "7 8 9 10 11 12",
    }.items()
    for col in cols.split()
)  # fmt: skip
VAL = frozenset(
    (row, col)
    for row, cols in {"2": "13 14", "3": "13 14", "4": "13 14 15", "5": "13 14 15", "6": "13 14 15", "7": "13"}.items()
    for col in cols.split()
)
"""Tiles whose labels were withheld during the contest; the validation split in OpenMMLab's configurations."""


@datasets.register
def potsdam(
    root: Path,
    images: Literal["rgb", "irrg", "rgbir"] = "rgb",
    labels: isprs.LabelKind = "no_boundary",
    *,
    complete: bool = True,
) -> Dataset:
    """Create the Potsdam dataset with the contest splits (24 and 14 tiles); scenes have names such as ``2_10``.

    Args:
        root: Folder that contains the archives, zipped or extracted.
        images: Type of orthophoto, which determines its bands.
        labels: Label files to use: without the pixels along the borders of objects (``no_boundary``), or ``full``.
        complete: Require all 38 tiles.

    Raises:
        DataError: If images or labels are missing.
    """
    files = list_files(root)
    by_kind = {kind: find_files(files, rf"(?:.*/)?top_potsdam_(\d+)_(\d+)_{kind}\.tiff?") for kind in BANDS}
    require_images(by_kind[images], f"images top_potsdam_*_{images.upper()}.tif", root, by_kind, "data.images")
    ending = "_noBoundary" if labels == "no_boundary" else ""
    # Tile 4_12 of 5_Labels_all is corrupted in some distributed copies, but not in 5_Labels_for_participants.
    label_files = find_files(
        files,
        rf"(?:.*/)?top_potsdam_(\d+)_(\d+)_label{ending}\.tiff?",
        is_fallback=lambda entry: "participants" not in entry.relative_path.lower(),
    )
    scenes = pair_scenes(by_kind[images], label_files, "_".join, gsd=GSD)
    return isprs.build_city_dataset(
        scenes, label_files, "_".join, bands=BANDS[images], train=TRAIN, val=VAL, complete=complete,
        label_pattern=f"top_potsdam_*_label{ending}.tif",
    )  # fmt: skip
