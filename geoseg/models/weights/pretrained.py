"""Pretrained backbone weights: read from a file or fetched from timm's hub, fitted to any number of bands."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file
from timm.models import adapt_input_conv
from torch import Tensor, nn

from geoseg.errors import ConfigError

log = logging.getLogger(__name__)

BESIDE_WEIGHTS = (
    "mmengine.logging.history_buffer.HistoryBuffer",
    "builtins.getattr",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
    "numpy.ndarray",
    "numpy.dtype",
)
"""What OpenMMLab's training files ask for beside weights: their logs, and numbers of numpy's."""


class Inert:
    """Stands in for whatever a file asks for: takes anything and does nothing."""

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def read(path: Path) -> dict[str, Tensor]:
    """A backbone's weights from a file, by the names they have there.

    The file is safetensors or a PyTorch checkpoint, of a backbone alone or of a whole network (names that begin with
    ``backbone.``); see :func:`unpickled` for what of a checkpoint is read.
    """
    if not path.is_file():
        raise ConfigError(f"there are no pretrained weights at {path}", "give the path of a .pth or .safetensors file")
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _state_dict(unpickled(path))
    except Exception as error:
        # A damaged file fails in whatever way its bytes happen to.
        raise ConfigError(
            f"{path} cannot be read as weights", "it must be safetensors or a checkpoint of plain tensors"
        ) from error
    state = {key.removeprefix("module."): value for key, value in content.items() if torch.is_tensor(value)}
    own = {key.removeprefix("backbone."): value for key, value in state.items() if key.startswith("backbone.")}
    return own or state


def unpickled(path: Path) -> Any:
    """The content of a PyTorch file: tensors and plain data, because unpickling anything else would run the file's code.

    The logs that OpenMMLab's training files hold beside weights come out :class:`Inert`. Raises whatever torch raises.
    """
    with torch.serialization.safe_globals([(Inert, name) for name in BESIDE_WEIGHTS]):
        return torch.load(path, map_location="cpu", weights_only=True)


def _state_dict(content: Any) -> Mapping[str, Any]:
    named = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(named, Mapping):
        raise TypeError("there is no state dict in it")
    return named


def download(variant: str, hub: str | None) -> dict[str, Tensor]:
    """ImageNet weights of the timm model called ``hub``, kept in the cache of huggingface_hub."""
    if hub is None:
        raise ConfigError(
            f"there are no published weights for {variant} to fetch",
            "give model.pretrained the path of a file (open-mmlab's resnet18_v1c for instance), or use resnet18b",
        )
    try:
        state: dict[str, Tensor] = timm.create_model(hub, pretrained=True, num_classes=0).state_dict()
    except Exception as error:
        # Which exception says "no network" depends on the release of huggingface_hub and what it stands on.
        raise not_fetched(hub) from error
    return state


def not_fetched(name: str) -> ConfigError:
    """The error for weights that timm's hub did not hand out."""
    return ConfigError(
        f"the pretrained weights of {name} could not be fetched",
        "connect to the network once, or give model.pretrained the path of a file, or set pretrained: false",
    )


def load(backbone: nn.Module, state: Mapping[str, Tensor], *, first: str) -> None:
    """Loads weights into a backbone in place; its first convolution, called ``first``, is fitted to its bands.

    Weights for red, green and blue are repeated cyclically over the bands and scaled by 3 / bands, so that activations
    keep their scale; for one band they are summed. Everything the backbone has must be in ``state``; what ``state`` has
    beyond it may only be a classifier.
    """
    wanted = backbone.state_dict()
    fitted = dict(state)
    if first in fitted and fitted[first].shape[1] == 3:
        fitted[first] = adapt_input_conv(wanted[first].shape[1], fitted[first])
    refuse_misfits(wanted, fitted)
    # Not strict: a classifier may be left over, and files older than torch 0.4.1 do not count batches.
    backbone.load_state_dict(fitted, strict=False)
    log.info("loaded %d pretrained tensors", len(wanted))


def refuse_misfits(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """:class:`ConfigError` unless ``given`` has every wanted tensor in its shape, and no further blocks."""
    parts = {key.partition(".")[0] for key in wanted}
    absent = [key for key in wanted if key not in given and not key.endswith("num_batches_tracked")]
    surplus = [key for key in given if key not in wanted and key.partition(".")[0] in parts]
    changed = [key for key in wanted if key in given and given[key].shape != wanted[key].shape]
    for what, keys in (("lack", absent), ("have too much:", surplus), ("have another shape of", changed)):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise ConfigError(
                f"the pretrained weights {what} {keys[0]}{more}", "they belong to another backbone than the recipe's"
            )
