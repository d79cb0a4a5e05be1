"""``evaluate_model``: a model on the labelled scenes of a recipe."""

from contextlib import closing
from pathlib import Path

from geoseg.bundle import Bundle, load
from geoseg.config.recipe import Recipe
from geoseg.data.dataset import Dataset, LabelledScene
from geoseg.data.labels import LabelReader
from geoseg.data.prepare import open_dataset
from geoseg.errors import DataError
from geoseg.evaluation.evaluation import Evaluation, count
from geoseg.inference.predict import predict
from geoseg.metrics import ConfusionMatrix
from geoseg.progress import Progress, silent
from geoseg.raster.scene import Scene
from geoseg.raster.sinks.memory import MemorySink


def evaluate_model(
    recipe: Recipe, *, model: str | Path | Bundle, split: str = "val", device: str = "auto", progress: Progress = silent
) -> Evaluation:
    """A model on a split of a recipe's dataset: whole scenes are predicted and compared at their own resolution.

    The model's classes are matched with the dataset's by name; classes only the model knows count as missed.
    """
    bundle = model if isinstance(model, Bundle) else load(model)
    dataset = open_dataset(recipe.data)
    if not set(bundle.card.legend.names) & set(dataset.legend.names):
        names = ", ".join(bundle.card.legend.names)
        raise DataError(
            f"the model's classes ({names}) are none of the dataset's", "evaluate with the model's own recipe"
        )
    scenes = dataset.scenes(split)
    counts = {
        scene.name: _counted(scene, dataset, bundle, recipe, device=device, progress=progress) for scene in scenes
    }
    return Evaluation(dataset.legend, counts)


def _counted(
    labelled: LabelledScene, dataset: Dataset, bundle: Bundle, recipe: Recipe, *, device: str, progress: Progress
) -> ConfusionMatrix:
    sink = MemorySink()
    predict(labelled.image, sink, model=bundle, device=device, bands=recipe.data.bands, progress=progress)
    mask = bundle.card.legend.mapping_to(dataset.legend)[sink.mask]
    with Scene.open(labelled.image) as scene:
        grid = scene.grid
    with closing(LabelReader(labelled.label, grid, dataset.encoding)) as reader:
        classes = len(dataset.legend)
        return count(lambda window: mask[window.slices()], reader, classes, progress=progress, name=labelled.name)
