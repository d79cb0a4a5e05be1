"""Masks and confidences of a model, held just long enough to be judged: in memory, or in files where they are large."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geoseg.bundle import Bundle, digest, load
from geoseg.evaluation.accumulate_counts import Reader
from geoseg.evaluation.confidence import open_confidence
from geoseg.grid.window import Window
from geoseg.inference.predict import predict
from geoseg.inference.predictor_cache import Predictors
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.progress import Progress, silent
from geoseg.raster.scene import Scene
from geoseg.raster.writers.memory import MemorySink

IN_MEMORY = 1 << 26
"""Pixels of a scene whose mask and confidence are kept in memory (128 MB); larger ones go through files."""


@dataclass(frozen=True)
class Judge:
    """A model, and how it predicts what is judged."""

    bundle: Bundle
    """The model."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of :func:`~geoseg.inference.predict.predict`."""
    progress: Progress = silent
    """Hears how far a prediction is."""
    scenes: int = 1
    """How many scenes will be judged: engines that take time to prepare are worth it for many."""

    @classmethod
    def of(cls, model: str | Path | Bundle, options: Mapping[str, Any], progress: Progress, *, scenes: int = 1) -> Self:
        """The model in a file, or one that is loaded already; it computes in float32 unless ``options`` say otherwise."""
        bundle = model if isinstance(model, Bundle) else load(model)
        return cls(bundle, {"precision": "float32", **options}, progress, scenes)

    @cached_property
    def ready(self) -> Predictors:
        """The model's predictors, for all scenes."""
        return Predictors(self.bundle, scenes=self.scenes)

    @property
    def gsd(self) -> float | None:
        """Metres per pixel of scenes without CRS, if anybody said so."""
        gsd: float | None = self.options.get("gsd")
        return gsd

    @property
    def about(self) -> dict[str, Any]:
        """What was judged, and how it was predicted; for JSON."""
        source, usual = self.bundle.source, {"mode": "blended", "tta": "none", "tile": self.bundle.card.tile}
        return {
            "model": source,
            "model_digest": digest(source) if source and Path(source).is_file() else "",
            "prediction": usual | {name: value for name, value in self.options.items() if value is not None},
        }

    @contextmanager
    def predicted(self, scene: Scene, legend: Legend, **options: Any) -> Iterator[tuple[Reader, Reader]]:
        """Readers of a scene's mask, in the classes of ``legend`` by name, and of its confidence in steps of 1/254.

        Both are 255 where nothing was predicted; classes that ``legend`` does not know are 255 in the mask.
        """
        table = self.bundle.card.legend.mapping_to(legend)
        chosen = {**self.options, **options}
        if scene.grid.height * scene.grid.width <= IN_MEMORY:
            sink = MemorySink(("mask", "confidence"))
            predict(scene, sink, model=self.ready, progress=self.progress, **chosen)
            mask, sure = sink.mask, sink.pixels["confidence"][0]
            yield (lambda window: table[mask[window.slices()]]), (lambda window: sure[window.slices()])
            return
        with ExitStack() as files:
            folder = Path(files.enter_context(tempfile.TemporaryDirectory(prefix="geoseg-")))
            path, shares = folder / "mask.tif", {"confidence": folder / "confidence.tif"}
            predict(scene, path, model=self.ready, shares=shares, progress=self.progress, **chosen)
            made = files.enter_context(Scene.open(path))
            confidence = files.enter_context(open_confidence(shares["confidence"], scene.grid, legend))

            def read(window: Window) -> NDArray[np.uint8]:
                raster = made.read(window, nearest=True)
                return table[np.where(raster.valid, raster.values[0], np.uint8(IGNORE_INDEX))]

            yield read, confidence
