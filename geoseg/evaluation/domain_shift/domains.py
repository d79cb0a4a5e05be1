"""The two sides of a domain gap: a split of a dataset, or scenes. Labels are never looked at."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from geoseg.bundle import ModelCard
from geoseg.data.dataset import LabelledScene
from geoseg.data.in_memory import in_files
from geoseg.data.preparation.convert_scene import open_image
from geoseg.data.preparation.prepare import open_dataset
from geoseg.data.preparation.prepared_dataset import MANIFEST
from geoseg.evaluation.dataset import recipe_of
from geoseg.raster.discovery import list_scenes, means_several
from geoseg.raster.scene import Scene

RECIPES = {"", ".yaml", ".yml"}
"""How the names of recipes end; a name without an ending is a shipped recipe or a folder."""


@dataclass(frozen=True)
class SideScene:
    """One scene of a side, not yet opened."""

    scene: LabelledScene
    """Where it is."""
    bands: tuple[str, ...] | None = None
    """Names of its bands, as the owner publishes them."""

    @contextmanager
    def opened(self) -> Iterator[Scene]:
        """The scene, open."""
        with ExitStack() as files:
            on_disk = files.enter_context(in_files(self.scene))
            yield files.enter_context(open_image(on_disk.image, self.bands))

    def chosen(self, card: ModelCard | None) -> Sequence[str] | None:
        """The model's bands by their numbers, where the owner names them; None: as the file names them."""
        if card is None or self.bands is None or not set(card.bands) <= set(self.bands):
            return None
        return [str(self.bands.index(name) + 1) for name in card.bands]


@dataclass(frozen=True)
class Side:
    """What is compared."""

    name: str
    """As the user said it."""
    scenes: tuple[SideScene, ...]
    """Its scenes, in order."""


def side_of(word: str, overrides: Sequence[str] = ()) -> Side:
    """A side by what the user calls it: ``RECIPE:SPLIT``, ``PREPARED:SPLIT`` (the split is ``train`` if not said), or
    scenes (a file, a folder, a pattern).
    """
    source, _, split = word.partition(":")
    if _is_dataset(source):
        recipe = recipe_of(source, () if (Path(source) / MANIFEST).is_file() else overrides)
        dataset = open_dataset(recipe.data)
        bands = dataset.bands or recipe.data.bands
        return Side(word, tuple(SideScene(scene, bands) for scene in dataset.scenes(split or "train")))
    paths = map(Path, list_scenes([word]))
    return Side(word, tuple(SideScene(LabelledScene(path.stem, path, None)) for path in paths))


def _is_dataset(source: str) -> bool:
    """True for a recipe and for a folder of prepared scenes."""
    if (Path(source) / MANIFEST).is_file():
        return True
    return Path(source).suffix in RECIPES and not means_several([source])
