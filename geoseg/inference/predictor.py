"""A predictor is a bundle at work on one device: rasters in, logits or probabilities out, prepared as the model card says.

Nothing here depends on where a raster comes from, and nothing in a raster changes how it is prepared: scaling by a
tile's own statistics would make neighbouring tiles disagree.
"""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from geoseg.bundle import Bundle
from geoseg.inference.variants import AS_IT_IS, Variant
from geoseg.models.device import choose_device, explained_memory, memory_format
from geoseg.models.normalise import normalise
from geoseg.models.precision import Precision, chosen_precision
from geoseg.raster.raster import Raster

MEMORY_HINT = "predict fewer tiles at a time (--batch 1), smaller ones (--tile 256), or elsewhere (--device cpu)"


class Predictor:
    """Holds a network on a device, in evaluation mode."""

    def __init__(self, bundle: Bundle, device: str = "auto", precision: Precision = "float32") -> None:
        """``precision`` is the arithmetic of the network; "auto" takes bfloat16 where the device is fast in it.

        A network that already is on the device is used as it is (and put into evaluation mode), else a copy is.
        """
        self.card = bundle.card
        self.device = choose_device(device)
        self.precision = chosen_precision(precision, self.device)
        network = bundle.network
        if any(weight.device != self.device for weight in network.parameters()):
            network = copy.deepcopy(network)
        self.network = network.eval().to(self.device).to(memory_format=memory_format(self.device))
        self._mean = self._per_band(bundle.card.mean)
        self._std = self._per_band(bundle.card.std)

    def probabilities(self, rasters: Sequence[Raster]) -> Float[Tensor, "batch class row col"]:
        """The probability of each class at each pixel; else as :meth:`logits`."""
        with explained_memory(MEMORY_HINT):
            return self.logits(rasters).softmax(dim=1)

    @torch.inference_mode()
    def logits(self, rasters: Sequence[Raster], variant: Variant = AS_IT_IS) -> Float[Tensor, "batch class row col"]:
        """Logits, float32, on the device, for the rasters as they lie; the network sees them as ``variant`` turns them.

        Rasters are all of one size, and nothing is scaled. Pixels that are not valid reach the network as 0, which is the
        mean colour. :class:`GeosegError` if the device's memory does not hold that many.
        """
        with explained_memory(MEMORY_HINT):
            images = variant.turn(self.images(rasters)).contiguous(memory_format=memory_format(self.device))
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
                logits = self.network(images)
            turned_back: Tensor = variant.turn_back(logits.float())
        return turned_back

    def images(self, rasters: Sequence[Raster]) -> Float[Tensor, "batch band row col"]:
        """The rasters as the network wants them: (values - mean) / std as in the card, 0 where not valid."""
        values = torch.from_numpy(np.stack([_plain(raster.values) for raster in rasters])).to(self.device)
        valid = torch.from_numpy(np.stack([raster.valid for raster in rasters])).to(self.device)
        return normalise(values, valid, mean=self._mean, std=self._std)

    def _per_band(self, numbers: Sequence[float]) -> Float[Tensor, "1 band 1 1"]:
        return torch.tensor(numbers, dtype=torch.float32, device=self.device).reshape(1, -1, 1, 1)


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Values in a type every device takes: bytes as they are (a quarter of the way to the GPU), all others float32."""
    return values if values.dtype == np.uint8 else values.astype(np.float32, copy=False)
