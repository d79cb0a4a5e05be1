"""Declaration of a dataset by lists of image and label files, for :class:`geoseg.data.SegmentationDataset`."""

from collections.abc import Sequence
from pathlib import Path

from geoseg._files import VECTOR_SUFFIXES
from geoseg.data.dataset import LabelledScene
from geoseg.errors import DataError
from geoseg.raster.discovery import list_rasters_and_layers, list_scenes, match_by_name

FileList = str | Path | Sequence[str | Path]
"""A list of files, or one file, folder or glob pattern."""


def pair_files(images: FileList, labels: FileList) -> tuple[LabelledScene, ...]:
    """Return a scene for each image, with its label.

    Args:
        images: Image files.
        labels: Label files: a list in the order of the images; or a folder or pattern, whose files are matched with the
            images by name (:func:`geoseg.raster.discovery.match_by_name`); or one vector file for all images.

    Raises:
        DataError: If an image has no label, or a file does not exist.
        SceneError: If a pattern matches no file.
    """
    names = list_scenes([str(images)]) if isinstance(images, str | Path) else images
    image_files = [Path(name).absolute() for name in names]
    label_files = _match_labels(image_files, labels)
    if not image_files or len(label_files) != len(image_files):
        message = f"there are {len(image_files)} images and {len(label_files)} labels"
        raise DataError(message, "give one label for each image, in the same order")
    for path in (*image_files, *label_files):
        if not path.exists():
            raise DataError(f"there is no file {path}", "check the path")
    scene_names = _unique_names(image_files)
    scenes = zip(scene_names, image_files, label_files, strict=True)
    return tuple(LabelledScene(name, image, label) for name, image, label in scenes)


def _match_labels(images: Sequence[Path], labels: FileList) -> list[Path]:
    if not isinstance(labels, str | Path):
        return [Path(name).absolute() for name in labels]
    candidates = [Path(name).absolute() for name in list_rasters_and_layers(str(labels))]
    is_layer = len(candidates) == 1 and candidates[0].suffix.lower() in VECTOR_SUFFIXES
    if is_layer or len(candidates) == len(images) == 1:
        return candidates * len(images)
    return match_by_name(images, candidates, folder=labels, kind="label")


def _unique_names(files: Sequence[Path]) -> list[str]:
    """Return the stems, or whole paths if stems are not unique."""
    stems = [file.stem for file in files]
    return stems if len(set(stems)) == len(stems) else [file.as_posix().lstrip("/") for file in files]
