"""torchgeo's satellite ResNets: weights for many bands, by their enum name, with the scaling they were trained with.

A recipe says ``backbone: {name: torchgeo, weights: ResNet50_Weights.SENTINEL2_ALL_MOCO}``. The network is the zoo's
plain ResNet of that depth. ``pretrained`` means what it means everywhere: True, the default beside ``weights``, fetches
the file once, a path reads a downloaded one, and False builds the network alone, as a bundle does: without torchgeo,
whose import takes seconds.
"""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from geoseg.errors import ConfigError, did_you_mean
from geoseg.models.backbones import backbones
from geoseg.models.backbones.base import Scaling
from geoseg.models.backbones.resnet import ZooResNet
from geoseg.models.weights import pretrained as weights_io

log = logging.getLogger(__name__)

NETWORKS = {"ResNet18_Weights": "resnet18b", "ResNet50_Weights": "resnet50b", "ResNet152_Weights": "resnet152b"}
"""The zoo's name for the network of each enum. ``meta["model"]`` is no guide: it says resnet50 of ResNet-152 weights."""


@backbones.register
class TorchgeoResNet(ZooResNet):
    """A dilated ResNet with weights of torchgeo's model zoo; see :class:`Backbone` for the other keywords."""

    def __init__(
        self,
        *,
        weights: str,
        variant: str,  # noqa: ARG002 - the file's own name
        bands: int,
        output_stride: int,
        multi_grid: Sequence[int] | None = None,
        pretrained: bool | Path = False,
    ) -> None:
        family = weights.partition(".")[0]
        # Without weights the name's first half says it all; a wrong one is left to `find` to answer.
        entry = find(weights) if pretrained or family not in NETWORKS else None
        if entry is not None:
            _refuse_band_count(entry, bands)
        super().__init__(variant=NETWORKS[family], bands=bands, output_stride=output_stride, multi_grid=multi_grid)
        self._entry = entry
        if entry is not None:
            state = weights_io.read(pretrained) if isinstance(pretrained, Path) else fetch(entry)
            # Before `load`, which would spread a file for red, green and blue over any number of bands.
            weights_io.refuse_misfits(self.state_dict(), state)
            weights_io.load(self, state, first="conv1.weight")

    def scaling(self, bands: Sequence[str]) -> Scaling | None:
        """What the weights' own transforms subtract and divide by; None without weights, or if they only pass through.

        :class:`ConfigError` if a band bears the name of one of the weights' bands and stands in another's place.
        """
        if self._entry is None:
            return None
        _refuse_band_order(self._entry, bands)
        return scaling_of(self._entry.transforms, len(bands))


def known() -> dict[str, Any]:
    """All ResNet weights of torchgeo by their full names. Imports torchgeo and downloads nothing."""
    from torchgeo import models  # noqa: PLC0415 - takes five seconds

    return {str(entry): entry for family in NETWORKS for entry in getattr(models, family)}


def find(name: str) -> Any:
    """The enum's entry of this name; :class:`ConfigError` with the nearest name otherwise."""
    entries = known()
    if name not in entries:
        raise ConfigError(f"torchgeo has no ResNet weights called {name!r}", did_you_mean(name, entries))
    return entries[name]


def fetch(entry: Any) -> dict[str, Tensor]:
    """The weights from where torchgeo publishes them, kept in the cache of torch.hub; plain tensors only."""
    try:
        state: dict[str, Tensor] = entry.get_state_dict(progress=False, map_location="cpu", weights_only=True)
    except Exception as error:
        # No network, no such page, a cut-off file: urllib, torch and pickle each say it in their own way.
        raise ConfigError(
            f"the weights {entry} could not be fetched",
            f"download {entry.url} and set model.pretrained to the file's path",
        ) from error
    return state


def scaling_of(transforms: Any, bands: int) -> Scaling | None:
    """The normalisations among some transforms as a single one; None if there are none.

    (x - a) / b and then (x - c) / d is (x - (a + b c)) / (b d). What crops or resizes leaves values alone.
    """
    from torchvision.transforms.v2 import Normalize  # noqa: PLC0415 - brings torch's compiler along

    mean, std = [0.0] * bands, [1.0] * bands
    steps = [each for each in transforms.modules() if isinstance(each, Normalize)]
    for step in steps:
        # torchvision writes one number for all bands as a list of one.
        next_mean, next_std = (list(each) * (bands // len(each)) for each in (step.mean, step.std))
        mean = [a + b * c for a, b, c in zip(mean, std, next_mean, strict=True)]
        std = [b * d for b, d in zip(std, next_std, strict=True)]
    return Scaling(tuple(mean), tuple(std)) if steps else None


def _refuse_band_count(entry: Any, bands: int) -> None:
    wanted = entry.meta["in_chans"]
    if bands != wanted:
        raise ConfigError(f"{entry} takes {wanted} bands, but the data have {bands}", _in_order(entry))


def _refuse_band_order(entry: Any, bands: Sequence[str]) -> None:
    places = {_plain(name): place for place, name in enumerate(entry.meta.get("bands", ()))}
    for place, name in enumerate(bands):
        if places.get(_plain(name), place) != place:
            raise ConfigError(f"{name} is band {place + 1} of the data, but not of {entry}", _in_order(entry))
    log.info("%s takes %s as %s", entry, ", ".join(bands), ", ".join(entry.meta.get("bands", bands)))


def _in_order(entry: Any) -> str:
    names = entry.meta.get("bands", ("red", "green", "blue"))
    return f"choose bands with data.bands, in the order {', '.join(names)}"


def _plain(name: str) -> str:
    """B04 and b4 are the same band."""
    return re.sub(r"^B0+", "B", name.upper())
