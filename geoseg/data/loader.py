"""Crops to batches: cutting and changing happens in worker processes, in an order that does not depend on them."""

import signal
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from geoseg.data.crop import Crop, cut
from geoseg.data.prepared import PreparedScene
from geoseg.data.samplers.base import Sampler

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


def batches(crops: Crops, *, batch: int, workers: int, pin_memory: bool = False) -> DataLoader[Crop]:
    """Batches of crops in the order of their places; a batch is a :class:`Crop` whose fields are stacked."""
    return DataLoader(
        crops,
        batch_size=batch,
        num_workers=workers,
        pin_memory=pin_memory,
        worker_init_fn=_begin,
    )


def _begin(worker: int) -> None:  # noqa: ARG001 (torch passes the worker's number)
    """Workers leave it to their parent to obey signals, which often reach every process: it may want one more batch."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "alarm"):
        signal.signal(signal.SIGTERM, lambda *_: signal.alarm(GRACE))
