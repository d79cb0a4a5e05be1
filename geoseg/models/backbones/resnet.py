"""The zoo's dilated ResNets: stages keep their resolution and widen their view instead.

He et al. 2016 (arXiv 1512.03385) with the stem of He et al. 2019 (arXiv 1812.01187, "ResNet-C") and the dilations of
Chen et al. 2017 (arXiv 1706.05587). Weights keep timm's parameter names. The rules below are OpenMMLab's, whose
published checkpoints therefore fit:

* ``resnet50`` has three 3 x 3 convolutions as its stem (v1c), ``resnet50b`` a single 7 x 7 one.
* A stage that would halve the resolution below the output stride doubles the dilation instead; its first block still
  has the dilation of the stage before.
* Bottlenecks dilate their 3 x 3 convolution; basic blocks their first convolution only, where timm dilates both.
* ``multi_grid`` gives the dilations of the last stage's blocks as they are, not as factors.
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
from geoseg.models.weights.openmmlab_names import to_geoseg


class Variant(NamedTuple):
    """One row of the table below."""

    block: Any
    """Residual block."""
    blocks: tuple[int, int, int, int]
    """Blocks per stage."""
    stem: str
    """timm's word for the stem: ``deep`` is three 3 x 3 convolutions, nothing a 7 x 7 one."""
    hub: str | None
    """timm's name for ImageNet weights of exactly this network."""


VARIANTS = {
    "resnet18": Variant(BasicBlock, (2, 2, 2, 2), "deep", None),
    "resnet34": Variant(BasicBlock, (3, 4, 6, 3), "deep", None),
    "resnet50": Variant(Bottleneck, (3, 4, 6, 3), "deep", "resnet50c.gluon_in1k"),
    "resnet101": Variant(Bottleneck, (3, 4, 23, 3), "deep", "resnet101c.gluon_in1k"),
    "resnet18b": Variant(BasicBlock, (2, 2, 2, 2), "", "resnet18.tv_in1k"),
    "resnet34b": Variant(BasicBlock, (3, 4, 6, 3), "", "resnet34.tv_in1k"),
    "resnet50b": Variant(Bottleneck, (3, 4, 6, 3), "", "resnet50.tv_in1k"),
    "resnet101b": Variant(Bottleneck, (3, 4, 23, 3), "", "resnet101.tv_in1k"),
    "resnet152b": Variant(Bottleneck, (3, 8, 36, 3), "", "resnet152.tv_in1k"),
}
"""The zoo's names. They hide timm's networks of the same name (``resnet50b`` is what timm calls ``resnet50``)."""

STAGES = {8: ((1, 2, 1, 1), (1, 1, 2, 4)), 16: ((1, 2, 2, 1), (1, 1, 1, 2))}
"""Stride and dilation of the four stages, by output stride."""


@backbones.register
class ZooResNet(Backbone):
    """A dilated ResNet with the four stages as features: strides 4, 8, 8, 8 or 4, 8, 16, 16.

    Without pretrained weights, convolutions start as Kaiming normal (fan out) and the last norm of each residual branch
    at zero, so that every block begins as the identity (Goyal et al. 2017, arXiv 1706.02677, section 5.1), or at one
    without ``zero_init_residual``, so that every block takes part from the first step.
    """

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
            dilate(stage, block_dilations(len(stage), dilation))
        if multi_grid is not None:
            dilate(self.layer4, _checked_multi_grid(multi_grid, variant, len(self.layer4)))

        self.channels = tuple(planes * block.expansion for planes in (64, 128, 256, 512))
        self.strides = tuple(4 * stride for stride in accumulate(strides, mul))
        if pretrained:
            state = weights.read(pretrained) if isinstance(pretrained, Path) else weights.download(variant, hub)
            weights.load(self, to_geoseg(state), first="conv1.0.weight" if stem else "conv1.weight")

    @property
    def stages(self) -> tuple[nn.Sequential, ...]:
        """The four stages, finest first."""
        return self.layer1, self.layer2, self.layer3, self.layer4

    def forward(self, images: Float[Tensor, "batch band row col"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """The outputs of the four stages."""
        features = self.maxpool(self.act1(self.bn1(self.conv1(images))))
        outputs = []
        for stage in self.stages:
            features = stage(features)
            outputs.append(features)
        return outputs


def block_dilations(blocks: int, dilation: int) -> list[int]:
    """The dilation of each block of a stage: the first block sees what the stage before left, hence half of it."""
    return [max(1, dilation // 2)] + [dilation] * (blocks - 1)


def dilate(stage: nn.Sequential, dilations: Sequence[int]) -> None:
    """Sets the dilation of each block of a stage, whatever timm had set, keeping height and width."""
    block: Any
    for block, dilation in zip(stage, dilations, strict=True):
        first, second = (1, dilation) if isinstance(block, Bottleneck) else (dilation, 1)
        for conv, steps in ((block.conv1, first), (block.conv2, second)):
            conv.dilation = (steps, steps)
            conv.padding = tuple(steps * (side // 2) for side in conv.kernel_size)


def _checked_multi_grid(multi_grid: Sequence[int], variant: str, blocks: int) -> Sequence[int]:
    if len(multi_grid) != blocks or min(multi_grid) < 1:
        raise ConfigError(
            f"multi_grid {list(multi_grid)} does not suit {variant}",
            f"its last stage has {blocks} blocks: give {blocks} dilations of at least 1",
        )
    return multi_grid
