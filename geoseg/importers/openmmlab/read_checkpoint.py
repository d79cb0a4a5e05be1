"""Read weights and metadata from an OpenMMLab checkpoint file.

The file is a pickled dict with ``state_dict`` and ``meta``. OpenMMLab 0.x writes ``meta["CLASSES"]``, ``["PALETTE"]``
and ``["config"]``; 1.x writes ``meta["dataset_meta"]`` and ``["cfg"]``. A plain state dict is read as a checkpoint
without metadata. Only plain data is unpickled, because unpickling other objects runs code from the file. Optimizer
state and logs are ignored.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geoseg.errors import BundleError
from geoseg.importers.openmmlab.require_checkpoint import not_a_checkpoint, require_checkpoint
from geoseg.models.weights.openmmlab_names import to_geoseg_names
from geoseg.models.weights.pretrained import find_unstored_tensor, load_pickle

Colour = tuple[int, int, int]

REFUSED_GLOBAL = re.compile(r"GLOBAL ([\w.]{1,80})")
"""Part of torch's error message that contains the name of a global that is not plain data."""
IGNORED_PREFIXES = ("ema_", "data_preprocessor.")
"""Prefixes of tensors used only in training: running averages in 0.x (saved networks already contain averaged weights)
and the input normalization, which is also in the configuration."""
EXPERIMENT_KEYS = ("exp_name", "experiment_name")
"""Keys of ``meta`` that contain the name of the training run, in 0.x and 1.x."""
VERSION_KEYS = {"mmseg_version": "mmsegmentation", "mmengine_version": "mmengine"}
"""Keys of ``meta`` that contain a version, and the software they refer to."""


@dataclass(frozen=True)
class CheckpointFile:
    """The content of a checkpoint file; missing or unknown metadata is empty."""

    state: Mapping[str, Tensor]
    """Weights with geoseg's names, in the order of the file."""
    class_names: tuple[str, ...] = ()
    """Class names in order of class index."""
    palette: tuple[Colour, ...] = ()
    """Colors of the classes."""
    config: str = ""
    """Training configuration as Python source, which is never executed."""
    experiment: str = ""
    """Name of the training run, which is that of its configuration file."""
    software: Mapping[str, str] = field(default_factory=dict)
    """Versions of the software that wrote the file."""


def read_checkpoint(path: str | Path) -> CheckpointFile:
    """Read a checkpoint file.

    Raises:
        BundleError: If the file is missing, corrupted or not a checkpoint, or contains more than plain data.
    """
    path = Path(path)
    require_checkpoint(path)
    content = _load(path)
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not state or not all(map(torch.is_tensor, state.values())):
        raise BundleError(f"{path} has no weights", "use an mmsegmentation checkpoint: a dict with the key state_dict")
    if unstored := find_unstored_tensor(state):
        raise BundleError(f"{path} does not contain the values of {unstored!r:.100}", "download or copy it again")
    meta = content.get("meta")
    named = to_geoseg_names({str(key): value for key, value in state.items()})
    return CheckpointFile(
        {key: value for key, value in named.items() if not key.startswith(IGNORED_PREFIXES)}, **_read_meta(meta)
    )


def _load(path: Path) -> Any:
    try:
        return load_pickle(path)
    except Exception as error:
        # A corrupted pickle can raise any exception; no code from it has been run.
        refused = REFUSED_GLOBAL.search(str(error))
        if refused is None:
            raise not_a_checkpoint(path) from error
        raise BundleError(
            f"{path} contains more than weights ({refused[1]}); reading it could run code from the file",
            "if you trust it, save only its weights, on the machine where it was written: "
            "torch.save({'state_dict': torch.load(FILE, weights_only=False)['state_dict']}, NEW_FILE)",
        ) from error


def _read_meta(meta: Any) -> dict[str, Any]:
    """Return the fields of :class:`CheckpointFile` that are in ``meta``."""
    if not isinstance(meta, Mapping):
        return {}
    dataset = meta.get("dataset_meta")
    about = {**meta, **dataset} if isinstance(dataset, Mapping) else meta
    config = about.get("cfg", about.get("config"))
    return {
        "class_names": _names(about.get("classes", about.get("CLASSES"))),
        "palette": _colours(about.get("palette", about.get("PALETTE"))),
        "config": config if isinstance(config, str) else "",
        "experiment": next((name for key in EXPERIMENT_KEYS if isinstance(name := meta.get(key), str)), ""),
        "software": {name: str(meta[key]) for key, name in VERSION_KEYS.items() if meta.get(key)},
    }


def _names(value: Any) -> tuple[str, ...]:
    is_list = isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)
    return tuple(value) if is_list and len(set(value)) == len(value) else ()


def _colours(value: Any) -> tuple[Colour, ...]:
    """Return a palette; empty if it is invalid (1.x can write ``random``) or two classes have the same color."""
    try:
        colours = tuple((int(red), int(green), int(blue)) for red, green, blue in value)
    except (TypeError, ValueError):
        return ()
    fits = all(0 <= part <= 255 for colour in colours for part in colour)
    return colours if fits and len(set(colours)) == len(colours) else ()
