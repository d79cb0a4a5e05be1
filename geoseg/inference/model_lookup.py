"""Which model to predict with, when the user may or may not have named one.

Asked in this order: the model that was given, the newest training run in the working folder, the environment. The
library reads no environment variables of its own accord: the caller passes them in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geoseg.bundle import BEST_NAME, LATEST
from geoseg.errors import BundleError

VARIABLE = "GEOSEG_MODEL"
"""The environment variable that names a model for every folder."""

HINT = f"give one with --model, train one here (geoseg train), or set {VARIABLE}"


@dataclass(frozen=True)
class Choice:
    """A model and why it is this one."""

    path: Path
    """The bundle file."""
    reason: str
    """Where it came from, in words that fit behind "model ...: "."""


def choose_model(
    given: str | Path | None, *, runs: str | Path = "runs", environment: Mapping[str, str] | None = None
) -> Choice:
    """The model that was ``given``, else the newest run's in the folder ``runs``, else ``environment[GEOSEG_MODEL]``.

    Where a folder is named, its best bundle is meant. :class:`BundleError` if nothing names a model, or what is named
    does not exist.
    """
    if given:
        return Choice(_bundle_at(Path(given), "--model"), "given")
    pointer = Path(runs) / LATEST
    newest = newest_bundle(runs)
    if newest is not None:
        return Choice(newest, f"the newest run, {pointer}")
    named = (environment or {}).get(VARIABLE)
    if named:
        return Choice(_bundle_at(Path(named), VARIABLE), f"named by {VARIABLE}")
    if pointer.exists():
        raise BundleError(f"the newest run ({pointer}) has no model yet", f"wait for its first validation, or {HINT}")
    raise BundleError("there is no model to predict with", HINT)


def newest_bundle(runs: str | Path) -> Path | None:
    """The best bundle of the run that ``runs/latest`` points to; None if there is none.

    The pointer is a symbolic link, or a text file that holds the run folder's path (absolute, or relative to ``runs``)
    on systems that let nobody make links.
    """
    pointer = Path(runs) / LATEST
    folder = Path(runs) / pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else pointer
    bundle = folder / BEST_NAME
    return bundle if bundle.is_file() else None


def _bundle_at(path: Path, source: str) -> Path:
    """The bundle file that ``path`` means: itself, or the best one in a folder."""
    if path.is_dir():
        path = path / BEST_NAME
    if not path.is_file():
        raise BundleError(f"there is no model {path} (from {source})", "check the path; models are *.safetensors files")
    return path
