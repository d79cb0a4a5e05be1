"""Any timm model that offers features, as a backbone.

timm's models differ in what they promise; this file makes them alike. Maps finer than stride 4 are left away, maps with
the channels last are turned, images are padded to whole strides or windows and the features cut back, and models that
only take images of one size are refused when the network is built.
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
from geoseg.models.backbones import backbones
from geoseg.models.backbones.base import Backbone
from geoseg.models.weights import pretrained as weights

log = logging.getLogger(__name__)

FINEST = 4
"""Smallest stride of a feature map that is handed on; finer maps cost more than they tell."""


LENGTH = 33
"""Strides along a trial image: longer than any table of relative positions that a model brings."""

ANY_SIZE = {"strict_img_size": False, "always_partition": True}
"""What frees a Swin Transformer of timm from the size it was made for."""


@backbones.register
class TimmBackbone(Backbone):
    """The features of a timm model at stride 4 and coarser; see :class:`Backbone` for the keywords.

    A model that cannot be dilated keeps its own output stride, usually 32; heads choose their dilations by
    :attr:`strides`. Swin Transformers shift their windows over images of any size, in every stage. Pretrained files must
    be in timm's format. ``multi_grid`` is not known here.
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
        self.multiple, self.channels_last = _tried(variant, net, bands=bands)
        if max(strides) > output_stride:
            log.warning("%s cannot be dilated; its output stride is %d", variant, max(strides))
        self.features = net
        self.kept = tuple(i for i, stride in enumerate(strides) if stride >= FINEST)
        self.channels = tuple(channels[i] for i in self.kept)
        self.strides = tuple(strides[i] for i in self.kept)

    def forward(self, images: Float[Tensor, "batch band row col"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """The kept maps, each covering the image and nothing else."""
        height, width = images.shape[-2:]
        # Zeros on the right and below: the mean colour, as scaled images have mean 0. By floor division, which converters
        # of networks know where they do not know the remainder.
        below, right = (self.multiple * -(-side // self.multiple) - side for side in (height, width))
        padded = F.pad(images, (0, right, 0, below))
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
        return _create_flexible(variant, output_stride, options)
    except Exception as error:
        # timm says in many ways that a model has no features, and so do the libraries it downloads with.
        if pretrained is True:
            _create(variant, bands=bands, output_stride=output_stride, pretrained=False)  # else it is the model's fault
            raise weights.not_fetched(variant) from error
        raise ConfigError(f"{variant} cannot be a backbone: {error}", "take a convolutional model of timm") from error


def _create_flexible(variant: str, output_stride: int, options: dict[str, Any]) -> Any:
    """The model with windows for any size or dilated, else as it is."""
    flexible = ANY_SIZE if variant.startswith("swin") else {"output_stride": output_stride}
    try:
        return timm.create_model(variant, **flexible, **options)
    except (TypeError, AssertionError, NotImplementedError):
        return timm.create_model(variant, **options)


def _read(variant: str, path: Path) -> dict[str, Tensor]:
    """A file's tensors; refused unless they hold all of the model, for timm would only log what is missing."""
    net: Any = timm.create_model(variant, num_classes=0)
    names = net.pretrained_cfg.get("classifier") or ()
    classifiers = tuple(f"{name}." for name in ([names] if isinstance(names, str) else names))
    state = {key: value for key, value in weights.read(path).items() if not key.startswith(classifiers)}
    weights.refuse_misfits(net.state_dict(), state)
    return state


def _tried(variant: str, net: Any, *, bands: int) -> tuple[int, bool]:
    """What images are padded to multiples of, and whether maps have the channels last, learnt from small black images.

    Whole strides suffice for most models, pairs of them for those that look at 2 x 2 features at once. The others'
    windows divide the size they were made for.
    """
    stride = max(net.feature_info.reduction())
    own = net.pretrained_cfg.get("input_size", (3, 0, 0))[1]
    trials = [(stride, LENGTH), (2 * stride, LENGTH), *([(own, 2)] if own and own % stride == 0 else [])]
    net.eval()
    for multiple, length in trials:
        channels_last = _channels_last(net, bands, multiple, multiple * length)
        if channels_last is not None:
            net.train()
            return multiple, channels_last
    raise ConfigError(
        f"{variant} cannot be a backbone: it does not take images of every size, or loses their borders",
        "take a convolutional model, for instance resnet50, convnext_tiny or efficientnet_b0",
    )


@torch.no_grad()
def _channels_last(net: Any, bands: int, height: int, width: int) -> bool | None:
    """Whether the maps of an image have the channels last; None if they are not as the model promises."""
    info = net.feature_info
    try:
        maps = net(torch.zeros(1, bands, height, width, device=next(net.parameters()).device))
    except (AssertionError, IndexError, RuntimeError, ValueError):
        return None
    shapes = [tuple(each.shape[1:]) for each in maps]
    promised = [(c, height // s, width // s) for c, s in zip(info.channels(), info.reduction(), strict=True)]
    if shapes == promised:
        return False
    return True if shapes == [(rows, cols, channels) for channels, rows, cols in promised] else None
