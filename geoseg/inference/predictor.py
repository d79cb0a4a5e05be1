"""A model that is ready for prediction on one device: computes logits or probabilities from rasters.

The engine that runs the network (models/engines) affects the speed and, with bfloat16, the least significant digits.
Preprocessing depends only on the model card: if each tile were normalized with its own statistics, predictions would
differ between neighboring tiles.
"""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from geoseg.bundle import Bundle
from geoseg.inference.options import MEMORY_HINT
from geoseg.inference.tta import IDENTITY, TtaVariant, TtaVariants
from geoseg.models.device import choose_device, choose_precision
from geoseg.models.engines.base import Arithmetic
from geoseg.models.engines.select import make_engine
from geoseg.models.hardware_options import EngineName, Precision
from geoseg.models.network import normalize
from geoseg.models.out_of_memory import explain_out_of_memory
from geoseg.raster.raster import Raster

SOFTMAX_CHUNK_BYTES = 2**19
"""Chunk size of :func:`softmax_`: half of the L2 cache of a core."""


class Predictor:
    """A network on a device, in evaluation mode, and the engine that runs it.

    Preparing an engine takes from a tenth of a second to several seconds, so use one predictor for many scenes.
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
        """Move the network to the device and prepare the engine.

        Args:
            bundle: The model. The engine works on a copy of its current weights.
            device: "auto", "cpu", "cuda", "cuda:1" or "mps".
            precision: Floating-point type of the network; "auto" is bfloat16 on devices with fast bfloat16 support.
            engine: "auto", "torch" or "openvino"; see :func:`~geoseg.models.engines.select.make_engine`.
            pixels: Number of pixels that the network will process, for ``engine="auto"``; None means many.
            live: Run the network itself with torch, for networks whose weights change between calls (training).

        Raises:
            ConfigError: If the device, precision or engine is unknown or not available.
        """
        self.card = bundle.card
        self.device = choose_device(device)
        network = bundle.network
        if any(weight.device != self.device for weight in network.parameters()):
            network = copy.deepcopy(network)
        self.network = network.eval().to(self.device)
        arithmetic = choose_precision(precision, self.device)
        with explain_out_of_memory(MEMORY_HINT):
            self.engine = make_engine(
                self.network, self.device, arithmetic, engine, bands=len(self.card.bands), pixels=pixels, live=live
            )
        self._mean = self._per_band(bundle.card.mean)
        self._std = self._per_band(bundle.card.std)

    @property
    def precision(self) -> Arithmetic:
        """Floating-point type of the network."""
        return self.engine.precision

    @property
    def description(self) -> str:
        """Human-readable device, engine and precision, such as ``cpu, OpenVINO, bfloat16``."""
        return f"{self.device}, {self.engine.name}, {self.precision}"

    def probabilities(
        self, rasters: Sequence[Raster], variants: TtaVariants = (IDENTITY,)
    ) -> Float[Tensor, "batch class row col"]:
        """Predict the probability of each class at each pixel.

        Args:
            rasters: See :meth:`logits`.
            variants: Variants of the images over which the probabilities are averaged (test-time augmentation). Each
                variant requires one forward pass at its own scale.

        Returns:
            Probabilities as float32, on the model's device.
        """
        if variants == (IDENTITY,):
            with explain_out_of_memory(MEMORY_HINT):
                return softmax_(self.logits(rasters))
        total = torch.zeros((), device=self.device)
        for variant in variants:
            logits = self.logits([variant.resize(raster, fill=self.card.mean) for raster in rasters], variant)
            total = total + self._resize(logits, rasters[0].grid.shape).softmax(dim=1)
        return total / len(variants)

    @torch.inference_mode()
    def logits(self, rasters: Sequence[Raster], variant: TtaVariant = IDENTITY) -> Float[Tensor, "batch class row col"]:
        """Run the network.

        Args:
            rasters: Rasters of the same size with the model's bands. After normalization, invalid pixels are 0, which is
                the mean of the training data.
            variant: Symmetry applied to the network's input; its scale is not applied.

        Returns:
            Logits in the orientation of the rasters, as float32, on the model's device.

        Raises:
            GeosegError: If the device runs out of memory.
        """
        with explain_out_of_memory(MEMORY_HINT):
            return variant.turn_back(self.engine(variant.turn(self.images(rasters))))

    def images(self, rasters: Sequence[Raster]) -> Float[Tensor, "batch band row col"]:
        """Normalize rasters for the network: (values - mean) / std from the card, 0 where not valid."""
        values = self._send([_to_device_type(raster.values) for raster in rasters])
        valid = self._send([raster.valid for raster in rasters])
        return normalize(values, valid, mean=self._mean, std=self._std)

    def _send(self, arrays: Sequence[NDArray[Any]]) -> Tensor:
        """Stack arrays on the device; transfers to a GPU use pinned memory and do not wait for pending computations."""
        if self.device.type != "cuda":
            return torch.from_numpy(np.stack(arrays)).to(self.device)
        dtype = torch.from_numpy(arrays[0][:0]).dtype
        pinned = torch.empty((len(arrays), *arrays[0].shape), dtype=dtype, pin_memory=True)
        np.stack(arrays, out=pinned.numpy())
        return pinned.to(self.device, non_blocking=True)

    def _per_band(self, numbers: Sequence[float]) -> Float[Tensor, "1 band 1 1"]:
        return torch.tensor(numbers, dtype=torch.float32, device=self.device).reshape(1, -1, 1, 1)

    def _resize(self, logits: Tensor, shape: tuple[int, int]) -> Tensor:
        if logits.shape[-2:] == shape:
            return logits
        return F.interpolate(logits, shape, mode="bilinear", align_corners=self.card.model.align_corners)


@torch.inference_mode()
def softmax_(logits: Float[Tensor, "batch class row col"]) -> Float[Tensor, "batch class row col"]:
    """Compute softmax over the classes in place.

    On CPUs, the work is done in chunks that fit in the cache, because allocating memory takes longer than the
    arithmetic. For a batch of tiles with six classes, this takes a third of the time of ``softmax(dim=1)`` and gives
    identical results.
    """
    if logits.device.type != "cpu":
        return logits.copy_(logits.softmax(dim=1))
    _, classes, _, width = logits.shape
    rows = max(SOFTMAX_CHUNK_BYTES // (logits.itemsize * classes * width), 1)
    for chunk in (chunk for image in logits for chunk in image.split(rows, dim=1)):
        chunk.copy_(chunk.softmax(dim=0))
    return logits


def _to_device_type(values: NDArray[Any]) -> NDArray[Any]:
    """Convert to a type that every device supports: uint8 is kept, to transfer less data; others become float32."""
    return values if values.dtype == np.uint8 else values.astype(np.float32, copy=False)
