"""A cache of predictors: to predict many scenes, the network is loaded and the engine is prepared only once."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.bundle import Bundle, read_card
from geoseg.errors import ConfigError
from geoseg.model_card import ModelCard
from geoseg.models.hardware_options import EngineName, Precision

if TYPE_CHECKING:
    from geoseg.inference.predictor import Predictor


class PredictorCache:
    """A model, which is loaded on first use, and its predictors.

    A predictor keeps the weights that the model had when the predictor was created.
    """

    def __init__(self, model: str | Path | Bundle, *, scenes: int = 1) -> None:
        """Read the card of a model file, or use a loaded model.

        Args:
            model: A bundle file, or a loaded bundle.
            scenes: Number of scenes of similar size to predict; ``engine="auto"`` uses it to decide whether preparing an
                engine pays off.

        Raises:
            BundleError: If the file does not exist or is corrupted.
        """
        self._model = model
        self.scenes = scenes
        self.card: ModelCard = model.card if isinstance(model, Bundle) else read_card(model)
        """The model card."""
        self.source: str = model.source if isinstance(model, Bundle) else str(model)
        """The model file; empty if there is none."""
        self._predictors: dict[tuple[str, Precision, EngineName, bool], Predictor] = {}
        self._batch_sizes: dict[tuple[int | None, Predictor, int], int] = {}

    @classmethod
    def of(cls, model: "str | Path | Bundle | PredictorCache", *, scenes: int = 1) -> "PredictorCache":
        """Return a cache for a model; a cache is returned unchanged.

        Args:
            model: A bundle file, a loaded bundle or a cache.
            scenes: See the constructor.
        """
        return model if isinstance(model, PredictorCache) else cls(model, scenes=scenes)

    @cached_property
    def bundle(self) -> Bundle:
        """The loaded model; raises :class:`BundleError` if the file is corrupted."""
        return self._model if isinstance(self._model, Bundle) else Bundle.load(self._model)

    def get(self, device: str, precision: Precision, engine: EngineName, *, pixels: int) -> "Predictor":
        """Return a predictor, created on first use.

        Args:
            device: Name of a single device.
            precision: Floating-point type of the network.
            engine: Name of the engine.
            pixels: Number of pixels that the network will process for one scene.
        """
        from geoseg.inference.predictor import Predictor
        from geoseg.models.engines.select import is_worth_converting

        pixels *= self.scenes
        key = device, precision, engine, is_worth_converting(self.bundle.network, pixels)
        if key not in self._predictors:
            self._predictors[key] = Predictor(self.bundle, device, precision, engine, pixels=pixels)
        return self._predictors[key]

    def batch_size(self, requested: int | None, predictor: "Predictor", tile: int) -> int:
        """Return the number of tiles per forward pass (:func:`choose_batch_size`), measured on first use.

        Args:
            requested: The number requested by the user; None for the default or the fastest number.
            predictor: One of the predictors.
            tile: Side length of a tile in pixels.
        """
        from geoseg.inference.find_batch_size import choose_batch_size

        key = requested, predictor, tile
        if key not in self._batch_sizes:
            self._batch_sizes[key] = choose_batch_size(requested, predictor, tile)
        return self._batch_sizes[key]


Model = str | Path | Bundle | PredictorCache
"""A model: a bundle file, a loaded bundle, or a cache of predictors for many scenes."""


def list_devices(device: str) -> list[str]:
    """Split the option ``device`` into device names.

    Args:
        device: One name, several names separated by commas, or ``cuda:all``.

    Raises:
        ConfigError: If ``cuda:all`` is requested, but there is no GPU.

    Example:
        >>> list_devices("cuda:0, cuda:1")
        ['cuda:0', 'cuda:1']
    """
    names = [name.strip() for name in device.split(",")]
    if "cuda:all" not in names:
        return names
    import torch

    count = torch.cuda.device_count()
    if count == 0:
        raise ConfigError("cuda:all requires a GPU, but none is available", "use --device cpu")
    return [f"cuda:{number}" for number in range(count)]
