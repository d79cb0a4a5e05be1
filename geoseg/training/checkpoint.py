"""A run as it stands after some iteration, in one file that is whole or not there; and back.

Crops and every random number of an iteration follow from its number and the seed. So weights, the optimiser's memory and
the number say all, and a run that goes on from here ends as if nothing had happened.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geoseg._files import output_errors, part_path, remove
from geoseg.config.recipe import Recipe
from geoseg.errors import BundleError, ConfigError, DataError

NAME = "last.ckpt"
"""What the file is called in a run's folder."""

FORMAT = 1

FREE = {
    "name", "description", "data.root", "data.prepared",
    "train.device", "train.workers", "train.checkpoint_every", "train.loggers",
}  # fmt: skip
"""What may differ when a run goes on: nothing of it changes what is computed (a device, its last digits)."""


@dataclass
class Standing:
    """How far a run is."""

    iteration: int = 0
    """Optimiser steps done."""
    best: float | None = None
    """The monitored score of the best bundle so far."""
    best_iteration: int = 0
    """When that was."""
    waited: int = 0
    """Validations since then."""


@dataclass
class Checkpoint:
    """All that a run needs to go on."""

    recipe: Mapping[str, Any]
    """The recipe as resolved."""
    data: str
    """Fingerprint of the prepared data."""
    standing: Standing
    """How far it is."""
    network: Mapping[str, Tensor]
    """Weights."""
    optimizer: Mapping[str, Any]
    """Momentum and the like."""
    average: Mapping[str, Tensor] | None = None
    """Averaged weights, if the recipe wants them."""
    precision: Mapping[str, Any] = field(default_factory=dict)
    """The scale of float16's gradients."""
    finished: bool = False
    """True if there is nothing left to do."""

    def save(self, run: Path) -> None:
        """Writes the file into a run's folder; :class:`OutputError` if there is no room. An older one stays till then."""
        path = run / NAME
        part = part_path(path)
        content = {"format": FORMAT, **{name: getattr(self, name) for name in self.__dataclass_fields__}}
        content["standing"] = asdict(self.standing)
        try:
            with output_errors(path):
                with part.open("wb") as file:
                    torch.save(content, file)
                    file.flush()
                    os.fsync(file.fileno())  # or a power failure might leave the new name with nothing in it
                part.replace(path)
        except RuntimeError as error:  # in which torch wraps what the system says of a full disk
            with output_errors(path):
                raise _system_error(error) from None
        finally:
            remove(part)

    @classmethod
    def load(cls, run: Path) -> "Checkpoint":
        """The checkpoint in a run's folder; :class:`BundleError` if there is none, or it cannot be read."""
        path = run / NAME
        if not path.is_file():
            raise BundleError(f"{run} has no {NAME} to go on from", "start it again without --resume")
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            if content.pop("format") != FORMAT:
                raise ValueError("another version")  # noqa: TRY301 - told below, as all else
            return cls(**{**content, "standing": Standing(**content["standing"])})
        except Exception:
            # A damaged file fails in whatever way its bytes happen to; nothing of it was run.
            raise BundleError(
                f"{path} cannot be read", "it is damaged, or made by another version; start a new run: --fresh"
            ) from None

    def require_same(self, recipe: Recipe, data: str) -> None:
        """:class:`ConfigError` or :class:`DataError` that names what has changed since, if it changes the outcome."""
        changed = sorted(_different(self.recipe, recipe.model_dump(mode="json")) - FREE)
        if changed:
            raise ConfigError(
                f"the recipe has changed since the run was interrupted: {', '.join(changed)}",
                "give it the old value, or start a new run: --fresh",
            )
        if self.data != data:
            raise DataError("the training data has changed since the run was interrupted", "start a new run: --fresh")


def _system_error(error: RuntimeError) -> OSError:
    cause = error.__cause__ or error.__context__
    return cause if isinstance(cause, OSError) else OSError(str(error).splitlines()[0])


def _different(one: Any, other: Any, at: str = "") -> set[str]:
    """Dotted names of the values in which two nested mappings differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = {*one, *other}
        return set().union(*(_different(one.get(key), other.get(key), f"{at}.{key}".lstrip(".")) for key in keys))
    return set() if one == other else {at}
