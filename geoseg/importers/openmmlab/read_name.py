"""Read settings from the names of OpenMMLab's files: ``deeplabv3_r50-d16-mg124_512x1024_80k_cityscapes-0a1b2c3d.pth``.

Names are used as evidence, not as a source: settings come from the checkpoint's configuration, a recipe or defaults. If
a recipe or a default conflicted with the name of the file or of the training run, the logits would be silently wrong.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from geoseg.errors import BundleError
from geoseg.importers.openmmlab.read_config import ConfigSettings

STRIDE_PATTERN = re.compile(r"(?:^|[-_])d(8|16)(?:-mg(\d+))?(?=[-_.]|$)", re.IGNORECASE)
"""Output stride and multi-grid of the backbone: ``d8``, ``d16-mg124``."""

CROP_PATTERN = re.compile(r"(?:^|[-_])(\d{3,4})x(\d{3,4})(?=[-_.]|$)", re.IGNORECASE)
"""Height and width of the training crops: ``512x1024``."""

DATASET_PATTERN = re.compile(r"(?:^|[-_])(potsdam|vaihingen|loveda|isaid|cityscapes)(?=[-_.]|$)", re.IGNORECASE)

ALIGNED_CROP = 769
"""Side length of the crops in the only configurations that set ``align_corners``."""


@dataclass(frozen=True)
class NameEvidence:
    """Settings found in a name; None or empty if the name does not contain them."""

    name: str
    """The name."""
    output_stride: int | None
    """Input pixels per pixel of the deepest features."""
    multi_grid: tuple[int, ...] | None
    """Dilations of the last stage; None if the name contains an output stride without them."""
    crop: int | None
    """Shorter side of the training crops in pixels."""
    dataset: str
    """Name of the dataset."""


def read_name(name: str) -> NameEvidence:
    """Read the settings in the name of a checkpoint file or of a training run.

    Example:
        >>> read_name("deeplabv3_r50-d16-mg124_512x1024_80k_cityscapes.pth").multi_grid
        (1, 2, 4)
    """
    stride, crop, dataset = (pattern.search(name) for pattern in (STRIDE_PATTERN, CROP_PATTERN, DATASET_PATTERN))
    return NameEvidence(
        name=name,
        output_stride=int(stride[1]) if stride else None,
        multi_grid=tuple(map(int, stride[2])) if stride and stride[2] else None,
        crop=min(int(crop[1]), int(crop[2])) if crop else None,
        dataset=dataset[1].lower() if dataset else "",
    )


def require_agreement(settings: ConfigSettings, evidence: NameEvidence) -> None:
    """Check that settings from sources other than the checkpoint agree with the name of the file or the training run.

    Raises:
        BundleError: If they conflict; the hint gives the recipe option that resolves the conflict.
    """
    contradictions = list(_contradictions(settings, evidence))
    if contradictions:
        names, options = zip(*contradictions, strict=True)
        raise BundleError(
            f"the name {evidence.name} says {' and '.join(names)}, but the import would use {settings} ({settings.source})",
            f"set {' and '.join(options)} in a recipe, and import with --recipe; rename the file if its name is wrong",
        )


def _contradictions(settings: ConfigSettings, evidence: NameEvidence) -> Iterator[tuple[str, str]]:
    """Yield each setting in the name that conflicts with the actual one, paired with the option that would match."""
    stride, grid = evidence.output_stride, evidence.multi_grid
    if stride is not None and stride != settings.output_stride:
        yield f"output stride {stride} (d{stride})", f"model.output_stride: {stride}"
    if stride is not None and grid != settings.multi_grid:
        digits = "".join(map(str, grid or ()))
        yield f"multi-grid {digits}" if grid else "no multi-grid", f"model.multi_grid: {list(grid) if grid else 'null'}"
    aligned = evidence.crop == ALIGNED_CROP
    if evidence.crop is not None and aligned != settings.align_corners:
        which = "with" if aligned else "without"
        yield f"crops of {evidence.crop} pixels ({which} align_corners)", f"model.align_corners: {str(aligned).lower()}"
