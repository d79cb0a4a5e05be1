"""A run's folder: one per training run, never shared, with ``runs/latest`` pointing to the newest that has a bundle."""

import os
from pathlib import Path

from geoseg.bundle import LATEST
from geoseg.errors import ConfigError, OutputError


def new_run(runs: Path, name: str) -> Path:
    """A new folder below ``runs``: ``name``, or ``name-2``, ``name-3`` … if that is taken.

    :class:`ConfigError` if the name is no plain one: ``latest`` points to folders beside it.
    """
    if name == LATEST or name in (".", "..") or set(name) & set("/\\"):
        raise ConfigError(f"{name!r} is no name for a run", f"give a plain one, other than {LATEST!r}: --name NAME")
    number = 1
    while True:
        folder = runs / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise OutputError(
                f"{folder} cannot be made: {error.strerror}", "choose another folder: --runs DIR"
            ) from None
        else:
            return folder


def point_latest_to(folder: Path) -> None:
    """Makes ``latest`` beside the folder point to it, in one step: a link, or a text file where links are not allowed."""
    latest = folder.parent / LATEST
    part = folder.parent / f".{LATEST}.{os.getpid()}.part"
    part.unlink(missing_ok=True)
    try:
        part.symlink_to(folder.name)
    except OSError:
        part.write_text(folder.name, "utf-8")
    part.replace(latest)
