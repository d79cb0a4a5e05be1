"""torchgeo's satellite ResNets: pretrained weights for multispectral bands, with their input normalization.

In a recipe, they are written as ``backbone: {name: torchgeo, weights: ResNet50_Weights.SENTINEL2_ALL_MOCO}``. The
network is the dilated ResNet of that depth with a 7 x 7 stem. ``pretrained`` works as with other backbones: True (the
default with ``weights``) downloads the file once, a path reads a downloaded file, and False only builds the network.
False is used for bundles and does not import torchgeo, which takes several seconds.
"""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from geoseg._text import did_you_mean
from geoseg.errors import ConfigError
from geoseg.models.backbones import backbones
from geoseg.models.backbones.base import Scaling
from geoseg.models.backbones.resnet import DilatedResNet
from geoseg.models.weights import pretrained as weights_io

log = logging.getLogger(__name__)

NETWORK_BY_WEIGHTS = {
    "ResNet18_Weights": "resnet18b",
    "ResNet50_Weights": "resnet50b",
    "ResNet152_Weights": "resnet152b",
}
"""The network for each weights enum. ``meta["model"]`` cannot be used: for ResNet-152 weights it is resnet50."""


@backbones.register
class TorchgeoResNet(DilatedResNet):
    """A dilated ResNet with pretrained weights from torchgeo; see :class:`Backbone` for the other keyword arguments.

    Args:
        weights: Name of the weights in torchgeo, such as ``ResNet50_Weights.SENTINEL2_ALL_MOCO``; it determines the network.
    """

    def __init__(
        self,
        *,
        weights: str,
        variant: str,  # noqa: ARG002 - always the name of this module
        bands: int,
        output_stride: int,
        multi_grid: Sequence[int] | None = None,
        pretrained: bool | Path = False,
    ) -> None:
        family = weights.partition(".")[0]
        # Without pretrained weights, the enum name is sufficient; find_weights reports unknown names.
        entry = find_weights(weights) if pretrained or family not in NETWORK_BY_WEIGHTS else None
        if entry is not None:
            _refuse_band_count(entry, bands)
        super().__init__(
            variant=NETWORK_BY_WEIGHTS[family], bands=bands, output_stride=output_stride, multi_grid=multi_grid
        )
        self._entry = entry
        if entry is not None:
            state = weights_io.read_weights(pretrained) if isinstance(pretrained, Path) else download_weights(entry)
            # Must precede load_backbone, which would adapt RGB weights to any number of bands.
            weights_io.require_matching(self.state_dict(), state)
            weights_io.load_backbone(self, state, first="conv1.weight")

    def scaling(self, bands: Sequence[str]) -> Scaling | None:
        """Return the normalization in the transforms of the weights; None if there are no weights or normalization.

        Raises:
            ConfigError: If a band is in the position of a different band in the weights.
        """
        if self._entry is None:
            return None
        _refuse_band_order(self._entry, bands)
        return compose_normalization(self._entry.transforms, len(bands))


def list_weights() -> dict[str, Any]:
    """Return all ResNet weights in torchgeo by full name; imports torchgeo without downloading anything."""
    from torchgeo import models  # noqa: PLC0415 - the import takes five seconds

    return {str(entry): entry for family in NETWORK_BY_WEIGHTS for entry in getattr(models, family)}


def find_weights(name: str) -> Any:
    """Return the enum entry with this name.

    Raises:
        ConfigError: If torchgeo has no such weights; the hint suggests the closest name.
    """
    entries = list_weights()
    if name not in entries:
        raise ConfigError(f"torchgeo has no ResNet weights {name!r}", did_you_mean(name, entries))
    return entries[name]


def download_weights(entry: Any) -> dict[str, Tensor]:
    """Download weights published by torchgeo to the torch.hub cache, and load them as plain tensors."""
    try:
        state: dict[str, Tensor] = entry.get_state_dict(progress=False, map_location="cpu", weights_only=True)
    except Exception as error:
        # urllib, torch and pickle raise different errors for a missing connection, a missing page or an incomplete
        # file.
        raise ConfigError(
            f"cannot download the weights {entry}",
            f"download {entry.url} and set model.pretrained to the path of the file",
        ) from error
    return state


def compose_normalization(transforms: Any, bands: int) -> Scaling | None:
    """Combine the normalizations in a transform pipeline into one; return None if it has none.

    (x - a) / b followed by (x - c) / d equals (x - (a + b c)) / (b d). Cropping and resizing do not change values.
    """
    from torchvision.transforms.v2 import Normalize  # noqa: PLC0415 - imports the compiler of torch

    mean, std = [0.0] * bands, [1.0] * bands
    steps = [each for each in transforms.modules() if isinstance(each, Normalize)]
    for step in steps:
        # torchvision stores a value that applies to all bands as a list with one element.
        next_mean, next_std = (list(each) * (bands // len(each)) for each in (step.mean, step.std))
        mean = [a + b * c for a, b, c in zip(mean, std, next_mean, strict=True)]
        std = [b * d for b, d in zip(std, next_std, strict=True)]
    return Scaling(tuple(mean), tuple(std)) if steps else None


def _refuse_band_count(entry: Any, bands: int) -> None:
    wanted = entry.meta["in_chans"]
    if bands != wanted:
        raise ConfigError(f"{entry} expects {wanted} bands, but the data has {bands}", _band_hint(entry))


def _refuse_band_order(entry: Any, bands: Sequence[str]) -> None:
    places = {_normalize_band(name): place for place, name in enumerate(entry.meta.get("bands", ()))}
    for place, name in enumerate(bands):
        if places.get(_normalize_band(name), place) != place:
            raise ConfigError(f"{name} is band {place + 1} of the data, but not of {entry}", _band_hint(entry))
    log.info("%s: using bands %s as %s", entry, ", ".join(bands), ", ".join(entry.meta.get("bands", bands)))


def _band_hint(entry: Any) -> str:
    names = entry.meta.get("bands", ("red", "green", "blue"))
    return f"set data.bands to the bands in the order {', '.join(names)}"


def _normalize_band(name: str) -> str:
    """Normalize the name of a band, so that B04 and b4 are the same."""
    return re.sub(r"^B0+", "B", name.upper())
