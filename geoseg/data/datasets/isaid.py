"""iSAID: 2,806 aerial images of various sizes from DOTA-v1.0, with 15 object classes and a background class.

Images and labels are read from the folders published by DOTA and iSAID: ``train/images/part1.zip`` … ``part3.zip``,
``val/images/part1.zip``, ``test/images/part1.zip`` and ``part2.zip`` (inside: ``images/P0000.png``), and ``train/`` and
``val/Semantic_masks/images.zip`` (inside: ``images/P0000_instance_color_RGB.png``), zipped or extracted.
"""

from pathlib import Path

from geoseg._text import join_names
from geoseg.data.dataset import Dataset
from geoseg.data.datasets import datasets
from geoseg.data.datasets._benchmark_files import MAX_NAMES, SceneKey, find_files, pair_scenes, require_images
from geoseg.data.label_encoding import build_encoding
from geoseg.errors import DataError
from geoseg.legend import Legend
from geoseg.raster.archive import list_files

LEGEND = Legend.of(
    {
        "background": "#000000",
        "ship": "#00003F",
        "store_tank": "#003F3F",
        "baseball_diamond": "#003F00",
        "tennis_court": "#003F7F",
        "basketball_court": "#003FBF",
        "Ground_Track_Field": "#003FFF",
        "Bridge": "#007F3F",
        "Large_Vehicle": "#007F7F",
        "Small_Vehicle": "#00007F",
        "Helicopter": "#0000BF",
        "Swimming_pool": "#0000FF",
        "Roundabout": "#00BF7F",
        "Soccer_ball_field": "#007FBF",
        "plane": "#007FFF",
        "Harbor": "#00649B",
    }
)
"""Names, order and colors from OpenMMLab's configurations. The background is a class and counts toward their scores."""

COUNTS = {"train": 1411, "val": 458, "test": 937}
"""Number of images in each split of DOTA-v1.0."""

LICENCE = "iSAID and DOTA: for academic purposes only; commercial use is prohibited"


@datasets.register
def isaid(root: Path, *, complete: bool = True) -> Dataset:
    """Create the iSAID dataset with its published splits; scenes are named after their files, for example ``P0000``.

    Args:
        root: Folder that contains the archives, zipped or extracted. The test split has no labels.
        complete: Require all images of the training and validation splits.

    Raises:
        DataError: If images or labels are missing.
    """
    files = list_files(root)
    splits, remarks = {}, []
    for split, count in COUNTS.items():
        folder = rf"(?:.*/)?{split}/(?:.*/)?"  # some programs extract into a folder named after the zip file
        images = find_files(files, rf"{folder}(P\d+)\.png")
        labels = find_files(files, rf"{folder}Semantic_masks/(?:.*/)?(P\d+)_instance_color_RGB\.png")
        scenes = pair_scenes(images, labels, _name)
        if split != "test":
            require_images(images, f"images {split}/images/P*.png", root, {}, "")
            _require_labels([scene.name for scene in scenes.values() if scene.label is None], split)
            if complete and len(images) < count:
                raise DataError(
                    f"{count - len(images)} of the {count} images in the split {split} are missing",
                    "download the rest, or continue without the missing images: --set data.complete=false",
                )
        if extra := [_name(key) for key in labels if key not in images]:
            remarks.append(f"labels without an image, ignored: {join_names(extra, limit=MAX_NAMES)}")
        if scenes:
            splits[split] = tuple(scenes.values())
    about = {"licence": LICENCE}
    return Dataset(
        LEGEND,
        build_encoding(LEGEND, "colour"),
        splits,
        bands=("red", "green", "blue"),
        about=about,
        remarks=tuple(remarks),
    )


def _name(key: SceneKey) -> str:
    return f"P{int(key[0].removeprefix('p')):04d}"


def _require_labels(unlabelled: list[str], split: str) -> None:
    if unlabelled:
        raise DataError(
            f"{join_names(unlabelled, limit=MAX_NAMES)} has no label {split}/Semantic_masks/P*_instance_color_RGB.png",
            f"put {split}/Semantic_masks/images.zip from iSAID into the folder with DOTA's images",
        )
