"""ISPRS Vaihingen: 33 orthophotos (near infrared, red and green) of about 2000 x 2500 pixels with a GSD of 9 cm, and
six classes.

Images and labels are read from the archives that ISPRS provides (``ISPRS_semantic_labeling_Vaihingen.zip`` with the
images in ``top/``, ``..._ground_truth_COMPLETE.zip``, ``..._ground_truth_eroded_COMPLETE.zip``), zipped or extracted.
"""

from pathlib import Path

from geoseg.data.dataset import Dataset
from geoseg.data.datasets import _isprs as isprs
from geoseg.data.datasets import datasets
from geoseg.data.datasets._benchmark_files import SceneKey, find_files, pair_scenes, require_images
from geoseg.raster.archive import list_files

LEGEND = isprs.LEGEND

GSD = 0.09

TRAIN = frozenset((str(area),) for area in (1, 3, 5, 7, 11, 13, 15, 17, 21, 23, 26, 28, 30, 32, 34, 37))
VAL = frozenset((str(area),) for area in (2, 4, 6, 8, 10, 12, 14, 16, 20, 22, 24, 27, 29, 31, 33, 35, 38))
"""Areas whose labels were withheld during the contest; the validation split in OpenMMLab's configurations."""

IMAGE = r"(?:.*/)?top/top_mosaic_09cm_area(\d+)\.tiff?"
LABELS = {
    "no_boundary": r"(?:.*/)?top_mosaic_09cm_area(\d+)_noBoundary\.tiff?",
    # Images and complete labels have the same file names and differ only in their folders.
    "full": r"(?!(?:.*/)?top/)(?:.*/)?top_mosaic_09cm_area(\d+)\.tiff?",
}


@datasets.register
def vaihingen(root: Path, labels: isprs.LabelKind = "no_boundary", *, complete: bool = True) -> Dataset:
    """Create the Vaihingen dataset with the contest splits (16 and 17 areas); scenes have names such as ``area1``.

    Args:
        root: Folder that contains the archives, zipped or extracted. Surface models (DSM) are not read.
        labels: Label files to use: without the pixels along the borders of objects (``no_boundary``), or ``full``.
        complete: Require all 33 areas.

    Raises:
        DataError: If images or labels are missing.
    """
    files = list_files(root)
    images, label_files = find_files(files, IMAGE), find_files(files, LABELS[labels])
    require_images(images, "images top/top_mosaic_09cm_area*.tif", root, {}, "")
    scenes = pair_scenes(images, label_files, _name, gsd=GSD)
    ending = "_noBoundary" if labels == "no_boundary" else ""
    return isprs.build_city_dataset(
        scenes, label_files, _name, bands=("nir", "red", "green"), train=TRAIN, val=VAL, complete=complete,
        label_pattern=f"top_mosaic_09cm_area*{ending}.tif",
    )  # fmt: skip


def _name(key: SceneKey) -> str:
    return f"area{key[0]}"
