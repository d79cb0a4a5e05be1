"""Build mmsegmentation's networks from the configurations in its package."""

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns about missing compiled operators and libraries of other networks
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
"""Names of datasets that differ from those of their classes."""


class Architecture(NamedTuple):
    """Properties that determine the network of a configuration and its classes."""

    head: str
    """Name of the head in papers."""
    backbone: str
    """Name of the backbone on mmsegmentation's pages, such as R-50-D8."""
    dataset: str
    """Dataset, which determines the meaning of the classes."""
    classes: int
    """Number of classes, which is the number of channels of the logits."""
    align_corners: bool
    """Whether corner pixels are aligned when features are resized."""


def configurations() -> Iterator[Path]:
    """Yield the configuration files on mmsegmentation's two DeepLab pages."""
    for family in FAMILIES:
        yield from sorted((CONFIGURATIONS / family).glob("*.py"))


def architecture(path: Path) -> Architecture:
    """Return the architecture of a configuration."""
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
    """Return the name of a backbone, which consists of R, depth, b for the plain stem, output stride and multi-grid."""
    output_stride = 4
    for stride in backbone.strides:
        output_stride *= stride
    grid = "".join(map(str, backbone.get("multi_grid") or ()))
    stem = "b" if backbone.type == "ResNet" else ""
    return f"R-{backbone.depth}{stem}-D{output_stride}" + (f"-MG{grid}" if grid else "")


def build(path: Path, *, auxiliary: bool = True) -> nn.Module:
    """Build the network of a configuration in training mode, with random weights and single-device batch norms."""
    text = Config.fromfile(path).pretty_text.replace("'SyncBN'", "'BN'")
    model = Config.fromstring(text, ".py").model
    model.pretrained = None
    if not auxiliary:
        model.auxiliary_head = None
    network: nn.Module = MODELS.build(model)
    return network


def about(path: Path) -> dict[str, Any]:
    """Return the ``meta`` of a checkpoint from training with this configuration."""
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
    """Convert class indices (batch, row, col) to mmsegmentation's training samples."""
    return [SegDataSample(gt_sem_seg=PixelData(data=each[None])) for each in target]


class Logits(nn.Module):
    """Module that maps images (batch, band, row, col) to logits of the same size, as in mmsegmentation's whole mode."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, class, row, col)."""
        logits: Tensor = self.network.encode_decode(images, [{"img_shape": images.shape[2:]}])
        return logits


def randomise(network: nn.Module, *, seed: int) -> None:
    """Set random weights and running statistics so that none is 0 or 1 and logits are on the order of 1."""
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
            # Small at the end of residual branches; otherwise, each block would double the activations.
            (block.norm3 if isinstance(block, Bottleneck) else block.norm2).weight /= 5


def parts_of(network: nn.Module, *kinds: type) -> list[Any]:
    """Return the modules of these types."""
    return [module for module in network.modules() if isinstance(module, kinds)]


def pictures(count: int, size: tuple[int, int], *, generator: torch.Generator) -> Tensor:
    """Return noise (count, 3, row, col) around a different color in each image, so that image-level pooling differs."""
    noise = torch.randn(count, 3, *size, generator=generator)
    return noise + torch.randn(count, 3, 1, 1, generator=generator)
