"""Networks on torch's meta device: names and shapes of all tensors, without memory for their values.

The description of a network may come from an untrusted file or contain a mistake, and a few digits can describe a network
of a terabyte. A network is therefore built on the meta device first, where its size is checked, and its weights are
compared with those of a file.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from geoseg._memory import physical_memory
from geoseg._text import count
from geoseg.config.recipe import ModelSection
from geoseg.errors import ConfigError
from geoseg.models.backbones.base import Backbone
from geoseg.models.build import add_heads, build_backbone, build_network
from geoseg.models.network import SegmentationNetwork

OPTIONAL_SUFFIX = "num_batches_tracked"
"""Last part of the names of tensors that torch adds if they are missing."""

RANDOM_METHODS = {Tensor.normal_, Tensor.uniform_}
"""Methods that fill a tensor with random numbers."""

MAX_NAME_LENGTH = 100
"""Maximum number of characters of a tensor name in a message."""


def build_meta_network(model: ModelSection, *, bands: int, classes: int) -> SegmentationNetwork:
    """Build a network without memory for its values; see :func:`geoseg.models.build.build_network`.

    Pretrained weights are not read.
    """
    plain = model.model_copy(update={"pretrained": False})
    backbone = _build_meta_backbone(plain, bands)
    with torch.device("meta"), _SkipRandomValues():
        return add_heads(backbone, plain, classes=classes)


class _SkipRandomValues(TorchFunctionMode):
    """Skip the initialization of weights with random numbers, which takes time on the meta device, too."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if func in RANDOM_METHODS else func(*args, **(kwargs or {}))


def _build_meta_backbone(model: ModelSection, bands: int) -> Backbone:
    try:
        with torch.device("meta"), _SkipRandomValues():
            return build_backbone(model, bands=bands)
    except ConfigError:
        # Old versions of timm read values of tensors while building some models. The size of a backbone is limited by
        # its name, so it can be built on the CPU, which also reports errors in its options.
        return build_backbone(model, bands=bands).to("meta")


def find_difference(network: SegmentationNetwork, shapes: Mapping[str, Sequence[int]]) -> str:
    """Compare the tensors of a network with those of a file.

    Args:
        network: The network, on any device.
        shapes: Shapes of the tensors in the file, by name.

    Returns:
        A phrase with the first difference and the number of further differences; empty if there is none.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    differences = [
        *(f"they lack {name}" for name in wanted if name not in shapes and not name.endswith(OPTIONAL_SUFFIX)),
        *(f"they have an unexpected {name!r:.{MAX_NAME_LENGTH}}" for name in shapes if name not in wanted),
        *(
            f"{name} is {tuple(shapes[name])}, not {shape}"
            for name, shape in wanted.items()
            if name in shapes and tuple(shapes[name]) != shape
        ),
    ]
    more = f" ({count(len(differences) - 1, 'more difference')})" if len(differences) > 1 else ""
    return f"{differences[0]}{more}" if differences else ""


def load_weights(
    network: SegmentationNetwork, model: ModelSection, weights: Mapping[str, Tensor], *, bands: int, classes: int
) -> SegmentationNetwork:
    """Return a network with the given values, which have the same effect as loading them into a new network.

    Args:
        network: The network on the meta device; used for the result if its weights define it completely.
        model: The model section from which it was built.
        weights: Values of all tensors of its state dict; converted to the types of the network.
        bands: Number of bands of the images.
        classes: Number of classes of the logits.
    """
    if network.backbone.is_defined_by_weights:
        wanted = network.state_dict()
        own = {name: _copy(weight, like=wanted[name]) for name, weight in weights.items()}
        network.load_state_dict(own, assign=True)
        if not any(tensor.is_meta for tensor in chain(network.parameters(), network.buffers())):
            return network
    complete = build_network(model.model_copy(update={"pretrained": False}), bands=bands, classes=classes)
    complete.load_state_dict(weights)
    return complete


def _copy(weight: Tensor, *, like: Tensor) -> Tensor:
    """Copy a tensor, which may be a memory-mapped file, to new memory, with the type of another tensor."""
    copy: Any = torch.empty(like.shape, dtype=like.dtype)
    return copy.copy_(weight)  # type: ignore[no-any-return]


def require_memory(model: ModelSection, *, bands: int, classes: int) -> None:
    """Check that the weights of a network fit into the machine's memory, before any of it is allocated.

    Raises:
        ConfigError: If they do not fit, or the network cannot be built.
    """
    network = build_meta_network(model, bands=bands, classes=classes)
    parameters = sum(each.numel() for each in network.parameters())
    needed = sum(each.numel() * each.element_size() for each in network.parameters())
    if needed > physical_memory():
        raise ConfigError(
            f"the network {model.backbone.name} + {model.head.name} has {parameters / 1e6:,.0f} million parameters, "
            f"which need {needed / 1e9:,.0f} GB of memory; this machine has {physical_memory() / 1e9:,.0f} GB",
            "reduce the options of model.head, such as channels, or choose a smaller model.backbone",
        )
