"""Three ways to training crops of the same scenes: geoseg, mmsegmentation, torchgeo, each as a side of a comparison.

All magnify by 0.5 to 2, cut 512 x 512 pixels and mirror left and right with probability 1/2. With ``colours`` they also
change brightness, contrast, saturation and hue by the same amounts, each with probability 1/2.
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
from geoseg.data.crops.loader import Crops
from geoseg.data.crops.samplers import samplers
from geoseg.data.preparation.prepared_dataset import Prepared

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # mmsegmentation misses compiled operators, torchgeo's modules deprecate each other
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
    """Crops by key, as a DataLoader takes them."""

    crops: Dataset[Any]
    """What gives a crop for a key."""
    keys: Callable[[int], Sequence[Any]]
    """The keys of so many crops."""
    collate: Callable[[list[Any]], Any] = default_collate
    """Makes a batch of them."""


def geoseg_side(prepared: Prepared, recipe: Recipe, *, seed: int, colours: bool, pieces: str = "isprs") -> Side:
    """The recipe's sampler and augmentation; ``pieces: scene`` cuts anywhere instead of inside published patches."""
    section = recipe.augment if colours else recipe.augment.model_copy(update=STILL)
    scenes = prepared.scenes("train")
    given = {"scenes": scenes, "size": SIZE, "scale": section.scale, "seed": seed, "classes": prepared.legend.names}
    sampler = samplers.build("random", {"pieces": pieces}, **given)
    change = Augmentation(section, largest=255.0, is_rgb=True)
    return Side(Crops(scenes, sampler, range(10**9), change=change, seed=seed), range)


def mmsegmentation_side(folder: Path, *, seed: int, colours: bool) -> Side:
    """The pipeline of the zoo's Potsdam configurations, read from the file they all share."""
    described = Config.fromfile(peer.CONFIGURATIONS / "_base_" / "datasets" / "potsdam.py").train_dataloader.dataset
    described.data_root = str(folder)
    if not colours:
        described.pipeline = [step for step in described.pipeline if step.type != "PhotoMetricDistortion"]
    described.pipeline[1].pop("reduce_zero_label")  # the data set says so too, and warns of being told twice
    crops = DATASETS.build(described)
    order = torch.Generator().manual_seed(seed)
    return Side(crops, lambda count: torch.randint(len(crops), (count,), generator=order).tolist(), pseudo_collate)


class Masks(RasterDataset):
    """Rasters of class indices."""

    is_image = False


class MagnifyingSampler(RandomGeoSampler):
    """torchgeo's sampler, whose windows are as large on the ground as a crop of a drawn magnification."""

    def __iter__(self) -> Any:
        """Boxes; each is drawn with the size that the one before it left."""
        for box in super().__iter__():
            yield box
            magnification = float(torch.empty(1).uniform_(0.5, 2, generator=self.generator))
            self.size = (round(SIZE / magnification) * self.res[1], round(SIZE / magnification) * self.res[0])


def torchgeo_side(prepared: Prepared, *, seed: int, colours: bool) -> Side:
    """RasterDatasets of the prepared images and masks, windows resized by torchvision and changed by kornia."""
    crops = RasterDataset(prepared.folder / "images") & Masks(prepared.folder / "masks")
    crops.transforms = Change(colours=colours)
    order = torch.Generator().manual_seed(seed)
    return Side(crops, lambda count: [*itertools.islice(MagnifyingSampler(crops, SIZE, count, generator=order), count)])


class Change:
    """What happens to a window: bilinear with antialiasing to the size of a crop, then kornia's changes."""

    def __init__(self, *, colours: bool) -> None:
        changes = [K.RandomHorizontalFlip(p=0.5)]
        if colours:  # kornia's are mmsegmentation's: brightness is added, contrast multiplied, the rest done in HSV
            changes += [K.RandomBrightness((0.875, 1.125), p=0.5), K.RandomContrast((0.5, 1.5), p=0.5)]
            changes += [K.RandomSaturation((0.5, 1.5), p=0.5), K.RandomHue((-0.1, 0.1), p=0.5)]
        self.changes = K.AugmentationSequential(*changes, data_keys=None, keepdim=True)

    def __call__(self, sample: dict[str, Any]) -> dict[str, Any]:
        """Image in 0 … 1 and mask of one crop."""
        image = resize(sample["image"] / 255, [SIZE, SIZE], InterpolationMode.BILINEAR, antialias=True)
        mask = resize(sample["mask"][None].float(), [SIZE, SIZE], InterpolationMode.NEAREST_EXACT)
        changed: dict[str, Any] = self.changes({"image": image, "mask": mask})
        return changed
