"""Crops to batches: cutting and changing happens in worker processes, in an order that does not depend on them."""

import signal
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from geoseg.data.crops.crop import Crop, cut
from geoseg.data.crops.samplers.base import Sampler
from geoseg.data.preparation.prepared_dataset import PreparedScene
from geoseg.errors import GeosegError

Change = Callable[[Tensor, Tensor, Tensor, np.random.Generator], tuple[Tensor, Tensor, Tensor]]
"""Changes image, target and validity of one crop at random; all randomness comes from the generator."""


GRACE = 10
"""Seconds a worker lives on after SIGTERM, unless its parent ends it before."""


class Crops(Dataset[Crop]):
    """Crops of a sampler by their ``numbers``. Crop n is the same whoever cuts it, whenever."""

    def __init__(
        self,
        scenes: Sequence[PreparedScene],
        sampler: Sampler,
        numbers: Sequence[int],
        *,
        change: Change | None = None,
        seed: int = 0,
    ) -> None:
        self.scenes, self.sampler, self.numbers, self.change, self.seed = scenes, sampler, numbers, change, seed

    def __len__(self) -> int:
        """How many crops there are."""
        return len(self.numbers)

    def __getitem__(self, place: int) -> Crop:
        """The crop at a place of ``numbers``, changed with random numbers that belong to it alone."""
        number = self.numbers[place]
        plan = self.sampler.plan(number)
        crop = cut(self.scenes[plan.scene], plan)
        if self.change is None:
            return crop
        return Crop(*self.change(*crop, np.random.default_rng((self.seed, number, 1))))


class Batches:
    """Batches of crops in the order of their places; a batch is a :class:`Crop` whose fields are stacked.

    What goes wrong with a crop in a worker is raised here as it is, not wrapped in a worker's traceback.
    """

    def __init__(self, crops: Crops, *, batch: int, workers: int, pin_memory: bool = False) -> None:
        self._loader = DataLoader(
            _Told(crops),
            batch_size=batch,
            num_workers=workers,
            pin_memory=pin_memory,
            worker_init_fn=_begin,
            collate_fn=_stacked,
        )

    def __len__(self) -> int:
        """How many batches there are."""
        return len(self._loader)

    def __iter__(self) -> Iterator[Crop]:
        """The batches; the workers begin now and end with the iterator."""
        return _raised(iter(self._loader))  # at once: it takes a random number of torch's, which later belong to a step


def _raised(batches: Iterator[Crop | GeosegError]) -> Iterator[Crop]:
    """The batches, until one is an error, which is raised."""
    try:
        while (batch := next(batches, None)) is not None:
            if isinstance(batch, GeosegError):
                raise batch
            yield batch
    finally:
        del batches  # the traceback of an error would keep it, and with it the workers


class _Told(Dataset[Crop | GeosegError]):
    """Crops, or as a value the error that came instead."""

    def __init__(self, crops: Crops) -> None:
        self.crops = crops

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, place: int) -> Crop | GeosegError:
        try:
            return self.crops[place]
        except GeosegError as error:
            return error


def _stacked(crops: list[Crop | GeosegError]) -> Crop | GeosegError:
    """A batch, or the first error."""
    error = next((crop for crop in crops if isinstance(crop, GeosegError)), None)
    batch: Crop | GeosegError = error or default_collate(crops)
    return batch


def _begin(worker: int) -> None:  # noqa: ARG001 (torch passes the worker's number)
    """Workers leave it to their parent to obey signals, which often reach every process: it may want one more batch."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "alarm"):
        signal.signal(signal.SIGTERM, lambda *_: signal.alarm(GRACE))
