"""iSAID: 2806 aerial images of DOTA-v1.0 in all sizes, 15 kinds of objects and background.

From the folders as DOTA and iSAID publish them: ``train/images/part1.zip`` … ``part3.zip``, ``val/images/part1.zip``,
``test/images/part1.zip`` and ``part2.zip`` (inside: ``images/P0000.png``), and ``train/`` and
``val/Semantic_masks/images.zip`` (inside: ``images/P0000_instance_color_RGB.png``), zipped or unpacked.
"""

from pathlib import Path

from geoseg.data.dataset import Dataset
from geoseg.data.datasets import datasets
from geoseg.data.datasets._archive_files import find, listed, pair, require_images
from geoseg.data.label_encoding import encoding
from geoseg.errors import DataError
from geoseg.legend import Legend
from geoseg.raster.archive import entries

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
"""Names, order and colours of the zoo. Background is a class like the others, and counts in its scores."""

COUNTS = {"train": 1411, "val": 458, "test": 937}
"""Images of each split of DOTA-v1.0."""

LICENCE = "iSAID and DOTA: for academic purposes only; commercial use is prohibited"


@datasets.register
def isaid(root: Path, *, complete: bool = True) -> Dataset:
    """The published split of iSAID; scenes are named ``P0000`` as their files. The test split has no labels.

    ``complete`` refuses folders that lack images of the training or validation split.
    """
    files = entries(root)
    splits, remarks = {}, []
    for split, count in COUNTS.items():
        folder = rf"(?:.*/)?{split}/(?:.*/)?"  # programs that unpack put folders of the zip's name between, or do not
        images = find(files, rf"{folder}(P\d+)\.png")
        labels = find(files, rf"{folder}Semantic_masks/(?:.*/)?(P\d+)_instance_color_RGB\.png")
        scenes = pair(images, labels, _name)
        if split != "test":
            require_images(images, f"images {split}/images/P*.png", root, {}, "")
            _require(scenes_without_label=[s.name for s in scenes.values() if s.label is None], split=split)
            if complete and len(images) < count:
                raise DataError(
                    f"{count - len(images)} of {count} images of the split {split} are missing",
                    "download the rest, or go on without them: --set data.complete=false",
                )
        if extra := [_name(key) for key in labels if key not in images]:
            remarks.append(f"labels without an image, left out: {listed(extra)}")
        if scenes:
            splits[split] = tuple(scenes.values())
    about = {"licence": LICENCE}
    return Dataset(
        LEGEND, encoding(LEGEND, "colour"), splits, bands=("red", "green", "blue"), about=about, remarks=tuple(remarks)
    )


def _name(key: tuple[str, ...]) -> str:
    return f"P{int(key[0].removeprefix('p')):04d}"


def _require(*, scenes_without_label: list[str], split: str) -> None:
    if scenes_without_label:
        raise DataError(
            f"{listed(scenes_without_label)} has no label {split}/Semantic_masks/P*_instance_color_RGB.png",
            f"put {split}/Semantic_masks/images.zip of iSAID beside the images of DOTA",
        )
