"""Datasets and batches of crops. Their order and content do not depend on the number of worker processes."""

import signal
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from geoseg.data.crops.read_crop import Crop, cut_crop
from geoseg.data.crops.samplers.base import Sampler
from geoseg.data.preparation.prepared_dataset import PreparedScene
from geoseg.errors import GeosegError

CropTransform = Callable[[Tensor, Tensor, Tensor, np.random.Generator], tuple[Tensor, Tensor, Tensor]]
"""Random transform of image, target and validity of one crop; its only source of randomness is the generator."""

TERMINATION_GRACE_S = 10
"""Seconds after SIGTERM at which a worker ends itself, unless its parent ends it before."""


class CropDataset(Dataset[Crop]):
    """Crops of prepared scenes by number, as a sampler plans them.

    A crop depends on its number and the seed only, not on the process that cuts it or on earlier crops.

    Args:
        scenes: Scenes of the sampler.
        sampler: Plans each crop.
        numbers: Number of the crop at each position of the dataset.
        transform: Random transform of each crop; None for none.
        seed: Seed of the transforms.
    """

    def __init__(
        self,
        scenes: Sequence[PreparedScene],
        sampler: Sampler,
        numbers: Sequence[int],
        *,
        transform: CropTransform | None = None,
        seed: int = 0,
    ) -> None:
        self.scenes, self.sampler, self.numbers = scenes, sampler, numbers
        self.transform, self.seed = transform, seed

    def __len__(self) -> int:
        """Return the number of crops."""
        return len(self.numbers)

    def __getitem__(self, index: int) -> Crop:
        """Return the crop at a position of ``numbers``."""
        number = self.numbers[index]
        plan = self.sampler.plan(number)
        crop = cut_crop(self.scenes[plan.scene], plan)
        if self.transform is None:
            return crop
        return Crop(*self.transform(*crop, np.random.default_rng((self.seed, number, 1))))


class CropLoader:
    """Batches of a dataset of crops, in its order; a batch is a :class:`Crop` whose fields are stacked.

    A :class:`GeosegError` in a worker process is raised in this process unchanged, without the worker's traceback.

    Args:
        crops: The crops.
        batch: Crops per batch; the last batch may be smaller.
        workers: Number of worker processes; 0 cuts crops in this process.
        pin_memory: Copy batches to pinned memory, for fast transfer to a GPU.
    """

    def __init__(self, crops: CropDataset, *, batch: int, workers: int, pin_memory: bool = False) -> None:
        self._loader = DataLoader(
            _CropOrError(crops),
            batch_size=batch,
            num_workers=workers,
            pin_memory=pin_memory,
            worker_init_fn=_init_worker,
            collate_fn=_collate,
        )

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._loader)

    def __iter__(self) -> Iterator[Crop]:
        """Return the batches. Worker processes start now and end with the iterator."""
        # Not in the generator, which starts later: the iterator draws one of torch's random numbers, which would
        # otherwise belong to a training step.
        return _raise_errors(iter(self._loader))


def _raise_errors(batches: Iterator[Crop | GeosegError]) -> Iterator[Crop]:
    """Yield the batches up to the first error, and raise it."""
    try:
        while (batch := next(batches, None)) is not None:
            if isinstance(batch, GeosegError):
                raise batch
            yield batch
    finally:
        del batches  # the traceback of an error would keep it alive, and with it the workers


class _CropOrError(Dataset[Crop | GeosegError]):
    """Crops, with errors returned as values."""

    def __init__(self, crops: CropDataset) -> None:
        self.crops = crops

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: int) -> Crop | GeosegError:
        try:
            return self.crops[index]
        except GeosegError as error:
            return error


def _collate(crops: list[Crop | GeosegError]) -> Crop | GeosegError:
    """Return a batch, or the first error."""
    error = next((crop for crop in crops if isinstance(crop, GeosegError)), None)
    batch: Crop | GeosegError = error or default_collate(crops)
    return batch


def _init_worker(worker: int) -> None:  # noqa: ARG001 (torch passes the worker's number)
    """Ignore signals that are also sent to the parent, which may need one more batch before it ends the workers."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "alarm"):
        signal.signal(signal.SIGTERM, lambda *_: signal.alarm(TERMINATION_GRACE_S))
