"""Checks of the options of sliding-window prediction that do not need the network."""

from geoseg.errors import BundleError, ConfigError
from geoseg.inference.compatibility import InputPlan

MULTI_SCALE_TTA = ("ms+flip",)
"""Test-time augmentations that rescale the image."""


def default_stride(size: int) -> int:
    """Return two thirds of the side of a window, as in OpenMMLab's configurations: 341 for 512, 513 for 769."""
    return max(round(size * 2 / 3), 1)


def check_stride(stride: int, size: int) -> None:
    """Raise :class:`ConfigError` if windows of ``size`` pixels would leave gaps with this stride."""
    if not 1 <= stride <= size:
        raise ConfigError(
            f"windows of {size} pixels with a stride of {stride} leave gaps",
            f"use --stride between 1 and {size}, or a larger --tile",
        )


def check_sliding(plan: InputPlan, *, stride: int | None, tta: str) -> None:
    """Check the options of ``mode="slide"`` against a scene and a model.

    Args:
        plan: How the network's input is read.
        stride: Distance between windows in the network's pixels; None for two thirds of a tile.
        tta: A name in :data:`~geoseg.inference.tta.TTA`.

    Raises:
        ConfigError: If windows with this stride would leave gaps.
        BundleError: If the scene and the model have different GSDs, and ``tta`` uses several scales.
    """
    if stride is not None:
        check_stride(stride, plan.tile)
    if plan.resamples and tta in MULTI_SCALE_TTA:
        raise BundleError(
            "sliding windows at several scales require a scene of the model's GSD",
            "leave out --mode slide, use --tta flip or d4, or resample the scene first (gdalwarp -tr)",
        )
