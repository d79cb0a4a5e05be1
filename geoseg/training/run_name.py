"""Check the name of a run, which is also the name of its folder."""

from pathlib import Path

from geoseg.bundle import LATEST_NAME
from geoseg.errors import ConfigError, OutputError


def check_run_name(runs: Path, name: str) -> None:
    """Check the name of a run and the folder that contains all runs.

    Args:
        runs: Folder that contains all runs; created later if it does not exist.
        name: Name of the run.

    Raises:
        ConfigError: If the name is not a valid folder name.
        OutputError: If the folder that contains all runs cannot be created, or a folder has the name of the link
            ``latest``.
    """
    if runs.exists() and not runs.is_dir():
        raise OutputError(f"cannot create the folder {runs}: it is a file", "use a different folder: --runs DIR")
    if name == LATEST_NAME or name in (".", "..") or set(name) & set("/\\"):
        raise ConfigError(
            f"invalid run name {name!r}", f"use a name without / or \\, other than {LATEST_NAME!r}: --name NAME"
        )
    latest = runs / LATEST_NAME
    if latest.is_dir() and not latest.is_symlink():
        raise OutputError(
            f"{latest} is a folder, but geoseg needs this name for a link",
            "rename it, or use a different folder: --runs DIR",
        )
