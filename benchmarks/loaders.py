"""Build loaders for training crops of the same scenes with geoseg, mmsegmentation and torchgeo.

All loaders rescale by a factor of 0.5 to 2, cut crops of 512 x 512 pixels, and flip them horizontally with probability
1/2. With ``colours``, they also change brightness, contrast, saturation and hue within the same ranges, each with
probability 1/2.
"""

import itertools
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils.data import Dataset, default_collate
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize

from geoseg.augment import Augmentation
from geoseg.config.recipe import Recipe
from geoseg.data.crops.loader import CropDataset
from geoseg.data.crops.samplers import samplers
from geoseg.data.preparation.prepared_dataset import PreparedDataset

with warnings.catch_warnings():
    warnings.simplefilter(
        "ignore"
    )  # about mmsegmentation's missing compiled operators and torchgeo's deprecated modules
    import kornia.augmentation as K
    import peer
    from mmengine.config import Config
    from mmengine.dataset import pseudo_collate
    from mmseg.registry import DATASETS
    from torchgeo.datasets import RasterDataset
    from torchgeo.samplers import RandomGeoSampler

SIZE = 512
STILL = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0}


class Side(NamedTuple):
    """Crops by key, for a DataLoader."""

    crops: Dataset[Any]
    """Dataset that returns a crop for a key."""
    keys: Callable[[int], Sequence[Any]]
    """Function that returns the keys of a number of crops."""
    collate: Callable[[list[Any]], Any] = default_collate
    """Function that collates a batch."""


def geoseg_side(prepared: PreparedDataset, recipe: Recipe, *, seed: int, colours: bool, pieces: str = "isprs") -> Side:
    """Return the sampler and augmentation of the recipe; with ``pieces="scene"``, crops can cross published patches."""
    section = recipe.augment if colours else recipe.augment.model_copy(update=STILL)
    scenes = prepared.scenes("train")
    given = {"scenes": scenes, "size": SIZE, "scale": section.scale, "seed": seed, "classes": prepared.legend.names}
    sampler = samplers.build("random", {"pieces": pieces}, **given)
    change = Augmentation(section, largest=255.0, is_rgb=True)
    return Side(CropDataset(scenes, sampler, range(10**9), transform=change, seed=seed), range)


def mmsegmentation_side(folder: Path, *, seed: int, colours: bool) -> Side:
    """Return the pipeline of OpenMMLab's Potsdam configurations, which is read from their common base file."""
    described = Config.fromfile(peer.CONFIGURATIONS / "_base_" / "datasets" / "potsdam.py").train_dataloader.dataset
    described.data_root = str(folder)
    if not colours:
        described.pipeline = [step for step in described.pipeline if step.type != "PhotoMetricDistortion"]
    described.pipeline[1].pop("reduce_zero_label")  # the dataset also sets it, and warns about duplicates
    crops = DATASETS.build(described)
    order = torch.Generator().manual_seed(seed)
    return Side(crops, lambda count: torch.randint(len(crops), (count,), generator=order).tolist(), pseudo_collate)


class Masks(RasterDataset):
    """Rasters of class indices."""

    is_image = False


class MagnifyingSampler(RandomGeoSampler):
    """torchgeo's sampler with random rescaling: windows cover the same area on the ground as a rescaled crop."""

    def __iter__(self) -> Any:
        """Yield boxes; the size of each box is drawn after the previous one has been yielded."""
        for box in super().__iter__():
            yield box
            magnification = float(torch.empty(1).uniform_(0.5, 2, generator=self.generator))
            self.size = (round(SIZE / magnification) * self.res[1], round(SIZE / magnification) * self.res[0])


def torchgeo_side(prepared: PreparedDataset, *, seed: int, colours: bool) -> Side:
    """Return RasterDatasets of the prepared images and masks; torchvision resizes windows, and kornia augments them."""
    crops = RasterDataset(prepared.folder / "images") & Masks(prepared.folder / "masks")
    crops.transforms = Change(colours=colours)
    order = torch.Generator().manual_seed(seed)
    return Side(crops, lambda count: [*itertools.islice(MagnifyingSampler(crops, SIZE, count, generator=order), count)])


class Change:
    """Transform for a window: antialiased bilinear resampling to the size of a crop, then augmentation with kornia."""

    def __init__(self, *, colours: bool) -> None:
        changes = [K.RandomHorizontalFlip(p=0.5)]
        if colours:  # as in mmsegmentation: brightness is added, contrast is multiplied, and the rest is changed in HSV
            changes += [K.RandomBrightness((0.875, 1.125), p=0.5), K.RandomContrast((0.5, 1.5), p=0.5)]
            changes += [K.RandomSaturation((0.5, 1.5), p=0.5), K.RandomHue((-0.1, 0.1), p=0.5)]
        self.changes = K.AugmentationSequential(*changes, data_keys=None, keepdim=True)

    def __call__(self, sample: dict[str, Any]) -> dict[str, Any]:
        """Return the image (0 to 1) and the mask of a crop."""
        image = resize(sample["image"] / 255, [SIZE, SIZE], InterpolationMode.BILINEAR, antialias=True)
        mask = resize(sample["mask"][None].float(), [SIZE, SIZE], InterpolationMode.NEAREST_EXACT)
        changed: dict[str, Any] = self.changes({"image": image, "mask": mask})
        return changed
