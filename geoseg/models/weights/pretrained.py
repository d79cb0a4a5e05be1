"""Load pretrained backbone weights from a file or timm's hub, and adapt them to any number of bands."""

import logging
import zipfile
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

IGNORED_GLOBALS = (
    "mmengine.logging.history_buffer.HistoryBuffer",
    "builtins.getattr",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
    "numpy.ndarray",
    "numpy.dtype",
)
"""Globals that are referenced in OpenMMLab's checkpoints in addition to tensors: training logs and NumPy scalars."""


class Placeholder:
    """A stand-in for ignored objects in a checkpoint; accepts any arguments."""

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the weights of a backbone from a file, with the names used in the file.

    Args:
        path: A safetensors file or a PyTorch checkpoint (see :func:`load_pickle`) that contains a backbone, or a whole
            network in which the names of the backbone's parameters begin with ``backbone.``.

    Raises:
        ConfigError: If the file does not exist or cannot be read.
    """
    if not path.is_file():
        raise ConfigError(f"pretrained weights not found: {path}", "give the path of a .pth or .safetensors file")
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _state_dict(load_pickle(path))
    except Exception as error:
        # A corrupted file can raise any exception.
        raise ConfigError(
            f"{path} cannot be read as weights", "the file must be safetensors or a checkpoint of plain tensors"
        ) from error
    state = {key.removeprefix("module."): value for key, value in content.items() if torch.is_tensor(value)}
    if unstored := find_unstored_tensor(state):
        raise ConfigError(f"{path} does not contain the values of {unstored!r:.100}", "download or copy the file again")
    own = {key.removeprefix("backbone."): value for key, value in state.items() if key.startswith("backbone.")}
    return own or state


def load_pickle(path: Path) -> Any:
    """Load tensors and plain data from a PyTorch file without running code from it.

    Training logs in OpenMMLab's checkpoints are replaced by :class:`Placeholder`. Errors from ``torch.load`` are passed
    through.

    Raises:
        ValueError: If the file is compressed and could expand to any size; torch does not compress files.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                raise ValueError(f"{path} is compressed")
    with torch.serialization.safe_globals([(Placeholder, name) for name in IGNORED_GLOBALS]):
        return torch.load(path, map_location="cpu", weights_only=True)


def find_unstored_tensor(state: Mapping[str, Tensor]) -> str | None:
    """Return the name of a tensor that is larger than its values in the file, or has none; None if there is no such tensor.

    A few bytes can declare such tensors: one value that is repeated (stride 0), sparse tensors, and tensors on the meta
    device.
    """
    return next((name for name, tensor in state.items() if not _is_stored(tensor)), None)


def _is_stored(tensor: Tensor) -> bool:
    if tensor.device.type != "cpu" or tensor.layout != torch.strided:
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def _state_dict(content: Any) -> Mapping[str, Any]:
    named = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(named, Mapping):
        raise TypeError("no state dict in the file")
    return named


def download_imagenet(variant: str, hub: str | None) -> dict[str, Tensor]:
    """Download ImageNet weights of a timm model to the huggingface_hub cache.

    Args:
        variant: Name of the backbone in geoseg, for messages.
        hub: Name of the timm model, or None if no weights are published.

    Raises:
        ConfigError: If no weights are published or the download fails.
    """
    if hub is None:
        raise ConfigError(
            f"no weights are published for {variant}",
            "set model.pretrained to the path of a file (for instance OpenMMLab's resnet18_v1c), or use resnet18b",
        )
    try:
        state: dict[str, Tensor] = timm.create_model(hub, pretrained=True, num_classes=0).state_dict()
    except Exception as error:
        # The type of the exception for a missing connection depends on the version of huggingface_hub.
        raise download_error(hub) from error
    return state


def download_error(name: str) -> ConfigError:
    """Return the error for pretrained weights that cannot be downloaded."""
    return ConfigError(
        f"cannot download the pretrained weights of {name}",
        "connect to the internet once, set model.pretrained to the path of a file, or set pretrained: false",
    )


def load_backbone(backbone: nn.Module, state: Mapping[str, Tensor], *, first: str) -> None:
    """Load weights into a backbone, and adapt its first convolution to the number of bands, in place.

    RGB weights are repeated cyclically over the bands and scaled by 3 / bands, which preserves the scale of the
    activations; for a single band, they are summed.

    Args:
        backbone: The module to load into.
        state: Weights for every parameter of the backbone. The weights of a classifier are ignored.
        first: Name of the weight of the first convolution.

    Raises:
        ConfigError: If the weights belong to a different network.
    """
    wanted = backbone.state_dict()
    fitted = dict(state)
    if first in fitted and fitted[first].shape[1] == 3:
        fitted[first] = adapt_input_conv(wanted[first].shape[1], fitted[first])
    require_matching(wanted, fitted)
    # Not strict: state may contain a classifier, and files from before torch 0.4.1 lack num_batches_tracked.
    backbone.load_state_dict(fitted, strict=False)
    log.info("loaded %d pretrained tensors", len(wanted))


def require_matching(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Check that ``given`` has every expected tensor with the expected shape, and no additional blocks.

    Raises:
        ConfigError: If a tensor is missing or unexpected, or has the wrong shape.
    """
    parts = {key.partition(".")[0] for key in wanted}
    absent = [key for key in wanted if key not in given and not key.endswith("num_batches_tracked")]
    surplus = [key for key in given if key not in wanted and key.partition(".")[0] in parts]
    changed = [key for key in wanted if key in given and given[key].shape != wanted[key].shape]
    for what, keys in (
        ("lack", absent),
        ("have unexpected tensors:", surplus),
        ("have a different shape for", changed),
    ):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise ConfigError(
                f"the pretrained weights {what} {keys[0]}{more}",
                "they belong to a different backbone than the one in the recipe",
            )
