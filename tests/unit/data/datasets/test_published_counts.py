"""Archives of the published sizes give the published numbers of scenes and patches, to the last one.

All files hold nothing but zeros, so they are small; only their headers are read.
"""

import json
import warnings

import numpy as np
from helpers.archives import archive_section, loveda_archives, png, potsdam_archives, vaihingen_archives
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from geoseg.data.datasets.loveda import IDS
from geoseg.data.export.openmmlab_layout import OPENMMLAB_LAYOUTS
from geoseg.data.preparation.open_dataset import open_dataset
from geoseg.grid.patch_positions import patch_windows
from geoseg.raster.scene import Scene


def zeros(height, width) -> bytes:
    """A TIFF of a few bytes: blocks that were never written are zeros, and take no room."""
    shape = {"height": height, "width": width, "count": 3, "dtype": "uint8"}
    with warnings.catch_warnings(), MemoryFile() as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open(driver="GTiff", tiled=True, compress="deflate", sparse_ok=True, interleave="pixel", **shape):
            pass
        return bytes(memory.read())


def patches(dataset, rule) -> dict[str, int]:
    """How many windows of a rule the scenes of each split hold."""
    counts = {}
    for split, scenes in dataset.splits.items():
        grids = []
        for labelled in scenes:
            with Scene.open(labelled.image) as scene:
                grids.append(scene.grid)
        counts[split] = sum(1 for grid in grids for _ in patch_windows(grid.height, grid.width, rule))
    return counts


def test_potsdam_gives_3456_and_2016_patches(tmp_path) -> None:
    tile = zeros(6000, 6000)
    root = potsdam_archives(tmp_path / "a", content=lambda *_: tile, size=6000)
    dataset = open_dataset(archive_section("potsdam", root))
    assert patches(dataset, OPENMMLAB_LAYOUTS["potsdam"].rule) == {"train": 3456, "val": 2016}
    assert patches(dataset, "plain") == {"train": 3456, "val": 2016}


def test_vaihingen_gives_344_and_398_patches(tmp_path, golden) -> None:
    totals = json.loads((golden / "tiling_cases.json").read_text())["vaihingen_totals_from_literature_sizes"]
    sizes = {int(name.removeprefix("area")): (height, width) for name, (width, height) in totals["sizes_wh"].items()}

    def content(_, area):
        return zeros(*sizes.get(area, (1, 1)))

    root = vaihingen_archives(tmp_path / "a", content=content, kinds=["images", "no_boundary"])
    dataset = open_dataset(archive_section("vaihingen", root))
    assert patches(dataset, OPENMMLAB_LAYOUTS["vaihingen"].rule) == totals["documented"] == {"train": 344, "val": 398}


def test_loveda_has_2522_1669_and_1796_images_of_both_domains(tmp_path) -> None:
    picture = png(np.zeros((3, 1024, 1024), np.uint8))
    count = {(split, domain): len(ids) for split, domains in IDS.items() for domain, ids in domains.items()}
    root = loveda_archives(tmp_path / "a", content=lambda *_: picture, count=count)
    counts = {}
    for domain in ("all", "rural", "urban"):
        dataset = open_dataset(archive_section("loveda", root, domain=domain))
        counts[domain] = [len(dataset.scenes(split)) for split in ("train", "val", "test")]
    assert counts == {"all": [2522, 1669, 1796], "rural": [1366, 992, 976], "urban": [1156, 677, 820]}
    with Scene.open(dataset.scenes("test")[-1].image) as scene:
        assert scene.grid.shape == (1024, 1024)
