"""Code shared by Potsdam and Vaihingen, the two cities of the ISPRS 2D semantic labeling benchmark."""

from collections.abc import Callable, Mapping
from typing import Literal

from geoseg._text import join_names
from geoseg.data.dataset import Dataset, LabelledScene
from geoseg.data.datasets._benchmark_files import MAX_NAMES, FilesByKey, SceneKey, require_complete
from geoseg.data.label_encoding import build_encoding
from geoseg.errors import DataError
from geoseg.legend import Legend

LabelKind = Literal["no_boundary", "full"]
"""Labels without the pixels along object borders (the published protocol), or the full labels."""

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
"""Classes in the order used by OpenMMLab's configurations; in torchgeo, clutter comes first."""

BOUNDARY = "#000000"
"""Color of unlabeled pixels along object borders in the labels without boundaries."""

LICENCE = "ISPRS benchmark: for registered users, for research; cite the ISPRS 2D Semantic Labeling Contest"


def build_city_dataset(
    scenes: Mapping[SceneKey, LabelledScene],
    labels: FilesByKey,
    name: Callable[[SceneKey], str],
    *,
    bands: tuple[str, ...],
    train: frozenset[SceneKey],
    val: frozenset[SceneKey],
    complete: bool,
    label_pattern: str,
) -> Dataset:
    """Build the dataset for a city, with the published splits and ISPRS colors.

    Args:
        scenes: Scenes by key, with or without a label.
        labels: Label files by key.
        name: Function that returns the name of a scene, given its key.
        bands: Names of the bands.
        train: Keys of the training split.
        val: Keys of the validation split.
        complete: Require all scenes of both splits, with labels.
        label_pattern: File name pattern of label files, for messages.

    Raises:
        DataError: If a published scene or a label is missing.
    """
    if complete:
        require_complete(train | val, scenes, "images", name)
    unlabelled = [scene.name for scene in scenes.values() if scene.label is None]
    if unlabelled and (complete or len(unlabelled) == len(scenes)):
        message = f"{join_names(unlabelled, limit=MAX_NAMES)} has no label {label_pattern}"
        raise DataError(message, "put the label archive into the folder with the images")
    labelled = {key: scene for key, scene in scenes.items() if scene.label is not None}
    extra = [name(key) for key in labels if key not in scenes]
    return Dataset(
        LEGEND,
        build_encoding(LEGEND, "colour", ignore=[BOUNDARY]),
        {
            split: tuple(scene for key, scene in labelled.items() if key in keys)
            for split, keys in {"train": train, "val": val}.items()
        },
        bands=bands,
        about={"licence": LICENCE},
        remarks=tuple(
            f"{oddity}: {join_names(names, limit=MAX_NAMES)}"
            for oddity, names in (("labels without an image, ignored", extra), ("images without a label", unlabelled))
            if names
        ),
    )
