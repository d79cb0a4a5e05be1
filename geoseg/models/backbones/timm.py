"""Use any timm model with ``features_only`` as a backbone.

timm's models differ in their outputs and in the image sizes they accept. The wrapper drops feature maps finer than
stride 4, transposes channels-last maps, pads images to a multiple of the stride or window size, and crops the features.
Models that accept only one image size are rejected when the network is built.
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

MIN_STRIDE = 4
"""Smallest stride of the feature maps to return; finer feature maps are expensive and improve results little."""

TRIAL_STRIDES = 33
"""Side length of a trial image in strides; larger than any relative position table in timm."""

ANY_SIZE_OPTIONS = {"strict_img_size": False, "always_partition": True}
"""Options that let timm's Swin Transformers accept images of any size."""


@backbones.register
class TimmBackbone(Backbone):
    """The features of a timm model at stride 4 and coarser; see :class:`Backbone` for the keyword arguments.

    A model that cannot be dilated keeps its own output stride, usually 32; heads choose their dilations based on
    :attr:`strides`. Swin Transformers partition images of any size into windows in every stage. Files with pretrained
    weights must use timm's parameter names. ``multi_grid`` is not supported.
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
            raise ConfigError(
                f"{variant} does not support multi_grid", "remove it, or use a dilated ResNet such as resnet101"
            )
        net = _create(variant, bands=bands, output_stride=output_stride, pretrained=pretrained)
        channels, strides = net.feature_info.channels(), net.feature_info.reduction()
        # On the meta device, only names and shapes are of interest; trial images would cost more than the rest.
        is_meta = next(net.parameters()).is_meta
        probed: tuple[int, bool] = (max(strides), False) if is_meta else _probe(variant, net, bands=bands)
        self.multiple, self.channels_last = probed
        if max(strides) > output_stride and not is_meta:
            log.warning("%s cannot be dilated; its output stride is %d", variant, max(strides))
        self.features = net
        self.kept = tuple(i for i, stride in enumerate(strides) if stride >= MIN_STRIDE)
        self.channels = tuple(channels[i] for i in self.kept)
        self.strides = tuple(strides[i] for i in self.kept)

    def forward(self, images: Float[Tensor, "batch band row col"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """Return the feature maps at stride 4 and coarser, cropped to the image."""
        height, width = images.shape[-2:]
        # Pad with zeros, because zero is the mean of normalized images. Use floor division, because model converters do
        # not support the remainder operator.
        below, right = (self.multiple * -(-side // self.multiple) - side for side in (height, width))
        padded = F.pad(images, (0, right, 0, below))
        maps = self.features(padded)
        if self.channels_last:
            maps = [each.permute(0, 3, 1, 2) for each in maps]
        return [
            maps[i][:, :, : -(-height // stride), : -(-width // stride)]
            for i, stride in zip(self.kept, self.strides, strict=True)
        ]


def _create(variant: str, *, bands: int, output_stride: int, pretrained: bool | Path) -> Any:
    options: dict[str, Any] = {"features_only": True, "in_chans": bands, "pretrained": bool(pretrained)}
    if isinstance(pretrained, Path):
        options["pretrained_cfg_overlay"] = {"state_dict": _read(variant, pretrained)}
    try:
        return _create_flexible(variant, output_stride, options)
    except Exception as error:
        # timm and its download libraries raise many types of errors for models without feature maps.
        if pretrained is True:
            _create(
                variant, bands=bands, output_stride=output_stride, pretrained=False
            )  # raises an error if the model itself is the cause
            raise weights.download_error(variant) from error
        raise ConfigError(
            f"{variant} cannot be used as a backbone: {error}", "use a convolutional model from timm"
        ) from error


def _create_flexible(variant: str, output_stride: int, options: dict[str, Any]) -> Any:
    """Create the model with support for any image size, or with dilation, if possible."""
    flexible = ANY_SIZE_OPTIONS if variant.startswith("swin") else {"output_stride": output_stride}
    try:
        return timm.create_model(variant, **flexible, **options)
    except (TypeError, AssertionError, NotImplementedError):
        return timm.create_model(variant, **options)


def _read(variant: str, path: Path) -> dict[str, Tensor]:
    """Read weights from a file and check that none are missing, because timm only logs missing weights."""
    net: Any = timm.create_model(variant, num_classes=0)
    names = net.pretrained_cfg.get("classifier") or ()
    classifiers = tuple(f"{name}." for name in ([names] if isinstance(names, str) else names))
    state = {key: value for key, value in weights.read_weights(path).items() if not key.startswith(classifiers)}
    weights.require_matching(net.state_dict(), state)
    return state


def _probe(variant: str, net: Any, *, bands: int) -> tuple[int, bool]:
    """Find the multiple to which image sizes must be padded, and whether feature maps are channels-last.

    Both are found by running the model on small images. Most models need a multiple of the stride, some need twice that
    (2 x 2 attention), and others need a multiple of the window size that divides their default image size.
    """
    stride = max(net.feature_info.reduction())
    own = net.pretrained_cfg.get("input_size", (3, 0, 0))[1]
    trials = [(stride, TRIAL_STRIDES), (2 * stride, TRIAL_STRIDES), *([(own, 2)] if own and own % stride == 0 else [])]
    net.eval()
    for multiple, length in trials:
        channels_last = _channels_last(net, bands, multiple, multiple * length)
        if channels_last is not None:
            net.train()
            return multiple, channels_last
    raise ConfigError(
        f"{variant} cannot be used as a backbone: it does not accept images of any size, or crops their borders",
        "use a convolutional model, for instance resnet50, convnext_tiny or efficientnet_b0",
    )


@torch.no_grad()
def _channels_last(net: Any, bands: int, height: int, width: int) -> bool | None:
    """Return whether feature maps are channels-last; None if their shapes do not match the model's description."""
    info = net.feature_info
    try:
        maps = net(torch.zeros(1, bands, height, width, device=next(net.parameters()).device))
    except (AssertionError, IndexError, RuntimeError, ValueError):
        return None
    shapes = [tuple(each.shape[1:]) for each in maps]
    expected = [(c, height // s, width // s) for c, s in zip(info.channels(), info.reduction(), strict=True)]
    if shapes == expected:
        return False
    return True if shapes == [(rows, cols, channels) for channels, rows, cols in expected] else None
