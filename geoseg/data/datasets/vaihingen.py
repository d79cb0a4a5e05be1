"""ISPRS Vaihingen: 33 orthophotos of about 2000 x 2500 pixels of 9 cm in near infrared, red and green, six classes.

From the archives as ISPRS hands them out (``ISPRS_semantic_labeling_Vaihingen.zip`` with the images in ``top/``,
``..._ground_truth_COMPLETE.zip``, ``..._ground_truth_eroded_COMPLETE.zip``), zipped or unpacked.
"""

from pathlib import Path

from geoseg.data.dataset import Dataset
from geoseg.data.datasets import _isprs as isprs
from geoseg.data.datasets import datasets
from geoseg.data.datasets._archive_files import Key, find, pair, require_images
from geoseg.raster.archive import entries

LEGEND = isprs.LEGEND

GSD = 0.09

TRAIN = frozenset((str(area),) for area in (1, 3, 5, 7, 11, 13, 15, 17, 21, 23, 26, 28, 30, 32, 34, 37))
VAL = frozenset((str(area),) for area in (2, 4, 6, 8, 10, 12, 14, 16, 20, 22, 24, 27, 29, 31, 33, 35, 38))
"""The areas whose labels were kept back during the contest: what the zoo validates on."""

IMAGE = r"(?:.*/)?top/top_mosaic_09cm_area(\d+)\.tiff?"
LABELS = {
    "no_boundary": r"(?:.*/)?top_mosaic_09cm_area(\d+)_noBoundary\.tiff?",
    # Images and complete labels have the same names; only the folder tells them apart.
    "full": r"(?!(?:.*/)?top/)(?:.*/)?top_mosaic_09cm_area(\d+)\.tiff?",
}


@datasets.register
def vaihingen(root: Path, labels: isprs.LabelKind = "no_boundary", *, complete: bool = True) -> Dataset:
    """Vaihingen with the split of the contest (16 and 17 areas), named ``area1`` after the area.

    ``complete`` refuses folders that lack some of the 33 areas. Surface models (DSM) are not read.
    """
    files = entries(root)
    images, found = find(files, IMAGE), find(files, LABELS[labels])
    require_images(images, "images top/top_mosaic_09cm_area*.tif", root, {}, "")
    scenes = pair(images, found, _name, gsd=GSD)
    ending = "_noBoundary" if labels == "no_boundary" else ""
    return isprs.city(
        scenes, found, _name, bands=("nir", "red", "green"), train=TRAIN, val=VAL, complete=complete,
        labels_name=f"top_mosaic_09cm_area*{ending}.tif",
    )  # fmt: skip


def _name(key: Key) -> str:
    return f"area{key[0]}"
