"""OpenMMLab's dilated ResNets: the last stages use dilated convolutions instead of strides.

He et al. 2016 (arXiv 1512.03385) with the stem of He et al. 2019 (arXiv 1812.01187, "ResNet-C") and the dilations of
Chen et al. 2017 (arXiv 1706.05587). Parameters have timm's names. The following rules match mmsegmentation, so that its
published checkpoints can be loaded:

* ``resnet50`` has a stem of three 3 x 3 convolutions (v1c), ``resnet50b`` a single 7 x 7 convolution.
* A stage that would exceed the output stride doubles its dilation instead of its stride. Its first block has the
  dilation of the previous stage.
* In bottlenecks, the 3 x 3 convolution is dilated. In basic blocks, only the first convolution is dilated, whereas timm
  dilates both.
* ``multi_grid`` sets the absolute dilations of the blocks in the last stage, not factors.
"""

from collections.abc import Sequence
from itertools import accumulate
from operator import mul
from pathlib import Path
from typing import Any, NamedTuple

from jaxtyping import Float
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn

from geoseg.errors import ConfigError
from geoseg.models.backbones import backbones
from geoseg.models.backbones.base import Backbone
from geoseg.models.weights import pretrained as weights
from geoseg.models.weights.openmmlab_names import to_geoseg_names


class ResNetVariant(NamedTuple):
    """A ResNet in the table :data:`VARIANTS`."""

    block: Any
    """Class of the residual blocks."""
    blocks: tuple[int, int, int, int]
    """Number of blocks per stage."""
    stem: str
    """timm's name for the stem: ``deep`` is three 3 x 3 convolutions, an empty string is a 7 x 7 convolution."""
    hub: str | None
    """timm's name for the ImageNet weights of this network; None if there are none."""


VARIANTS = {
    "resnet18": ResNetVariant(BasicBlock, (2, 2, 2, 2), "deep", None),
    "resnet34": ResNetVariant(BasicBlock, (3, 4, 6, 3), "deep", None),
    "resnet50": ResNetVariant(Bottleneck, (3, 4, 6, 3), "deep", "resnet50c.gluon_in1k"),
    "resnet101": ResNetVariant(Bottleneck, (3, 4, 23, 3), "deep", "resnet101c.gluon_in1k"),
    "resnet18b": ResNetVariant(BasicBlock, (2, 2, 2, 2), "", "resnet18.tv_in1k"),
    "resnet34b": ResNetVariant(BasicBlock, (3, 4, 6, 3), "", "resnet34.tv_in1k"),
    "resnet50b": ResNetVariant(Bottleneck, (3, 4, 6, 3), "", "resnet50.tv_in1k"),
    "resnet101b": ResNetVariant(Bottleneck, (3, 4, 23, 3), "", "resnet101.tv_in1k"),
    "resnet152b": ResNetVariant(Bottleneck, (3, 8, 36, 3), "", "resnet152.tv_in1k"),
}
"""Networks by name. These names take precedence over timm's (``resnet50b`` is called ``resnet50`` in timm)."""

STAGES = {8: ((1, 2, 1, 1), (1, 1, 2, 4)), 16: ((1, 2, 2, 1), (1, 1, 1, 2))}
"""Stride and dilation of the four stages, by output stride."""


@backbones.register
class DilatedResNet(Backbone):
    """A dilated ResNet whose features are the outputs of its four stages, with strides 4, 8, 8, 8 or 4, 8, 16, 16.

    Without pretrained weights, convolutions are initialized with Kaiming normal initialization (fan out).

    Args:
        variant: A key of :data:`VARIANTS`.
        bands: Number of bands of the images.
        output_stride: Stride of the deepest features, 8 or 16.
        multi_grid: Absolute dilations of the blocks in the last stage; None for the default rule.
        pretrained: True to download ImageNet weights, a path to read a file, or False to initialize randomly.
        zero_init_residual: Initialize the weights of the last batch norm in each residual branch to zero instead of one,
            so that every block starts as the identity (Goyal et al. 2017, arXiv 1706.02677, section 5.1).
    """

    is_defined_by_weights = True

    def __init__(
        self,
        *,
        variant: str,
        bands: int,
        output_stride: int,
        multi_grid: Sequence[int] | None = None,
        pretrained: bool | Path = False,
        zero_init_residual: bool = True,
    ) -> None:
        super().__init__()
        block, blocks, stem, hub = VARIANTS[variant]
        strides, dilations = STAGES[output_stride]
        net: Any = ResNet(
            block,
            blocks,
            in_chans=bands,
            num_classes=0,
            stem_type=stem,
            stem_width=32 if stem else 64,
            output_stride=output_stride,
            zero_init_last=zero_init_residual,
        )
        self.conv1, self.bn1, self.act1, self.maxpool = net.conv1, net.bn1, net.act1, net.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = net.layer1, net.layer2, net.layer3, net.layer4
        for stage, dilation in zip(self.stages, dilations, strict=True):
            set_dilations(stage, block_dilations(len(stage), dilation))
        if multi_grid is not None:
            set_dilations(self.layer4, _checked_multi_grid(multi_grid, variant, len(self.layer4)))

        self.channels = tuple(planes * block.expansion for planes in (64, 128, 256, 512))
        self.strides = tuple(4 * stride for stride in accumulate(strides, mul))
        if pretrained:
            if isinstance(pretrained, Path):
                state = weights.read_weights(pretrained)
            else:
                state = weights.download_imagenet(variant, hub)
            weights.load_backbone(self, to_geoseg_names(state), first="conv1.0.weight" if stem else "conv1.weight")

    @property
    def stages(self) -> tuple[nn.Sequential, ...]:
        """The four stages, finest first."""
        return self.layer1, self.layer2, self.layer3, self.layer4

    def forward(self, images: Float[Tensor, "batch band row col"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """Return the outputs of the four stages."""
        features = self.maxpool(self.act1(self.bn1(self.conv1(images))))
        outputs = []
        for stage in self.stages:
            features = stage(features)
            outputs.append(features)
        return outputs


def block_dilations(blocks: int, dilation: int) -> list[int]:
    """Return the dilation of each block in a stage; the first block has half of it, as in the previous stage."""
    return [max(1, dilation // 2)] + [dilation] * (blocks - 1)


def set_dilations(stage: nn.Sequential, dilations: Sequence[int]) -> None:
    """Set the dilation of each block in a stage; padding preserves the height and width."""
    block: Any
    for block, dilation in zip(stage, dilations, strict=True):
        first, second = (1, dilation) if isinstance(block, Bottleneck) else (dilation, 1)
        for conv, steps in ((block.conv1, first), (block.conv2, second)):
            conv.dilation = (steps, steps)
            conv.padding = tuple(steps * (side // 2) for side in conv.kernel_size)


def _checked_multi_grid(multi_grid: Sequence[int], variant: str, blocks: int) -> Sequence[int]:
    if len(multi_grid) != blocks or min(multi_grid) < 1:
        raise ConfigError(
            f"multi_grid {list(multi_grid)} does not fit {variant}",
            f"its last stage has {blocks} blocks: give {blocks} dilations of at least 1",
        )
    return multi_grid
