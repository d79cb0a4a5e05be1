"""The crops of a training: which one comes when, for each of the processes that share the work."""

from collections.abc import Sequence
from typing import overload

import torch

from geoseg.augment import Augmentation
from geoseg.config.recipe import Recipe
from geoseg.data.crops.loader import Batches, Crops
from geoseg.data.crops.samplers import samplers
from geoseg.data.preparation.prepared_dataset import Prepared
from geoseg.errors import DataError
from geoseg.grid.window import Window

RGB = ("red", "green", "blue")
NAMED = 4
"""So many crops are named in a message before they are only counted."""


class Share(Sequence[int]):
    """The numbers of the crops that one process cuts, in its order, from iteration ``done`` to the last.

    Iteration k trains on the crops from k * batch on. Of these, process r of n takes number r, r + n, r + 2n …: whatever
    n is, the crops of an iteration are the same.
    """

    def __init__(self, iterations: int, batch: int, *, rank: int = 0, processes: int = 1, done: int = 0) -> None:
        self.batch, self.rank, self.processes, self.done = batch, rank, processes, done
        self.each = batch // processes
        self.length = (iterations - done) * self.each

    def __len__(self) -> int:
        """How many there are."""
        return self.length

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> "list[int]": ...
    def __getitem__(self, place: int | slice) -> "int | list[int]":
        """The number of the crop at a place."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(self.length))]
        if not 0 <= place < self.length:
            raise IndexError(place)
        step, within = divmod(place, self.each)
        return (self.done + step) * self.batch + within * self.processes + self.rank


class TrainingCrops:
    """Makes the crops of a recipe for one process."""

    def __init__(self, recipe: Recipe, prepared: Prepared, *, rank: int = 0, processes: int = 1) -> None:
        self.recipe, self.rank, self.processes = recipe, rank, processes
        train = recipe.train
        self.scenes = prepared.scenes("train")
        given = {"scenes": self.scenes, "size": train.crop, "scale": recipe.augment.scale, "seed": train.seed}
        given["classes"] = prepared.legend.names
        self.sampler = samplers.build(train.sampler.name, train.sampler.options, **given)
        self.change = augmentation(recipe, prepared)

    def loader(self, done: int) -> Batches:
        """Micro-batches from iteration ``done`` on."""
        train = self.recipe.train
        share = Share(train.iterations, train.batch, rank=self.rank, processes=self.processes, done=done)
        crops = Crops(self.scenes, self.sampler, share, change=self.change, seed=train.seed)
        batch = share.each // train.accumulate
        return Batches(crops, batch=batch, workers=train.workers, pin_memory=torch.cuda.is_available())

    def named(self, iteration: int) -> str:
        """The scenes and windows of an iteration's crops, for a message."""
        batch = self.recipe.train.batch
        plans = [self.sampler.plan(number) for number in range(iteration * batch, (iteration + 1) * batch)]
        texts = [f"{self.scenes[plan.scene].name} {_window(plan.window)}" for plan in plans]
        more = len(texts) - NAMED
        return "; ".join(texts[:NAMED]) + (f" and {more} more" if more > 0 else "")


def require_colours(recipe: Recipe, prepared: Prepared) -> None:
    """:class:`DataError` if the recipe's changes of colour are not for such bands."""
    if recipe.augment.photometric == "zoo" and (len(prepared.bands) != len(RGB) or prepared.dtype != "uint8"):
        raise DataError(
            f"the data have {len(prepared.bands)} bands of {prepared.dtype}, and the zoo changes colours of three of 8 bit",
            "--set augment.photometric=linear",
        )


def augmentation(recipe: Recipe, prepared: Prepared) -> Augmentation:
    """The random changes of a recipe, in the range of values that the data have. See :func:`require_colours`."""
    smallest, largest = 0.0, 255.0
    if prepared.dtype != "uint8":
        smallest = min(band.minimum for band in prepared.statistics)
        largest = max(band.maximum for band in prepared.statistics)
    return Augmentation(recipe.augment, smallest=smallest, largest=largest, is_rgb=prepared.bands == RGB)


def _window(window: Window) -> str:
    return f"(row {window.row}, column {window.col}, {window.height} x {window.width} pixels)"
