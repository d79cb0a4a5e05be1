"""Any timm model that offers features, as a backbone.

timm's models differ in what they promise; this file makes them alike. Maps finer than stride 4 are left away, maps with
the channels last are turned, images are padded to whole strides and the features cut back, and models that only take
images of one size are refused when the network is built.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from geoseg.errors import ConfigError
from geoseg.models import pretrained as weights
from geoseg.models.backbones import backbones
from geoseg.models.backbones.base import Backbone

log = logging.getLogger(__name__)

FINEST = 4
"""Smallest stride of a feature map that is handed on; finer maps cost more than they tell."""


@backbones.register
class TimmBackbone(Backbone):
    """The features of a timm model at stride 4 and coarser; see :class:`Backbone` for the keywords.

    A model that cannot be dilated keeps its own output stride, usually 32; heads choose their dilations by
    :attr:`strides`. Pretrained files must be in timm's format. ``multi_grid`` is not known here.
    """

    def __init__(
        self,
        *,
        variant: str,
        bands: int,
        output_stride: int,
        multi_grid: Sequence[int] | None = None,
        pretrained: bool | Path = False,
    ) -> None:
        super().__init__()
        if multi_grid is not None:
            raise ConfigError(f"{variant} knows no multi_grid", "leave it out, or take a ResNet of the zoo (resnet101)")
        net = _create(variant, bands=bands, output_stride=output_stride, pretrained=pretrained)
        channels, strides = net.feature_info.channels(), net.feature_info.reduction()
        self.channels_last = _probe(variant, net, bands=bands)
        self.features = net
        self.multiple = max(strides)
        self.kept = tuple(i for i, stride in enumerate(strides) if stride >= FINEST)
        self.channels = tuple(channels[i] for i in self.kept)
        self.strides = tuple(strides[i] for i in self.kept)

    def forward(self, images: Float[Tensor, "batch band row col"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """The kept maps, each covering the image and nothing else."""
        height, width = images.shape[-2:]
        # Zeros on the right and below: the mean colour, as scaled images have mean 0.
        padded = F.pad(images, (0, -width % self.multiple, 0, -height % self.multiple))
        maps = self.features(padded)
        if self.channels_last:
            maps = [each.permute(0, 3, 1, 2) for each in maps]
        return [
            maps[i][:, :, : -(-height // stride), : -(-width // stride)]
            for i, stride in zip(self.kept, self.strides, strict=True)
        ]


def is_known(name: str) -> bool:
    """Whether timm has a model of this name (``resnet50``, or with a tag of weights ``resnet50.tv_in1k``)."""
    return bool(timm.is_model(name))


def known_names() -> list[str]:
    """The names of all timm models."""
    return list(timm.list_models())


def _create(variant: str, *, bands: int, output_stride: int, pretrained: bool | Path) -> Any:
    options: dict[str, Any] = {"features_only": True, "in_chans": bands, "pretrained": bool(pretrained)}
    if isinstance(pretrained, Path):
        options["pretrained_cfg_overlay"] = {"state_dict": _read(variant, pretrained)}
    try:
        return _create_dilated(variant, output_stride, options)
    except Exception as error:
        # timm says in many ways that a model has no features, and so do the libraries it downloads with.
        if pretrained is True:
            raise weights.not_fetched(variant) from error
        raise ConfigError(f"{variant} cannot be a backbone: {error}", "take a convolutional model of timm") from error


def _create_dilated(variant: str, output_stride: int, options: dict[str, Any]) -> Any:
    try:
        return timm.create_model(variant, output_stride=output_stride, **options)
    except (TypeError, AssertionError, NotImplementedError):
        net: Any = timm.create_model(variant, **options)
        log.warning("%s cannot be dilated; its output stride is %d", variant, max(net.feature_info.reduction()))
        return net


def _read(variant: str, path: Path) -> dict[str, Tensor]:
    """A file's tensors; refused unless they hold all of the model, for timm would only log what is missing."""
    net: Any = timm.create_model(variant, num_classes=0)
    names = net.pretrained_cfg.get("classifier") or ()
    classifiers = tuple(f"{name}." for name in ([names] if isinstance(names, str) else names))
    state = {key: value for key, value in weights.read(path).items() if not key.startswith(classifiers)}
    weights.refuse_misfits(net.state_dict(), state)
    return state


@torch.no_grad()
def _probe(variant: str, net: Any, *, bands: int) -> bool:
    """Whether the model's maps have the channels last, learnt from a small black image."""
    info = net.feature_info
    height, width = 2 * max(info.reduction()), 3 * max(info.reduction())
    net.eval()
    try:
        maps = net(torch.zeros(1, bands, height, width, device=next(net.parameters()).device))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise _unfit(variant) from error
    net.train()
    first = [(c, height // s, width // s) for c, s in zip(info.channels(), info.reduction(), strict=True)]
    shapes = [tuple(each.shape[1:]) for each in maps]
    if shapes == first:
        return False
    if shapes == [(rows, cols, channels) for channels, rows, cols in first]:
        return True
    raise _unfit(variant)


def _unfit(variant: str) -> ConfigError:
    return ConfigError(
        f"{variant} cannot be a backbone: it does not take images of every size, or loses their borders",
        "take a convolutional model, for instance resnet50, convnext_tiny or efficientnet_b0",
    )
