"""A predictor is a bundle at work on one device: rasters in, logits or probabilities out, prepared as the model card says.

Which engine runs the network (models/engines) changes the speed and, in bfloat16, some digits, but no meaning.

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
from geoseg.inference.softmax import softmax_
from geoseg.inference.tta_variants import AS_IT_IS, Variant
from geoseg.models.device import Precision, choose_device, chosen_precision, explained_memory
from geoseg.models.engines.base import Arithmetic
from geoseg.models.engines.select import EngineName, make_engine
from geoseg.models.input_normalization import normalise
from geoseg.raster.raster import Raster

MEMORY_HINT = "predict fewer tiles at a time (--batch 1), smaller ones (--tile 256), or elsewhere (--device cpu)"


class Predictor:
    """Holds a network on a device, in evaluation mode, and the engine that runs it.

    Preparing an engine takes from a tenth of a second to some seconds: a predictor is made once for many scenes.
    """

    def __init__(
        self,
        bundle: Bundle,
        device: str = "auto",
        precision: Precision = "float32",
        engine: EngineName = "torch",
        *,
        pixels: int | None = None,
        live: bool = False,
    ) -> None:
        """``precision`` is the arithmetic of the network; "auto" takes bfloat16 where the device is fast in it.

        ``engine`` "auto" takes the fastest (:func:`make_engine`), unless ``pixels``, all that the network will see, are
        too few. The engine works on a copy of the weights as they are now; a ``live`` network, which changes between
        calls because it is in training, is run by torch as it is. :class:`ConfigError` for what cannot be had.
        """
        self.card = bundle.card
        self.device = choose_device(device)
        network = bundle.network
        if any(weight.device != self.device for weight in network.parameters()):
            network = copy.deepcopy(network)
        self.network = network.eval().to(self.device)
        arithmetic = chosen_precision(precision, self.device)
        with explained_memory(MEMORY_HINT):
            self.engine = make_engine(
                self.network, self.device, arithmetic, engine, bands=len(self.card.bands), pixels=pixels, live=live
            )
        self._mean = self._per_band(bundle.card.mean)
        self._std = self._per_band(bundle.card.std)

    @property
    def precision(self) -> Arithmetic:
        """The arithmetic of the network."""
        return self.engine.precision

    @property
    def description(self) -> str:
        """What runs where, for people: ``cpu, OpenVINO, bfloat16``."""
        return f"{self.device}, {self.engine.name}, {self.precision}"

    def probabilities(self, rasters: Sequence[Raster]) -> Float[Tensor, "batch class row col"]:
        """The probability of each class at each pixel; else as :meth:`logits`."""
        with explained_memory(MEMORY_HINT):
            return softmax_(self.logits(rasters))

    @torch.inference_mode()
    def logits(self, rasters: Sequence[Raster], variant: Variant = AS_IT_IS) -> Float[Tensor, "batch class row col"]:
        """Logits, float32, on the device, for the rasters as they lie; the network sees them as ``variant`` turns them.

        Rasters are all of one size, and nothing is scaled. Pixels that are not valid reach the network as 0, which is the
        mean colour. :class:`GeosegError` if the device's memory does not hold that many.
        """
        with explained_memory(MEMORY_HINT):
            return variant.turn_back(self.engine(variant.turn(self.images(rasters))))

    def images(self, rasters: Sequence[Raster]) -> Float[Tensor, "batch band row col"]:
        """The rasters as the network wants them: (values - mean) / std as in the card, 0 where not valid."""
        values = self._sent([_plain(raster.values) for raster in rasters])
        valid = self._sent([raster.valid for raster in rasters])
        return normalise(values, valid, mean=self._mean, std=self._std)

    def _sent(self, arrays: Sequence[NDArray[Any]]) -> Tensor:
        """The arrays stacked, on the device; the way to a GPU does not wait for what it computes, from pinned memory."""
        if self.device.type != "cuda":
            return torch.from_numpy(np.stack(arrays)).to(self.device)
        kind = torch.from_numpy(arrays[0][:0]).dtype
        pinned = torch.empty((len(arrays), *arrays[0].shape), dtype=kind, pin_memory=True)
        np.stack(arrays, out=pinned.numpy())
        return pinned.to(self.device, non_blocking=True)

    def _per_band(self, numbers: Sequence[float]) -> Float[Tensor, "1 band 1 1"]:
        return torch.tensor(numbers, dtype=torch.float32, device=self.device).reshape(1, -1, 1, 1)


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Values in a type every device takes: bytes as they are (a quarter of the way to the GPU), all others float32."""
    return values if values.dtype == np.uint8 else values.astype(np.float32, copy=False)
