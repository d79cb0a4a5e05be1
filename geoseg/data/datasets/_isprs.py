"""What Potsdam and Vaihingen, the two cities of the ISPRS 2D semantic labelling benchmark, have in common."""

from collections.abc import Callable, Mapping
from typing import Literal

from geoseg.data.dataset import Dataset, LabelledScene
from geoseg.data.datasets._archive_files import Files, Key, listed, require_complete
from geoseg.data.label_encoding import encoding
from geoseg.errors import DataError
from geoseg.legend import Legend

LabelKind = Literal["no_boundary", "full"]
"""Labels without the pixels along the borders of objects (the published protocol), or all of them."""

LEGEND = Legend.of(
    {
        "impervious_surface": "#FFFFFF",
        "building": "#0000FF",
        "low_vegetation": "#00FFFF",
        "tree": "#00FF00",
        "car": "#FFFF00",
        "clutter": "#FF0000",
    }
)
"""In the order of the OpenMMLab zoo; torchgeo has clutter first."""

BOUNDARY = "#000000"
"""Pixels along borders, in labels without boundary: not labelled."""

LICENCE = "ISPRS benchmark: for registered users, for research; cite the ISPRS 2D Semantic Labeling Contest"


def city(
    scenes: Mapping[Key, LabelledScene],
    labels: Files,
    name: Callable[[Key], str],
    *,
    bands: tuple[str, ...],
    train: frozenset[Key],
    val: frozenset[Key],
    complete: bool,
    labels_name: str,
) -> Dataset:
    """The dataset of a city: scenes by published split, with ISPRS colours.

    :class:`DataError` if an image of the published splits, or the label of an image, is missing.
    """
    if complete:
        require_complete(train | val, scenes, "images", name)
    unlabelled = [scene.name for scene in scenes.values() if scene.label is None]
    if unlabelled and (complete or len(unlabelled) == len(scenes)):
        raise DataError(
            f"{listed(unlabelled)} has no label {labels_name}", "put the archive of labels beside the images"
        )
    kept = {key: scene for key, scene in scenes.items() if scene.label is not None}
    extra = [name(key) for key in labels if key not in scenes]
    splits = {"train": train, "val": val}
    return Dataset(
        LEGEND,
        encoding(LEGEND, "colour", ignore=[BOUNDARY]),
        {split: tuple(scene for key, scene in kept.items() if key in keys) for split, keys in splits.items()},
        bands=bands,
        about={"licence": LICENCE},
        remarks=tuple(
            f"{what}: {listed(names)}"
            for what, names in (("labels without an image, left out", extra), ("images without a label", unlabelled))
            if names
        ),
    )
