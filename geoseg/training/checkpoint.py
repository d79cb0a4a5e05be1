"""Save and load the checkpoint of a training run.

The crops and random numbers of an iteration depend only on the iteration number and the seed. Weights, optimizer state
and the iteration number are therefore sufficient to resume a run with the same result as an uninterrupted one.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geoseg._output_files import atomic_path, output_errors
from geoseg.config.recipe import Recipe, replace_renamed_values
from geoseg.errors import BundleError, ConfigError, DataError

CHECKPOINT_NAME = "last.ckpt"
"""File name of the checkpoint in a run folder."""

FORMAT = 1
"""Version of the file format."""

RESUMABLE_KEYS = {
    "name", "description", "data.root", "data.prepared",
    "train.device", "train.workers", "train.checkpoint_every", "train.loggers",
}  # fmt: skip
"""Recipe keys that may change before a run is resumed, because they do not affect the result."""


@dataclass
class RunState:
    """Progress of a run and its best score."""

    iteration: int = 0
    """Completed optimizer steps."""
    best: float | None = None
    """Monitored score of the best bundle; None if there is none."""
    best_iteration: int = 0
    """Iteration of the best bundle."""
    waited: int = 0
    """Number of validations since the best bundle was saved."""


@dataclass
class Checkpoint:
    """Everything needed to resume a run."""

    recipe: Mapping[str, Any]
    """The resolved recipe."""
    data: str
    """Digest of the prepared dataset."""
    state: RunState
    """Progress of the run. Stored under the key ``standing``."""
    network: Mapping[str, Tensor]
    """State dict of the network."""
    optimizer: Mapping[str, Any]
    """State dict of the optimizer."""
    average: Mapping[str, Tensor] | None = None
    """State dict of the averaged network, if the recipe uses an average."""
    precision: Mapping[str, Any] = field(default_factory=dict)
    """State of the gradient scaler for float16."""
    finished: bool = False
    """Whether training is complete."""

    def save(self, run: Path) -> None:
        """Write the checkpoint to a run folder; an older checkpoint is replaced only once the new one is complete.

        Raises:
            OutputError: If it cannot be written, for example because the disk is full.
        """
        path = run / CHECKPOINT_NAME
        content = {"format": FORMAT, **{name: getattr(self, name) for name in self.__dataclass_fields__}}
        content["standing"] = asdict(content.pop("state"))
        try:
            with output_errors(path), atomic_path(path, fsync=True) as temporary, temporary.open("wb") as file:
                torch.save(content, file)
        except RuntimeError as error:  # torch wraps the OSError of a full disk
            with output_errors(path):
                raise _system_error(error) from error

    @classmethod
    def load(cls, run: Path) -> "Checkpoint":
        """Read the checkpoint in a run folder.

        Raises:
            BundleError: If it does not exist or cannot be read.
        """
        path = run / CHECKPOINT_NAME
        if not path.is_file():
            raise BundleError(f"{run} has no {CHECKPOINT_NAME} to resume from", "run the command without --resume")
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            if content.pop("format") != FORMAT:
                raise ValueError("unsupported version")  # noqa: TRY301 - reported below
            return cls(state=RunState(**content.pop("standing")), **content)
        except Exception as error:
            # Loading a damaged file can raise any exception; no code from the file was run.
            raise BundleError(
                f"{path} cannot be read",
                "the file is damaged or was written by another version; use --fresh to start a new run",
            ) from error

    def require_same(self, recipe: Recipe, data: str) -> None:
        """Check that the recipe and the data match the checkpoint, except for keys that do not affect the result.

        Raises:
            ConfigError: If the recipe has changed.
            DataError: If the prepared dataset has changed.
        """
        saved = replace_renamed_values(self.recipe)
        changed = sorted(_differing_keys(saved, recipe.model_dump(mode="json")) - RESUMABLE_KEYS)
        if changed:
            raise ConfigError(
                f"the recipe has changed since the run was interrupted: {', '.join(changed)}",
                "restore the old value, or use --fresh to start a new run",
            )
        if self.data != data:
            raise DataError(
                "the training data has changed since the run was interrupted", "use --fresh to start a new run"
            )


def _system_error(error: RuntimeError) -> OSError:
    cause = error.__cause__ or error.__context__
    return cause if isinstance(cause, OSError) else OSError(str(error).splitlines()[0])


def _differing_keys(one: Any, other: Any, at: str = "") -> set[str]:
    """Return the dotted keys whose values differ between two nested mappings."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = {*one, *other}
        return set().union(*(_differing_keys(one.get(key), other.get(key), f"{at}.{key}".lstrip(".")) for key in keys))
    return set() if one == other else {at}
