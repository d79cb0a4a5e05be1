"""Crops to batches: cutting and changing happens in worker processes, in an order that does not depend on them."""

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


class Crops(Dataset[Crop]):
    """Crops 0 … ``count`` - 1 of a sampler. Crop i is the same whoever cuts it, whenever."""

    def __init__(
        self,
        scenes: Sequence[PreparedScene],
        sampler: Sampler,
        count: int,
        *,
        change: Change | None = None,
        seed: int = 0,
    ) -> None:
        self.scenes, self.sampler, self.count, self.change, self.seed = scenes, sampler, count, change, seed

    def __len__(self) -> int:
        """Number of crops."""
        return self.count

    def __getitem__(self, number: int) -> Crop:
        """Crop ``number``, changed with random numbers that belong to it alone."""
        plan = self.sampler.plan(number)
        crop = cut(self.scenes[plan.scene], plan)
        if self.change is None:
            return crop
        return Crop(*self.change(*crop, np.random.default_rng((self.seed, number, 1))))


def batches(crops: Crops, *, batch: int, workers: int, pin_memory: bool = False) -> DataLoader[Crop]:
    """Batches of crops in order of their numbers; a batch is a :class:`Crop` whose fields are stacked."""
    return DataLoader(
        crops,
        batch_size=batch,
        num_workers=workers,
        pin_memory=pin_memory,
        persistent_workers=workers > 0,
        worker_init_fn=_single_threaded,
    )


def _single_threaded(worker: int) -> None:  # noqa: ARG001 (torch passes the worker's number)
    torch.set_num_threads(1)
