"""Fetching LoveDA through torchgeo, which knows its address and its checksums."""

import shutil
from pathlib import Path

from geoseg._files import output_errors, part_path
from geoseg.data.torchgeo.dataset_factory import Call
from geoseg.errors import DataError

LOVEDA_RECORD = "https://zenodo.org/records/5706578"


def download_loveda(root: Path) -> None:
    """Fetches LoveDA's three archives into a folder, checked against their published checksums.

    What is there already is left alone. :class:`DataError` with the address if they cannot be fetched; an archive
    appears under its name only when it is whole.
    """
    part = part_path(root / "loveda")
    with output_errors(root):
        root.mkdir(parents=True, exist_ok=True)
    try:
        for split in ("train", "val", "test"):
            archive = f"{split.title()}.zip"
            if not (root / archive).exists():
                _fetch_loveda(part, split)
                (part / archive).replace(root / archive)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _fetch_loveda(folder: Path, split: str) -> None:
    try:
        Call("LoveDA", folder).with_split(split).open(download=True)
    except DataError as error:
        hint = f"download Train.zip, Val.zip and Test.zip from {LOVEDA_RECORD} and put them into the folder as they are"
        raise DataError(error.message, hint) from None
