"""``evaluate_model``: a model on the labelled scenes of a recipe."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from geoseg.bundle import Bundle
from geoseg.config.recipe import DataSection, Recipe
from geoseg.data.dataset import Dataset, LabelledScene
from geoseg.data.datasets._isprs import LabelKind
from geoseg.data.in_memory import in_files
from geoseg.data.label_reader import LabelReader, check_unknown
from geoseg.data.preparation.convert_scene import open_image
from geoseg.data.preparation.prepare import open_dataset
from geoseg.errors import ConfigError, DataError
from geoseg.evaluation.accumulate_counts import Judged, Reader, Wishes, count
from geoseg.evaluation.model_runner import Judge
from geoseg.evaluation.protocols import ISPRS, Protocol, for_kinds, protocols_of
from geoseg.evaluation.result import Evaluation, SceneTally, Seen, Watch, nobody
from geoseg.legend import Legend
from geoseg.progress import Progress, silent
from geoseg.raster.scene import Scene


def evaluate_model(
    recipe: Recipe,
    *,
    model: str | Path | Bundle,
    split: str = "val",
    protocols: Sequence[str] = (),
    boundary_m: float | None = None,
    objects: Sequence[str] = (),
    progress: Progress = silent,
    watch: Watch = nobody,
    **options: Any,
) -> Evaluation:
    """A model on a split of a recipe's dataset: whole scenes are predicted once and compared at their own resolution.

    Scores are counted under every protocol that is for the dataset, or under those named by ``protocols``; ``boundary_m``
    is the tolerance of borders in metres, ``objects`` names the classes whose objects are counted. ``options`` are those
    of :func:`~geoseg.inference.predict.predict`.
    The model's classes are matched with the dataset's by name; classes only the model knows count as missed. Undeclared
    labels are refused above ``data.unknown_share``, as in training; :class:`DataError`, too, if nothing is labelled.
    """
    dataset = open_dataset(recipe.data)
    scenes = dataset.scenes(split)
    judge = Judge.of(model, options, progress, scenes=len(scenes))
    _require_common(judge.bundle, dataset.legend)
    kinds = _kinds(recipe.data, split)
    chosen = _protocols(recipe.data.dataset, protocols, set(kinds))
    wishes = Wishes.of(dataset.legend, chosen, boundary_m, objects)
    work = _Split(recipe.data, dataset, kinds, wishes, judge, watch)
    tallies = []
    with progress(len(scenes), f"evaluating {split}") as task:
        for scene in scenes:
            tallies.append(work.judged(scene))
            task.advance(note=scene.name)
    about = {**judge.about, "data": recipe.name or recipe.data.dataset, "split": split}
    evaluation = Evaluation(dataset.legend, tuple(tallies), wishes, about)
    evaluation.require_labelled(f"the split {split!r}", "check data.legend, data.values and data.ignore")
    return evaluation


@dataclass(frozen=True)
class _Split:
    """What all scenes of a split have in common."""

    data: DataSection
    dataset: Dataset
    kinds: Mapping[str, Mapping[str, LabelledScene]]
    """Scenes by name whose labels are of a kind, by kind; ISPRS has several, other datasets none."""
    wishes: Wishes
    judge: Judge
    watch: Watch

    def judged(self, labelled: LabelledScene) -> SceneTally:
        """One scene, predicted and counted."""
        if labelled.label is None:
            raise DataError(f"the scene {labelled.name} has no label", "evaluate a split that is labelled: --split val")
        legend, gsd = self.dataset.legend, self.judge.gsd or labelled.gsd
        with ExitStack() as files:
            on_disk = files.enter_context(in_files(labelled))
            scene = files.enter_context(open_image(on_disk.image, self.dataset.bands))
            reader = self._labels(files, on_disk, scene)
            bands = _bands(self.judge.bundle, scene, self.dataset, self.data)
            mask, confidence = files.enter_context(self.judge.predicted(scene, legend, bands=bands, gsd=gsd))
            judged = Judged(
                name=labelled.name,
                shape=scene.grid.shape,
                classes=len(legend),
                predicted=mask,
                reference=reader.read,
                others=self._others(files, labelled, scene),
                confidence=confidence,
                groups=labelled.groups,
                pixel_m=self.wishes.pixel_m(scene.grid, gsd, scene.path),
            )
            tally = count(judged, self.wishes, progress=self.judge.progress)
            allowed = self.data.unknown_share
            check_unknown(labelled.label, reader.unknown_share(), reader.unknown_text(), allowed=allowed)
            self.watch(Seen(judged, legend, tally, scene, self.dataset.bands))
        return SceneTally(labelled.name, tally, labelled.groups)

    def _labels(self, files: ExitStack, scene: LabelledScene, image: Scene) -> LabelReader:
        assert scene.label is not None
        return files.enter_context(closing(LabelReader(scene.label, image.grid, self.dataset.encoding)))

    def _others(self, files: ExitStack, labelled: LabelledScene, image: Scene) -> dict[str, Reader]:
        """Readers of the scene's labels of other kinds."""
        found = {kind: scenes.get(labelled.name) for kind, scenes in self.kinds.items()}
        return {
            kind: self._labels(files, scene, image).read
            for kind, scene in found.items()
            if scene is not None and scene.label not in (None, labelled.label)
        }


def _kinds(data: DataSection, split: str) -> dict[str, dict[str, LabelledScene]]:
    """The split's scenes with each kind of label that there is, by kind; empty but for ISPRS's cities."""
    if data.dataset not in ISPRS:
        return {}
    own = data.options.get("labels", get_args(LabelKind)[0])
    found = {own: {scene.name: scene for scene in open_dataset(data).scenes(split)}}
    for kind in get_args(LabelKind):
        try:
            scenes = open_dataset(data.model_copy(update={"labels": kind})).scenes(split) if kind != own else ()
        except (DataError, ConfigError):  # the archive of the other labels is not there: so be it
            continue
        if scenes:
            found[kind] = {scene.name: scene for scene in scenes}
    return found


def _protocols(dataset: str, names: Sequence[str], kinds: set[str]) -> Sequence[Protocol]:
    chosen = protocols_of(dataset, names)
    kept = for_kinds(chosen, kinds)
    lost = [protocol.name for protocol in chosen if protocol not in kept and protocol.name in names]
    if lost:
        raise ConfigError(
            f"the protocol {lost[0]} wants labels that are not there", "put their archive beside the others"
        )
    return kept


def _require_common(bundle: Bundle, legend: Legend) -> None:
    if not set(bundle.card.legend.names) & set(legend.names):
        names = ", ".join(bundle.card.legend.names)
        raise DataError(
            f"the model's classes ({names}) are none of the dataset's", "evaluate with the model's own recipe"
        )


def _bands(bundle: Bundle, scene: Scene, dataset: Dataset, data: DataSection) -> Sequence[str] | None:
    """Which bands the model gets: by the names the dataset gives them, else by the file's own, else the recipe's."""
    wanted = bundle.card.bands
    if dataset.bands is not None and set(wanted) <= set(dataset.bands):
        return [str(dataset.bands.index(name) + 1) for name in wanted]
    return None if set(wanted) <= set(scene.bands) else data.bands
