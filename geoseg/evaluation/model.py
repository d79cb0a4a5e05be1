"""``evaluate_model``: a model on the labelled scenes of a recipe."""

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from geoseg.bundle import Bundle, load
from geoseg.config.recipe import Recipe
from geoseg.data.convert import open_image
from geoseg.data.dataset import Dataset, LabelledScene
from geoseg.data.labels import LabelReader, check_unknown
from geoseg.data.memory import in_files
from geoseg.data.prepare import open_dataset
from geoseg.errors import DataError
from geoseg.evaluation.evaluation import Evaluation, count
from geoseg.inference.predict import predict
from geoseg.metrics import ConfusionMatrix
from geoseg.progress import Progress, silent
from geoseg.raster.scene import Scene
from geoseg.raster.sinks.memory import MemorySink


def evaluate_model(
    recipe: Recipe,
    *,
    model: str | Path | Bundle,
    split: str = "val",
    tile: int | None = None,
    mode: str = "blended",
    stride: int | None = None,
    tta: str = "none",
    device: str = "auto",
    progress: Progress = silent,
) -> Evaluation:
    """A model on a split of a recipe's dataset: whole scenes are predicted and compared at their own resolution.

    ``tile``, ``mode``, ``stride`` and ``tta`` are those of :func:`~geoseg.inference.predict.predict`.
    The model's classes are matched with the dataset's by name; classes only the model knows count as missed. Undeclared
    labels are refused above ``data.unknown_share``, as in training; :class:`DataError`, too, if nothing is labelled.
    """
    bundle = model if isinstance(model, Bundle) else load(model)
    dataset = open_dataset(recipe.data)
    if not set(bundle.card.legend.names) & set(dataset.legend.names):
        names = ", ".join(bundle.card.legend.names)
        raise DataError(
            f"the model's classes ({names}) are none of the dataset's", "evaluate with the model's own recipe"
        )
    to_mask = partial(
        predict, model=bundle, tile=tile, mode=mode, stride=stride, tta=tta, device=device, progress=progress
    )
    scenes = dataset.scenes(split)
    counts = {}
    with progress(len(scenes), f"evaluating {split}") as task:
        for scene in scenes:
            counts[scene.name] = _counted(scene, dataset, bundle, recipe, to_mask, progress=progress)
            task.advance(note=scene.name)
    evaluation = Evaluation(dataset.legend, counts)
    if not evaluation.total.in_reference.any():
        raise DataError(
            f"no pixel of the split {split!r} is labelled", "check data.legend, data.values and data.ignore"
        )
    return evaluation


def _counted(
    labelled: LabelledScene,
    dataset: Dataset,
    bundle: Bundle,
    recipe: Recipe,
    to_mask: Callable[..., object],
    *,
    progress: Progress,
) -> ConfusionMatrix:
    if labelled.label is None:
        raise DataError(f"the scene {labelled.name} has no label", "evaluate a split that is labelled: --split val")
    sink = MemorySink()
    with in_files(labelled) as files:
        assert files.label is not None
        with open_image(files.image, dataset.bands) as scene:
            grid = scene.grid
            bands = _bands(bundle, scene, dataset, recipe)
            to_mask(scene, sink, bands=bands, gsd=labelled.gsd)
        mask = bundle.card.legend.mapping_to(dataset.legend)[sink.mask]
        with closing(LabelReader(files.label, grid, dataset.encoding)) as reader:
            classes = len(dataset.legend)
            counts = count(lambda window: mask[window.slices()], reader, classes, progress=progress, name=labelled.name)
    allowed = recipe.data.unknown_share
    check_unknown(labelled.label, reader.unknown_share(), reader.unknown_text(), allowed=allowed)
    return counts


def _bands(bundle: Bundle, scene: Scene, dataset: Dataset, recipe: Recipe) -> Sequence[str] | None:
    """Which bands the model gets: by the names the dataset gives them, else by the file's own, else the recipe's."""
    wanted = bundle.card.bands
    if dataset.bands is not None and set(wanted) <= set(dataset.bands):
        return [str(dataset.bands.index(name) + 1) for name in wanted]
    return None if set(wanted) <= set(scene.bands) else recipe.data.bands
