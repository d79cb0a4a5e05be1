"""Batches of training crops; their content does not depend on the number of processes."""

from collections.abc import Sequence
from typing import overload

import torch

from geoseg.config.recipe import Recipe
from geoseg.data.crops.build_augmentation import build_augmentation
from geoseg.data.crops.loader import CropDataset, CropLoader
from geoseg.data.crops.samplers import samplers
from geoseg.data.preparation.prepared_dataset import PreparedDataset
from geoseg.grid.window import Window

MAX_NAMED_CROPS = 4
"""Maximum number of crops that are described in a message."""


class CropNumbers(Sequence[int]):
    """The crop numbers of one process, in order, from iteration ``done`` to the last iteration.

    Iteration k trains on ``batch`` crops, starting with crop k * batch. Process r of n takes crops r, r + n, r + 2n,
    ... of these, so the crops of an iteration do not depend on n.

    Args:
        iterations: Number of iterations of the run.
        batch: Number of crops per iteration across all processes.
        rank: Index of the process.
        processes: Number of processes.
        done: Number of completed iterations.
    """

    def __init__(self, iterations: int, batch: int, *, rank: int = 0, processes: int = 1, done: int = 0) -> None:
        self.batch, self.rank, self.processes, self.done = batch, rank, processes, done
        self.each = batch // processes
        self.length = (iterations - done) * self.each

    def __len__(self) -> int:
        """Return the number of crops."""
        return self.length

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> "list[int]": ...
    def __getitem__(self, place: int | slice) -> "int | list[int]":
        """Return the crop number at an index."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(self.length))]
        if not 0 <= place < self.length:
            raise IndexError(f"index {place} is out of range for {self.length} crops")
        step, within = divmod(place, self.each)
        return (self.done + step) * self.batch + within * self.processes + self.rank


class TrainingCrops:
    """The training crops of one process, as defined by a recipe."""

    def __init__(self, recipe: Recipe, prepared: PreparedDataset, *, rank: int = 0, processes: int = 1) -> None:
        self.recipe, self.rank, self.processes = recipe, rank, processes
        train = recipe.train
        self.scenes = prepared.scenes("train")
        given = {"scenes": self.scenes, "size": train.crop, "scale": recipe.augment.scale, "seed": train.seed}
        given["classes"] = prepared.legend.names
        self.sampler = samplers.build(train.sampler.name, train.sampler.options, **given)
        self.change = build_augmentation(recipe.augment, prepared)

    def loader(self, done: int) -> CropLoader:
        """Return a loader of micro-batches, starting at iteration ``done``."""
        train = self.recipe.train
        numbers = CropNumbers(train.iterations, train.batch, rank=self.rank, processes=self.processes, done=done)
        crops = CropDataset(self.scenes, self.sampler, numbers, transform=self.change, seed=train.seed)
        batch = numbers.each // train.accumulate
        return CropLoader(crops, batch=batch, workers=train.workers, pin_memory=torch.cuda.is_available())

    def describe(self, iteration: int) -> str:
        """Describe the scenes and windows of the crops in an iteration, for messages."""
        batch = self.recipe.train.batch
        plans = [self.sampler.plan(number) for number in range(iteration * batch, (iteration + 1) * batch)]
        texts = [f"{self.scenes[plan.scene].name} {_window(plan.window)}" for plan in plans]
        more = len(texts) - MAX_NAMED_CROPS
        return "; ".join(texts[:MAX_NAMED_CROPS]) + (f" and {more} more" if more > 0 else "")


def _window(window: Window) -> str:
    return f"(row {window.row}, column {window.col}, {window.height} x {window.width} pixels)"
