"""Load a published checkpoint as a network whose logits are identical to those of mmsegmentation."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from geoseg.config.component_spec import Component
from geoseg.config.recipe import ModelSection
from geoseg.errors import BundleError, ConfigError
from geoseg.importers.openmmlab.detect_architecture import (
    Architecture,
    State,
    detect_architecture,
    require_same_parameters,
)
from geoseg.importers.openmmlab.read_checkpoint import CheckpointFile, read_checkpoint
from geoseg.importers.openmmlab.read_config import FROM_CONFIG, ConfigSettings, choose_settings
from geoseg.importers.openmmlab.read_name import read_name, require_agreement
from geoseg.legend import IGNORE_INDEX
from geoseg.models.meta_network import build_meta_network
from geoseg.models.network import SegmentationNetwork


@dataclass(frozen=True)
class OpenMMLabCheckpoint:
    """A network loaded from a checkpoint, and the metadata of the file."""

    network: SegmentationNetwork
    """The network in evaluation mode."""
    model: ModelSection
    """Model section from which the network was built."""
    bands: int
    """Number of bands of an image."""
    classes: int
    """Number of classes of the logits."""
    settings: ConfigSettings
    """Settings that cannot be detected from the weights, with their source."""
    file: CheckpointFile
    """Class names, palette, configuration and software versions, if present."""


def load_checkpoint(path: str | Path, model: ModelSection | None = None) -> OpenMMLabCheckpoint:
    """Load DeepLabV3 or DeepLabV3+ with a ResNet backbone from an mmsegmentation 0.x or 1.x checkpoint.

    Args:
        path: Path of the .pth file.
        model: Model section that supplies the output stride, multi-grid and ``align_corners`` if the file contains no
            configuration; see :mod:`geoseg.importers.openmmlab.read_config`.

    Raises:
        BundleError: If the file is damaged or unsafe, contains an unsupported network, or has a name that conflicts
            with the settings.
    """
    file = read_checkpoint(path)
    detected = detect_architecture(file.state)
    if detected.classes < 2:
        raise BundleError(
            "the checkpoint's network has a single output with a threshold",
            "geoseg needs one output per class, including the background",
        )
    if detected.classes > IGNORE_INDEX:
        raise BundleError(
            f"the checkpoint's network has {detected.classes:,} classes", f"geoseg supports up to {IGNORE_INDEX}"
        )
    settings = choose_settings(file.config, model)
    if settings.source != FROM_CONFIG:
        for name in filter(None, (Path(path).name, file.experiment)):
            require_agreement(settings, read_name(name))
    section = to_model_section(detected, settings)
    try:
        network = build_loaded_network(file.state, section, bands=detected.bands, classes=detected.classes)
    except ConfigError as error:
        raise BundleError(f"the network of {path} cannot be built: {error.message}", error.hint) from error
    return OpenMMLabCheckpoint(network, section, detected.bands, detected.classes, settings, file)


def to_model_section(architecture: Architecture, settings: ConfigSettings) -> ModelSection:
    """Return the model section of a recipe for a network."""
    dilations = {"dilations": list(settings.dilations)} if settings.dilations else {}
    return ModelSection(
        backbone=Component(name=architecture.backbone),
        head=Component(name=architecture.head, options={**architecture.options, **dilations}),
        auxiliary_weight=0.4 if architecture.has_auxiliary else 0.0,
        output_stride=settings.output_stride,
        multi_grid=settings.multi_grid,
        align_corners=settings.align_corners,
    )


def build_loaded_network(state: State, model: ModelSection, *, bands: int, classes: int) -> SegmentationNetwork:
    """Build a network and load its weights, which must match exactly.

    Args:
        state: State dict with geoseg's names.
        model: Model section of the network.
        bands: Number of bands of the images.
        classes: Number of classes of the logits.

    Returns:
        The network in evaluation mode.

    Raises:
        BundleError: If names or shapes differ.
    """
    network = build_meta_network(model, bands=bands, classes=classes)
    require_same_parameters(network.state_dict(), state)
    network.load_state_dict({key: _to_float32(value) for key, value in state.items()}, assign=True)
    return network.eval()


def _to_float32(value: Tensor) -> Tensor:
    """Convert to float32, because some checkpoints are float16. Integer counters are left unchanged."""
    return value.detach().float() if value.is_floating_point() else value.detach()
