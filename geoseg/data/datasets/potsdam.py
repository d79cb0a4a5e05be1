"""ISPRS Potsdam: 38 orthophotos of 6000 x 6000 pixels of 5 cm, six classes.

From the archives as ISPRS hands them out (``2_Ortho_RGB.zip``, ``3_Ortho_IRRG.zip``, ``4_Ortho_RGBIR.zip``,
``5_Labels_all.zip``, ``5_Labels_all_noBoundary.zip``, ``5_Labels_for_participants.zip``), zipped or unpacked.
"""

from pathlib import Path
from typing import Literal

from geoseg.data.dataset import Dataset
from geoseg.data.datasets import _isprs as isprs
from geoseg.data.datasets import datasets
from geoseg.data.datasets._archive_files import find, pair, require_images
from geoseg.raster.archive import entries

LEGEND = isprs.LEGEND

BANDS = {"rgb": ("red", "green", "blue"), "irrg": ("nir", "red", "green"), "rgbir": ("red", "green", "blue", "nir")}
"""Bands of each kind of orthophoto. The files mark near infrared as alpha or as a colour; neither is true."""

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
"""The tiles whose labels were kept back during the contest: what the zoo validates on."""


@datasets.register
def potsdam(
    root: Path,
    images: Literal["rgb", "irrg", "rgbir"] = "rgb",
    labels: isprs.LabelKind = "no_boundary",
    *,
    complete: bool = True,
) -> Dataset:
    """Potsdam with the split of the contest (24 and 14 tiles), named ``2_10`` after row and column.

    ``complete`` refuses folders that lack some of the 38 tiles.
    """
    files = entries(root)
    by_kind = {kind: find(files, rf"(?:.*/)?top_potsdam_(\d+)_(\d+)_{kind}\.tiff?") for kind in BANDS}
    require_images(by_kind[images], f"images top_potsdam_*_{images.upper()}.tif", root, by_kind, "data.images")
    ending = "_noBoundary" if labels == "no_boundary" else ""
    # Tile 4_12 of 5_Labels_all is damaged in circulating copies, the participants' is not.
    found = find(
        files,
        rf"(?:.*/)?top_potsdam_(\d+)_(\d+)_label{ending}\.tiff?",
        worse=lambda entry: "participants" not in entry.place.lower(),
    )
    scenes = pair(by_kind[images], found, "_".join, gsd=GSD)
    return isprs.city(
        scenes, found, "_".join, bands=BANDS[images], train=TRAIN, val=VAL, complete=complete,
        labels_name=f"top_potsdam_*_label{ending}.tif",
    )  # fmt: skip
