"""Build the augmentation in a recipe for the bands and the value range of the prepared data."""

from geoseg.augment import Augmentation
from geoseg.config.recipe import AugmentSection
from geoseg.data.preparation.prepared_dataset import PreparedDataset
from geoseg.errors import DataError

RGB = ("red", "green", "blue")


def require_color_bands(section: AugmentSection, prepared: PreparedDataset) -> None:
    """Check that the photometric distortion in a recipe supports the bands of the data.

    Raises:
        DataError: If OpenMMLab's distortion is used for data that does not have three uint8 bands.
    """
    if section.photometric == "openmmlab" and (len(prepared.bands) != len(RGB) or prepared.dtype != "uint8"):
        raise DataError(
            "photometric=openmmlab requires three uint8 bands, "
            f"but the data has {len(prepared.bands)} {prepared.dtype} bands",
            "use --set augment.photometric=linear",
        )


def build_augmentation(section: AugmentSection, prepared: PreparedDataset) -> Augmentation:
    """Build the random transform of crops for the bands and the value range of the data; see :func:`require_color_bands`."""
    smallest, largest = 0.0, 255.0
    if prepared.dtype != "uint8":
        smallest = min(band.minimum for band in prepared.statistics)
        largest = max(band.maximum for band in prepared.statistics)
    return Augmentation(section, smallest=smallest, largest=largest, is_rgb=prepared.bands == RGB)
