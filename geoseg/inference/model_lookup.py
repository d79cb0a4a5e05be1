"""Find the model to use for prediction: as specified, from the newest training run, or from an environment variable.

The library does not read environment variables itself; the caller passes them in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geoseg.bundle import BEST_NAME, LATEST_NAME
from geoseg.errors import BundleError

MODEL_VARIABLE = "GEOSEG_MODEL"
"""Environment variable that contains the path of a model."""

MODEL_HINT = f"set one with --model, train one here (geoseg train), or set {MODEL_VARIABLE}"


@dataclass(frozen=True)
class ModelChoice:
    """A model, and why it was chosen."""

    path: Path
    """The bundle file."""
    reason: str
    """Why this model was chosen, as shown to the user."""


def find_model(
    given: str | Path | None, *, runs: str | Path = "runs", environment: Mapping[str, str] | None = None
) -> ModelChoice:
    """Find a model: ``given``, or else the newest run, or else ``environment["GEOSEG_MODEL"]``.

    Args:
        given: A bundle file, or a run folder with a best bundle; None or empty if the user did not specify a model.
        runs: Folder of the training runs.
        environment: Environment variables.

    Raises:
        BundleError: If there is no model, or the specified one does not exist.
    """
    if given:
        return ModelChoice(_resolve_bundle(Path(given), "--model"), "given")
    pointer = Path(runs) / LATEST_NAME
    newest = find_newest_bundle(runs)
    if newest is not None:
        return ModelChoice(newest, f"the newest run, {pointer}")
    named = (environment or {}).get(MODEL_VARIABLE)
    if named:
        return ModelChoice(_resolve_bundle(Path(named), MODEL_VARIABLE), f"set by {MODEL_VARIABLE}")
    if pointer.exists():
        raise BundleError(
            f"the newest run ({pointer}) has no model yet", f"wait for its first validation, or {MODEL_HINT}"
        )
    raise BundleError("no model found", MODEL_HINT)


def find_newest_bundle(runs: str | Path) -> Path | None:
    """Return the best bundle of the run that ``runs/latest`` points to; None if there is none.

    ``runs/latest`` is a symbolic link or, on systems without symbolic links, a text file with the path of the run
    folder, which is absolute or relative to ``runs``.
    """
    pointer = Path(runs) / LATEST_NAME
    folder = Path(runs) / pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else pointer
    bundle = folder / BEST_NAME
    return bundle if bundle.is_file() else None


def _resolve_bundle(path: Path, origin: str) -> Path:
    """Return a bundle file, or the best bundle in a folder."""
    if path.is_dir():
        path = path / BEST_NAME
    if not path.is_file():
        raise BundleError(
            f"model {path} does not exist (from {origin})", "check the path; models are *.safetensors files"
        )
    return path
