"""From a published checkpoint to a network that gives mmsegmentation's logits."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from geoseg.config.component import Part
from geoseg.config.recipe import ModelSection
from geoseg.errors import BundleError
from geoseg.importers.openmmlab.detect_architecture import Architecture, State, architecture, refuse_differences
from geoseg.importers.openmmlab.read_checkpoint import ZooFile, read_file
from geoseg.importers.openmmlab.read_config import Settings, find_settings
from geoseg.models.build import build_network
from geoseg.models.network import SegmentationNetwork


@dataclass(frozen=True)
class ZooCheckpoint:
    """A network with what its file says of itself."""

    network: SegmentationNetwork
    """In evaluation mode."""
    model: ModelSection
    """How the network is built."""
    bands: int
    """Channels of an image."""
    classes: int
    """Channels of the logits."""
    settings: Settings
    """What the weights could not tell, and where it comes from."""
    file: ZooFile
    """Class names, palette, configuration and software, as far as they are there."""


def load_checkpoint(path: str | Path, model: ModelSection | None = None) -> ZooCheckpoint:
    """The network in a checkpoint of mmsegmentation 0.x or 1.x: DeepLabV3 or DeepLabV3+ on one of the zoo's ResNets.

    ``model`` is asked for output stride, multi-grid and ``align_corners`` where the file does not tell; see
    :mod:`geoseg.importers.openmmlab.read_config`. :class:`BundleError` if the file is damaged, unsafe or another network.
    """
    file = read_file(path)
    found = architecture(file.state)
    if found.classes < 2:
        raise BundleError(
            "the checkpoint's network has a single output, to be compared with a threshold",
            "geoseg compares classes: it needs one output for each, the background included",
        )
    settings = find_settings(file.config, model)
    section = model_section(found, settings)
    network = network_from(file.state, section, bands=found.bands, classes=found.classes)
    return ZooCheckpoint(network, section, found.bands, found.classes, settings, file)


def model_section(found: Architecture, settings: Settings) -> ModelSection:
    """What a recipe would say of the network."""
    dilations = {"dilations": list(settings.dilations)} if settings.dilations else {}
    return ModelSection(
        backbone=Part(name=found.backbone),
        head=Part(name=found.head, options={**found.options, **dilations}),
        auxiliary_weight=0.4 if found.has_auxiliary else 0.0,
        output_stride=settings.output_stride,
        multi_grid=settings.multi_grid,
        align_corners=settings.align_corners,
    )


def network_from(state: State, model: ModelSection, *, bands: int, classes: int) -> SegmentationNetwork:
    """The network with these weights, which must be all of its weights and no more."""
    with torch.device("meta"):  # neither memory nor random numbers for weights that are replaced at once
        network = build_network(model, bands=bands, classes=classes)
    refuse_differences(network.state_dict(), state)
    network.load_state_dict({key: _single(value) for key, value in state.items()}, assign=True)
    return network.eval()


def _single(value: Tensor) -> Tensor:
    """In single precision: some checkpoints are published in half. Counters stay whole numbers."""
    return value.detach().float() if value.is_floating_point() else value.detach()
