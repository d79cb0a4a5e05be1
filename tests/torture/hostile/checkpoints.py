"""Checkpoints (.pth) that run code, need terabytes, or have other content than weights."""

import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from .cases import Case, Place, import_checkpoint, info


class RunsCode:
    """An object whose pickle runs a shell command."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (f"touch '{self.path}'",)


class NeedsMemory:
    """An object whose pickle allocates 100 GB."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[int]]:
        return bytearray, (10**11,)


def write_cases(place: Place) -> Iterator[Case]:
    """Write checkpoints and yield their calls."""
    for path in [*_write_pickles(place), *_write_wrong_content(place.folder)]:
        yield import_checkpoint(path.name, path, must_fail=True)
        yield info(path.name, path, must_fail=True)


def _write_pickles(place: Place) -> Iterator[Path]:
    contents = {
        "code_in_weights": {"state_dict": RunsCode(place.executed / "checkpoint_weights")},
        "code_in_meta": {"meta": RunsCode(place.executed / "checkpoint_meta"), "state_dict": {}},
        "memory": {"state_dict": {"backbone.conv1.weight": NeedsMemory()}},
    }
    for name, content in contents.items():
        torch.save(content, path := place.folder / f"{name}.pth")
        yield path
        torch.save(content, path := place.folder / f"{name}_legacy.pth", _use_new_zipfile_serialization=False)
        yield path
        (path := place.folder / f"{name}_pickle.pth").write_bytes(pickle.dumps(content))
        yield path


def _write_wrong_content(folder: Path) -> Iterator[Path]:
    view = torch.zeros(1).expand(10**6, 10**5)
    contents: dict[str, Any] = {
        "huge_view": {"state_dict": {"backbone.conv1.weight": view}},
        "wrong_types": {"state_dict": {"backbone.conv1.weight": 5, 7: torch.zeros(2), None: None}},
        "list": [1, 2],
        "not_finite": {"state_dict": {"backbone.conv1.weight": torch.full((64, 3, 7, 7), float("nan"))}},
        "empty_weights": {"state_dict": {}},
        "text": "weights",
    }
    for name, content in contents.items():
        torch.save(content, path := folder / f"{name}.pth")
        yield path
    texts = {"empty": b"", "nested": b"\x80\x02" + b"(" * 200_000 + b"l" * 10 + b".", "html": b"<html>404</html>"}
    for name, text in texts.items():
        (path := folder / f"{name}.pth").write_bytes(text)
        yield path
