"""Find splits in which no label polygon covers a pixel of any scene, which indicates a wrong CRS or wrong files."""

from collections.abc import Iterable

from geoseg.data.dataset import LabelledScene
from geoseg.data.label_encoding import LabelEncoding
from geoseg.data.label_reader import explain_label_miss
from geoseg.raster.scene import Scene

MessageAndHint = tuple[str, str]
"""The error message and its hint."""


def find_missed_split(
    split: str, members: Iterable[tuple[LabelledScene, bool]], encoding: LabelEncoding
) -> MessageAndHint | None:
    """Return the reason why no label polygon covers any pixel in a split; None if one does, or if all files are empty.

    Args:
        split: Name of the split, for the message.
        members: The labeled scenes of the split, each with a flag that is True if a polygon contains the center of a pixel.
            The flag is always True for label rasters.
        encoding: Encoding of the label files.

    Raises:
        GeosegError: If a file cannot be read.
    """
    scenes = list(members)
    if not scenes or any(touches for _, touches in scenes):
        return None
    for scene, _ in scenes:
        assert scene.label is not None
        with Scene.open(scene.image) as image:
            miss = explain_label_miss(scene.label, image.grid, encoding)
        if not miss.is_empty:
            return f"no label polygon touches a scene of the split {split}: {miss.message}", miss.hint
    return None
