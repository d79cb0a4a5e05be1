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
"""Random transform of the image, target and validity mask of one crop; its only source of randomness is the generator."""

TERMINATION_GRACE_S = 10
"""Number of seconds after SIGTERM until a worker exits on its own, unless its parent terminates it first."""


class CropDataset(Dataset[Crop]):
    """Numbered crops of prepared scenes, as planned by a sampler.

    A crop depends only on its number and the seed, not on the process that reads it or on earlier crops.

    Args:
        scenes: The prepared scenes, in the same order as in the sampler.
        sampler: Sampler that plans each crop.
        numbers: Crop number at each position of the dataset.
        transform: Random transform applied to each crop, or None.
        seed: Random seed for the transforms.
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
    """Batches of a crop dataset, in order; a batch is a :class:`Crop` with stacked fields.

    A :class:`GeosegError` in a worker process is raised in this process unchanged, without the worker's traceback.

    Args:
        crops: The crops.
        batch: Crops per batch; the last batch may be smaller.
        workers: Number of worker processes; with 0, crops are read in this process.
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
        """Return an iterator over the batches. Worker processes start immediately and end with the iterator."""
        # The iterator is not created in the generator, which starts later: creating it draws a random number from torch,
        # which would otherwise be drawn during a training step.
        return _raise_errors(iter(self._loader))


def _raise_errors(batches: Iterator[Crop | GeosegError]) -> Iterator[Crop]:
    """Yield the batches up to the first error, and raise that error."""
    try:
        while (batch := next(batches, None)) is not None:
            if isinstance(batch, GeosegError):
                raise batch
            yield batch
    finally:
        del batches  # otherwise the traceback of an error would keep it and the workers alive


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
    """Ignore signals that are also sent to the parent, which may need one more batch before it terminates the workers."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "alarm"):
        signal.signal(signal.SIGTERM, lambda *_: signal.alarm(TERMINATION_GRACE_S))
