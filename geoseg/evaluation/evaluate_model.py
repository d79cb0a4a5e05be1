"""Evaluate a model on a split of a recipe's dataset, or on scenes with reference files."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

from geoseg.bundle import Bundle
from geoseg.config.recipe import DataSection, Recipe
from geoseg.data.dataset import Dataset, LabelledScene
from geoseg.data.datasets._isprs import LabelKind
from geoseg.data.label_reader import LabelReader, check_unknown_share, describe_assumed
from geoseg.data.memory_scenes import materialize
from geoseg.data.preparation.convert_scene import open_image
from geoseg.data.preparation.open_dataset import open_dataset
from geoseg.errors import ConfigError, DataError
from geoseg.evaluation.accumulate_counts import CountOptions, ScenePair, WindowReader
from geoseg.evaluation.evaluate_masks import UNLABELLED_HINT
from geoseg.evaluation.model_runner import ModelRunner
from geoseg.evaluation.options import DEFAULTS, EvaluationOptions
from geoseg.evaluation.protocols import ISPRS, RENAMED_PROTOCOLS, Protocol, filter_by_labels, select_protocols
from geoseg.evaluation.reference import SceneFiles, match_files, open_reference
from geoseg.evaluation.result import Evaluation, SceneCallback
from geoseg.evaluation.scene_loop import EvaluationScene, EvaluationTask, evaluate_task
from geoseg.legend import Legend
from geoseg.model_card import ModelCard
from geoseg.progress import Progress, silent
from geoseg.raster.scene import Scene

logger = logging.getLogger(__name__)


def evaluate_model(
    recipe: Recipe,
    options: EvaluationOptions = DEFAULTS,
    *,
    model: str | Path | Bundle,
    split: str = "val",
    progress: Progress = silent,
    on_scene: SceneCallback | None = None,
) -> Evaluation:
    """Evaluate a model on a split. Each scene is predicted once, as a whole, and compared at its native resolution.

    The model's classes are matched to the dataset's by name. Pixels predicted as a class that only the model has are
    counted as missed.

    Args:
        recipe: Recipe that defines the dataset.
        options: What is counted and how the model predicts; options for reference files have no effect.
        model: Model file or loaded model.
        split: Name of the split.
        progress: Reports the number of finished scenes, and of finished strips in each scene.
        on_scene: Called after each scene, while its files are open.

    Raises:
        ConfigError: If a protocol or class is unknown or does not apply to the dataset.
        DataError: If the model has none of the dataset's classes, no pixel is labeled, or the fraction of undeclared
            labels exceeds ``data.unknown_share``.
    """
    dataset = open_dataset(recipe.data)
    scenes = dataset.scenes(split)
    runner = ModelRunner.open(model, options, progress, scenes=len(scenes))
    _require_common_class(runner.card, dataset.legend)
    labels_by_kind = _labels_by_kind(recipe.data, split)
    protocols = _select_protocols(recipe.data.dataset, options.protocols, set(labels_by_kind))
    count_options = options.count_options(dataset.legend, protocols)
    opener = _SplitOpener(recipe.data, dataset, labels_by_kind, count_options, runner)
    task = EvaluationTask(
        dataset.legend,
        count_options,
        scenes=[(scene.name, partial(opener.open, scene)) for scene in scenes],
        about={**runner.about, "data": recipe.name or recipe.data.dataset, "split": split},
        description=f"evaluating {split}",
        source=f"the split {split!r}",
        unlabelled_hint="check data.legend, data.values and data.ignore",
    )
    return evaluate_task(task, progress=progress, on_scene=on_scene)


@dataclass(frozen=True)
class _SplitOpener:
    """Opens the scenes of a split with their predictions, labels and labels of other kinds."""

    data: DataSection
    dataset: Dataset
    labels_by_kind: Mapping[str, Mapping[str, LabelledScene]]
    """Scenes by label kind and name. This is empty except for ISPRS datasets, which have several kinds of
    labels."""
    options: CountOptions
    runner: ModelRunner

    @contextmanager
    def open(self, labelled: LabelledScene) -> Iterator[EvaluationScene]:
        if labelled.label is None:
            raise DataError(f"scene {labelled.name} has no label", "evaluate a labeled split: --split val")
        legend, gsd = self.dataset.legend, self.runner.options.gsd or labelled.gsd
        with ExitStack() as files:
            on_disk = files.enter_context(materialize(labelled))
            scene = files.enter_context(open_image(on_disk.image, self.dataset.bands))
            reader = self._open_labels(files, on_disk, scene)
            bands = _input_bands(self.runner.card, scene, self.dataset, self.data)
            mask, confidence = files.enter_context(self.runner.predict(scene, legend, bands=bands, gsd=gsd))
            pair = ScenePair(
                name=labelled.name,
                shape=scene.grid.shape,
                classes=len(legend),
                predicted=mask,
                reference=reader.read,
                other_references=self._open_other_labels(files, labelled, scene),
                confidence=confidence,
                groups=labelled.groups,
                pixel_m=self.options.pixel_size_m(scene.grid, gsd, scene.path),
            )
            yield EvaluationScene(pair, scene, self.dataset.bands, reader.notes, reader.find_miss)
            if note := describe_assumed(reader.assumed):
                logger.warning("%s: %s", labelled.name, note)
            check_unknown_share(
                labelled.label, reader.unknown_share, reader.describe_unknown(), max_share=self.data.unknown_share
            )

    def _open_labels(self, files: ExitStack, scene: LabelledScene, image: Scene) -> LabelReader:
        assert scene.label is not None
        return files.enter_context(closing(LabelReader(scene.label, image.grid, self.dataset.encoding)))

    def _open_other_labels(self, files: ExitStack, labelled: LabelledScene, image: Scene) -> dict[str, WindowReader]:
        """Return readers for the scene's other kinds of labels."""
        scenes = {kind: by_name.get(labelled.name) for kind, by_name in self.labels_by_kind.items()}
        return {
            kind: self._open_labels(files, scene, image).read
            for kind, scene in scenes.items()
            if scene is not None and scene.label not in (None, labelled.label)
        }


def _labels_by_kind(data: DataSection, split: str) -> dict[str, dict[str, LabelledScene]]:
    """Return the split's scenes by label kind and name; empty except for ISPRS datasets."""
    if data.dataset not in ISPRS:
        return {}
    own_kind = data.options.get("labels", get_args(LabelKind)[0])
    by_kind = {own_kind: {scene.name: scene for scene in open_dataset(data).scenes(split)}}
    for kind in get_args(LabelKind):
        try:
            scenes = open_dataset(data.model_copy(update={"labels": kind})).scenes(split) if kind != own_kind else ()
        except (DataError, ConfigError):  # the archive with these labels is optional
            continue
        if scenes:
            by_kind[kind] = {scene.name: scene for scene in scenes}
    return by_kind


def _select_protocols(dataset: str, names: Sequence[str], kinds: set[str]) -> Sequence[Protocol]:
    protocols = select_protocols(dataset, names)
    available = filter_by_labels(protocols, kinds)
    requested = {RENAMED_PROTOCOLS.get(name, name) for name in names}
    missing = [protocol.name for protocol in protocols if protocol not in available and protocol.name in requested]
    if missing:
        raise ConfigError(f"protocol {missing[0]} needs labels that are missing", "add their archive to data.root")
    return available


def _require_common_class(card: ModelCard, legend: Legend) -> None:
    if not set(card.legend.names) & set(legend.names):
        names = ", ".join(card.legend.names)
        raise DataError(
            f"none of the model's classes ({names}) is in the dataset", "evaluate with the model's own recipe"
        )


def _input_bands(card: ModelCard, scene: Scene, dataset: Dataset, data: DataSection) -> Sequence[str] | None:
    """Return the model's input bands, matched by the band names of the dataset, the file or the recipe."""
    names = card.bands
    if dataset.bands is not None and set(names) <= set(dataset.bands):
        return [str(dataset.bands.index(name) + 1) for name in names]
    return None if set(names) <= set(scene.bands) else data.bands


def evaluate_scenes(
    scene: str | Path,
    reference: str | Path,
    options: EvaluationOptions = DEFAULTS,
    *,
    model: str | Path | Bundle,
    progress: Progress = silent,
    on_scene: SceneCallback | None = None,
) -> Evaluation:
    """Evaluate a model on scenes with references; files are matched by name.

    Args:
        scene: Scene file, folder or pattern.
        reference: Raster or vector file, folder or pattern, as in
            :func:`~geoseg.evaluation.evaluate_masks.evaluate_mask`.
        options: What is counted, how references are read, and how the model predicts.
        model: Model file or loaded model.
        progress: Reports the number of finished scenes, and of finished strips in each scene.
        on_scene: Called after each scene, while its files are open.

    Raises:
        GridMismatch: If a scene and its reference have different grids and ``options.resample`` is off.
        DataError: If a reference is missing, has unknown values, or has no labels at all.
    """
    files = match_files(scene, reference)
    runner = ModelRunner.open(model, options, progress, scenes=len(files))
    legend = runner.card.legend
    count_options = options.count_options(legend, select_protocols("", options.protocols, legend=legend))
    task = EvaluationTask(
        legend,
        count_options,
        scenes=[(each.name, partial(_open_scene, each, runner, count_options)) for each in files],
        about={**runner.about, "data": str(scene), "reference": str(reference), "resampled": options.resample},
        description="evaluating scenes",
        source=f"{scene} in {reference}",
        unlabelled_hint=UNLABELLED_HINT,
    )
    return evaluate_task(task, progress=progress, on_scene=on_scene)


@contextmanager
def _open_scene(paths: SceneFiles, runner: ModelRunner, count_options: CountOptions) -> Iterator[EvaluationScene]:
    legend = runner.card.legend
    with ExitStack() as files:
        scene = files.enter_context(Scene.open(paths.path))
        labels = files.enter_context(open_reference(paths.reference, scene.grid, legend, runner.options))
        mask, confidence = files.enter_context(runner.predict(scene, legend))
        pair = ScenePair(
            name=paths.name,
            shape=scene.grid.shape,
            classes=len(legend),
            predicted=mask,
            reference=labels.read,
            confidence=confidence,
            pixel_m=count_options.pixel_size_m(scene.grid, runner.options.gsd, scene.path),
        )
        yield EvaluationScene(pair, scene, notes=labels.notes, find_miss=labels.find_miss)
