"""What a checkpoint file holds: weights under our names, and what it says of itself.

Such a file is a pickled dict with ``state_dict`` and ``meta``. OpenMMLab 0.x writes ``meta["CLASSES"]``, ``["PALETTE"]``
and ``["config"]``, 1.x ``meta["dataset_meta"]`` and ``["cfg"]``. A bare state dict is a checkpoint that says nothing. Only
plain data is unpickled, because unpickling anything else would run the file's code; optimiser and logs are left aside.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geoseg.errors import BundleError
from geoseg.models.weights.openmmlab_names import to_geoseg
from geoseg.models.weights.pretrained import unpickled

Colour = tuple[int, int, int]

REFUSED = re.compile(r"GLOBAL ([\w.]{1,80})")
"""How torch names the class that a file asks for, and that is no plain data."""
BESIDE = ("ema_", "data_preprocessor.")
"""How tensors of training alone begin: the running averages of 0.x (the network itself holds averaged weights when it is
saved), and the scaling, which the configuration tells too."""
SOFTWARE = {"mmseg_version": "mmsegmentation", "mmengine_version": "mmengine"}
"""Keys of ``meta`` that hold a version, and what of."""


@dataclass(frozen=True)
class ZooFile:
    """The content of a checkpoint file; what it does not say, or says in an unknown way, is empty."""

    state: Mapping[str, Tensor]
    """Weights under geoseg's names, in the file's order."""
    class_names: tuple[str, ...] = ()
    """Classes in the order of the network's outputs."""
    palette: tuple[Colour, ...] = ()
    """Their colours."""
    config: str = ""
    """The training's configuration, as Python text. Never executed."""
    software: Mapping[str, str] = field(default_factory=dict)
    """Versions by name of the software that wrote it."""


def read_file(path: str | Path) -> ZooFile:
    """The content of a checkpoint; :class:`BundleError` if it is none, is damaged, or holds more than plain data."""
    path = Path(path)
    if not path.is_file():
        raise BundleError(f"there is no checkpoint {path}", "give the path of a .pth file")
    content = _unpickled(path)
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not state or not all(map(torch.is_tensor, state.values())):
        raise BundleError(f"{path} holds no weights", "give a checkpoint of mmsegmentation: a dict with state_dict")
    meta = content.get("meta")
    named = to_geoseg({str(key): value for key, value in state.items()})
    return ZooFile({key: value for key, value in named.items() if not key.startswith(BESIDE)}, **_said(meta))


def _unpickled(path: Path) -> Any:
    try:
        return unpickled(path)
    except Exception as error:
        # A damaged pickle fails in whatever way its bytes happen to; nothing of it was run.
        refused = REFUSED.search(str(error))
        if refused is None:
            raise BundleError(
                f"{path} is no PyTorch checkpoint, or it is damaged", "download or copy it again"
            ) from None
        raise BundleError(
            f"{path} holds more than weights ({refused[1]}), and reading that could run code from the file",
            "if it is yours, write its weights alone where it was made: "
            "torch.save({'state_dict': torch.load(FILE, weights_only=False)['state_dict']}, NEW_FILE)",
        ) from None


def _said(meta: Any) -> dict[str, Any]:
    """The fields of :class:`ZooFile` that stand in the file's ``meta``."""
    if not isinstance(meta, Mapping):
        return {}
    dataset = meta.get("dataset_meta")
    about = {**meta, **dataset} if isinstance(dataset, Mapping) else meta
    config = about.get("cfg", about.get("config"))
    return {
        "class_names": _names(about.get("classes", about.get("CLASSES"))),
        "palette": _colours(about.get("palette", about.get("PALETTE"))),
        "config": config if isinstance(config, str) else "",
        "software": {name: str(meta[key]) for key, name in SOFTWARE.items() if meta.get(key)},
    }


def _names(value: Any) -> tuple[str, ...]:
    is_list = isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)
    return tuple(value) if is_list and len(set(value)) == len(value) else ()


def _colours(value: Any) -> tuple[Colour, ...]:
    """A palette (1.x may write the word ``random`` in its place); empty if two classes share a colour."""
    try:
        colours = tuple((int(red), int(green), int(blue)) for red, green, blue in value)
    except (TypeError, ValueError):
        return ()
    fits = all(0 <= part <= 255 for colour in colours for part in colour)
    return colours if fits and len(set(colours)) == len(colours) else ()
