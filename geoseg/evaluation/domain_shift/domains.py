"""Find the scenes of a domain, which is either a split of a dataset or a set of scene files. Labels are not read."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from geoseg._output_files import RECIPE_SUFFIXES
from geoseg.data.dataset import LabelledScene
from geoseg.data.memory_scenes import materialize
from geoseg.data.preparation.convert_scene import open_image
from geoseg.data.preparation.open_dataset import open_dataset
from geoseg.evaluation.resolve_recipe import is_prepared_folder, resolve_recipe
from geoseg.model_card import ModelCard
from geoseg.raster.discovery import is_collection, list_scenes
from geoseg.raster.scene import Scene

WINDOWS_PER_DOMAIN = 48
"""Number of windows from each domain."""


@dataclass(frozen=True)
class DomainScene:
    """One scene of a domain, which has not been opened yet."""

    scene: LabelledScene
    """Files of the scene."""
    bands: tuple[str, ...] | None = None
    """Names of its bands according to the dataset; None to use those in the file."""

    @contextmanager
    def open(self) -> Iterator[Scene]:
        """Open the scene for the duration of the context."""
        with ExitStack() as files:
            on_disk = files.enter_context(materialize(self.scene))
            yield files.enter_context(open_image(on_disk.image, self.bands))

    def input_bands(self, card: ModelCard) -> Sequence[str] | None:
        """Return the 1-based numbers of the model's bands if the dataset has bands with these names; otherwise None."""
        if self.bands is None or not set(card.bands) <= set(self.bands):
            return None
        return [str(self.bands.index(name) + 1) for name in card.bands]


@dataclass(frozen=True)
class Domain:
    """A set of scenes to compare with another set."""

    name: str
    """Name given by the user."""
    scenes: tuple[DomainScene, ...]
    """The scenes, in order."""

    def require_readable(self) -> None:
        """Raise :class:`SceneError` if the first scene cannot be opened."""
        with self.scenes[0].open():
            pass


def resolve_domain(source: str, overrides: Sequence[str] = ()) -> Domain:
    """Find the scenes of a domain.

    Args:
        source: ``RECIPE:SPLIT``, ``PREPARED_FOLDER:SPLIT`` (the split is ``train`` by default), or scenes: a file, a
            folder or a pattern.
        overrides: Changes to a recipe as ``section.key=value``.
    """
    dataset_name, _, split = source.partition(":")
    if is_prepared_folder(dataset_name) or _is_recipe(dataset_name):
        recipe = resolve_recipe(dataset_name, () if is_prepared_folder(dataset_name) else overrides)
        dataset = open_dataset(recipe.data)
        bands = dataset.bands or recipe.data.bands
        return Domain(source, tuple(DomainScene(scene, bands) for scene in dataset.scenes(split or "train")))
    paths = map(Path, list_scenes([source]))
    return Domain(source, tuple(DomainScene(LabelledScene(path.stem, path, None)) for path in paths))


def _is_recipe(source: str) -> bool:
    """Return True if ``source`` is the name of a recipe, and not a folder of scenes or a pattern."""
    return Path(source).suffix in {"", *RECIPE_SUFFIXES} and not is_collection([source])
