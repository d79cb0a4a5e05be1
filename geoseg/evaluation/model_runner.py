"""Predict the masks and confidence rasters to evaluate, in memory or in temporary files."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geoseg.bundle import Bundle, digest_file
from geoseg.evaluation.accumulate_counts import WindowReader
from geoseg.evaluation.options import DEFAULTS, EvaluationOptions
from geoseg.grid.window import Window
from geoseg.inference.predict import predict
from geoseg.inference.predictor_cache import PredictorCache
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.model_card import ModelCard
from geoseg.progress import Progress, silent
from geoseg.raster.read_confidence import open_confidence
from geoseg.raster.scene import Scene
from geoseg.raster.writers.memory import MemoryWriter

MAX_PIXELS_IN_MEMORY = 1 << 26
"""Largest number of pixels for which mask and confidence stay in memory (128 MB); larger scenes use temporary files."""


@dataclass(frozen=True)
class ModelRunner:
    """A model and its prediction options, used for all scenes of an evaluation."""

    predictors: PredictorCache
    """The model and its predictors, shared by all scenes. The network is loaded on first use."""
    options: EvaluationOptions = DEFAULTS
    """Evaluation options."""
    progress: Progress = silent
    """Reports the progress of each prediction."""

    @classmethod
    def open(
        cls, model: str | Path | Bundle, options: EvaluationOptions, progress: Progress, *, scenes: int = 1
    ) -> Self:
        """Create a runner from a loaded model, or from a model file, of which only the card is read.

        Args:
            model: Model file or loaded model.
            options: Evaluation options.
            progress: Reports the progress of each prediction.
            scenes: Number of scenes. Preparing a faster engine pays off only if there are many.
        """
        return cls(PredictorCache(model, scenes=scenes), options, progress)

    @property
    def card(self) -> ModelCard:
        """The model card."""
        return self.predictors.card

    @property
    def about(self) -> dict[str, Any]:
        """The model and the prediction options, for JSON."""
        source, options = self.predictors.source, self.options
        names = ("precision", "tile", "stride", "device", "gsd", "bands", "halo", "batch")
        values = {name: getattr(options, name) for name in names}
        engine = {} if options.engine == "auto" else {"engine": options.engine}
        usual = {"mode": options.mode, "tta": options.tta, "tile": self.card.tile}
        return {
            "model": source,
            "model_digest": digest_file(source) if source and Path(source).is_file() else "",
            "prediction": usual | {name: value for name, value in values.items() if value is not None} | engine,
        }

    @contextmanager
    def predict(self, scene: Scene, legend: Legend, **changes: Any) -> Iterator[tuple[WindowReader, WindowReader]]:
        """Predict the mask of a scene and keep it readable while the context is active.

        Args:
            scene: An open scene.
            legend: Classes of the mask; the model's classes are matched to them by name.
            changes: Options of :func:`geoseg.predict` that apply only to this scene.

        Returns:
            Readers for the mask and for its confidence in steps of 1/254. Both return 255 where nothing was predicted;
            the mask reader also returns 255 for classes that are not in ``legend``.
        """
        table = self.card.legend.mapping_to(legend)
        options = {**self.options.predict_options(), **changes}
        if scene.grid.height * scene.grid.width <= MAX_PIXELS_IN_MEMORY:
            writer = MemoryWriter(("mask", "confidence"))
            predict(scene, writer, model=self.predictors, progress=self.progress, **options)
            class_index, confidence = writer.mask, writer.pixels["confidence"][0]
            yield (lambda window: table[class_index[window.slices()]]), (lambda window: confidence[window.slices()])
            return
        with ExitStack() as files:
            folder = Path(files.enter_context(tempfile.TemporaryDirectory(prefix="geoseg-")))
            path, confidence_path = folder / "mask.tif", folder / "confidence.tif"
            predict(scene, path, model=self.predictors, confidence=confidence_path, progress=self.progress, **options)
            mask = files.enter_context(Scene.open(path))
            confidence_raster = files.enter_context(open_confidence(confidence_path, scene.grid, legend))

            def read(window: Window) -> NDArray[np.uint8]:
                raster = mask.read(window, nearest=True)
                return table[np.where(raster.valid, raster.values[0], np.uint8(IGNORE_INDEX))]

            yield read, confidence_raster.read_levels
