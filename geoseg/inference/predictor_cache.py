"""Predictors of a bundle, made once for all scenes: preparing an engine takes seconds."""

from pathlib import Path

from geoseg.bundle import Bundle, ModelCard
from geoseg.inference.batch_size import chosen_batch
from geoseg.inference.predictor import Predictor
from geoseg.models.device import Precision
from geoseg.models.engines.select import EngineName, is_worth


class Predictors:
    """A bundle with the predictors that were made of it; they have its weights as they were when they were made."""

    def __init__(self, bundle: Bundle, *, scenes: int = 1) -> None:
        """``scenes``: how many like the first there will be, for it to be known which engine is worth preparing."""
        self.bundle = bundle
        self.scenes = scenes
        self._made: dict[tuple[str, Precision, EngineName, bool], Predictor] = {}
        self._batches: dict[tuple[int | None, Predictor, int], int] = {}

    @classmethod
    def of(cls, model: "str | Path | Bundle | Predictors", *, scenes: int = 1) -> "Predictors":
        """Those of a model, which is loaded if it is a file; predictors are given back as they are."""
        if isinstance(model, Predictors):
            return model
        return cls(model if isinstance(model, Bundle) else Bundle.load(model), scenes=scenes)

    @property
    def card(self) -> ModelCard:
        """The bundle's."""
        return self.bundle.card

    @property
    def source(self) -> str:
        """The bundle's file; empty if it has none."""
        return self.bundle.source

    def get(self, device: str, precision: Precision, engine: EngineName, *, pixels: int) -> Predictor:
        """The predictor for a scene of which the network will see so many ``pixels``."""
        pixels *= self.scenes
        key = device, precision, engine, is_worth(self.bundle.network, pixels)
        if key not in self._made:
            self._made[key] = Predictor(self.bundle, device, precision, engine, pixels=pixels)
        return self._made[key]

    def batch(self, wanted: int | None, predictor: Predictor, side: int) -> int:
        """How many tiles of that side to show it at once (:func:`chosen_batch`), tried out once."""
        key = wanted, predictor, side
        if key not in self._batches:
            self._batches[key] = chosen_batch(wanted, predictor, side)
        return self._batches[key]
