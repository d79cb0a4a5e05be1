"""mmsegmentation's networks, built from the configurations of the zoo that it brings along."""

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it asks for compiled operators, and for libraries of other networks
    import mmseg
    from mmengine.config import Config
    from mmengine.structures import PixelData
    from mmseg.models.backbones.resnet import BasicBlock, Bottleneck
    from mmseg.registry import DATASETS, MODELS
    from mmseg.structures import SegDataSample
    from mmseg.utils import register_all_modules

    register_all_modules()

logging.getLogger("mmengine").setLevel(logging.ERROR)

CONFIGURATIONS = Path(mmseg.__file__).parent / ".mim" / "configs"
FAMILIES = {"deeplabv3": "DeepLabV3", "deeplabv3plus": "DeepLabV3+"}
"""Folders of configurations, and the names of their heads."""
SAID_OTHERWISE = {
    "COCOStuff": "COCO-Stuff",
    "ISPRS": "Vaihingen",
    "MapillaryDataset_v1": "Mapillary Vistas",
    "PascalContext": "Pascal Context",
    "PascalContextDataset59": "Pascal Context 59",
    "PascalVOC": "Pascal VOC",
}
"""Data sets whose class is not called as they are."""


class Architecture(NamedTuple):
    """What makes two configurations the same network for the same classes."""

    head: str
    """Its name in papers."""
    backbone: str
    """As the zoo's pages call it: R-50-D8."""
    dataset: str
    """The data set, which says what the classes mean."""
    classes: int
    """Channels of the logits."""
    align_corners: bool
    """How features are resized."""


def configurations() -> Iterator[Path]:
    """All files on the zoo's two pages."""
    for family in FAMILIES:
        yield from sorted((CONFIGURATIONS / family).glob("*.py"))


def architecture(path: Path) -> Architecture:
    """The architecture that a configuration describes."""
    config = Config.fromfile(path)
    head = config.model.decode_head
    dataset = config.dataset_type.removesuffix("Dataset")
    return Architecture(
        head=FAMILIES[path.parent.name],
        backbone=backbone_name(config.model.backbone),
        dataset=SAID_OTHERWISE.get(dataset, dataset),
        classes=head.num_classes,
        align_corners=head.align_corners,
    )


def backbone_name(backbone: Any) -> str:
    """R, depth, b for the plain stem, then the output stride and the multi-grid."""
    output_stride = 4
    for stride in backbone.strides:
        output_stride *= stride
    grid = "".join(map(str, backbone.get("multi_grid") or ()))
    stem = "b" if backbone.type == "ResNet" else ""
    return f"R-{backbone.depth}{stem}-D{output_stride}" + (f"-MG{grid}" if grid else "")


def build(path: Path, *, auxiliary: bool = True) -> nn.Module:
    """The network of a configuration, in training mode, with random weights and with norms for a single device."""
    text = Config.fromfile(path).pretty_text.replace("'SyncBN'", "'BN'")
    model = Config.fromstring(text, ".py").model
    model.pretrained = None
    if not auxiliary:
        model.auxiliary_head = None
    network: nn.Module = MODELS.build(model)
    return network


def about(path: Path) -> dict[str, Any]:
    """What a checkpoint's ``meta`` holds after a training with this configuration."""
    config = Config.fromfile(path)
    meta = DATASETS.get(config.dataset_type).METAINFO
    return {
        "cfg": config.pretty_text,
        "dataset_meta": {"classes": tuple(meta["classes"]), "palette": [list(colour) for colour in meta["palette"]]},
        "experiment_name": path.stem,
        "mmengine_version": "0.10.7",
        "seed": 0,
        "hook_msgs": {},
        "epoch": 0,
        "iter": 80000,
    }


def samples(target: Tensor) -> list[SegDataSample]:
    """Class indices (batch, row, col) as mmsegmentation wants them in training."""
    return [SegDataSample(gt_sem_seg=PixelData(data=each[None])) for each in target]


class Logits(nn.Module):
    """Images (batch, band, row, col) to logits of the same size, as mmsegmentation's whole-image mode does it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, class, row, col)."""
        logits: Tensor = self.network.encode_decode(images, [{"img_shape": images.shape[2:]}])
        return logits


def randomise(network: nn.Module, *, seed: int) -> None:
    """Weights and running statistics from the seed, such that none is 0 or 1 and that logits are of the order of 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.ndim == 4:
                tensor.normal_(std=(2 / tensor[0].numel()) ** 0.5, generator=generator)
                if tensor.shape[1] > 1:
                    tensor.sub_(tensor.mean((1, 2, 3), keepdim=True))
            elif tensor.ndim == 1:
                tensor.uniform_(-0.3, 0.3, generator=generator)
        for norm in parts_of(network, nn.BatchNorm2d):
            norm.weight += 1
            norm.running_var += 1
        for block in parts_of(network, BasicBlock, Bottleneck):
            # Small where a residual branch ends, or each block would double what the one before left.
            (block.norm3 if isinstance(block, Bottleneck) else block.norm2).weight /= 5


def parts_of(network: nn.Module, *kinds: type) -> list[Any]:
    """The modules of these kinds."""
    return [module for module in network.modules() if isinstance(module, kinds)]


def pictures(count: int, size: tuple[int, int], *, generator: torch.Generator) -> Tensor:
    """Noise (count, 3, row, col) about a colour of its own in each image, or pooling would find all images alike."""
    noise = torch.randn(count, 3, *size, generator=generator)
    return noise + torch.randn(count, 3, 1, 1, generator=generator)
