"""What both trees are given, made once by the base tree and its tests; ``compare.py`` calls it in an empty folder.

Names of modules are those of the base commit: nothing here needs to follow a renaming.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import geopandas
import numpy as np
import rasterio
import rasterio.features
import torch
import yaml
from affine import Affine
from command import geoseg, killed
from PIL import Image
from rasterio.windows import Window
from shapely.geometry import Polygon, box
from strategies_archives import (
    isaid_archives,
    loveda_archives,
    painted,
    potsdam_archives,
    vaihingen_archives,
)
from strategies_prediction import saved_model, tall_scene
from strategies_raster import UTM, damage, make_raster
from strategies_training import painted_town, tiny, written
from strategies_zoo import config, meta_0x, meta_1x, network, section, zoo_state
from torch import nn

import geoseg as library
from geoseg.bundle import Bundle, load

TREE = Path(str(library.__file__)).resolve().parents[1]
"""The base tree."""

SIDE = 224
"""Rows and columns that are left of a sample scene."""

TRAIN = {"iterations": 3, "warmup": 1, "validate_every": 2, "batch": 2, "crop": 64, "workers": 0}


def main() -> None:
    """Make all inputs in the current folder."""
    torch.set_num_threads(1)
    sample(TREE / "sample_data", Path("sample"))
    archives(Path("archives"))
    town()
    labels_of_all_kinds(Path("kinds"))
    models()
    scenes()
    checkpoints(Path("zoo"))
    prepared()
    predictions()
    unfinished()


def sample(source: Path, folder: Path) -> None:
    """Cut the sample scenes to a corner, and write a recipe for them."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
        for path in sorted((source / kind).glob("*.tif")):
            corner(path, folder / kind / path.name, Window(120, 90, SIDE, SIDE))
    shutil.copytree(source / "splits", folder / "splits")
    recipe = yaml.safe_load((TREE / "configs/sample.yaml").read_text())
    recipe["data"] |= {"root": "../../inputs/sample"}
    recipe["train"] |= {**TRAIN, "precision": "float32", "device": "cpu"}
    recipe["predict"] = {"tile": 96, "halo": 16}
    Path("sample.yaml").write_text(yaml.safe_dump(recipe))


def corner(source: Path, target: Path, window: Window) -> None:
    """Write a window of a raster."""
    with rasterio.open(source) as file:
        profile = file.profile | {"height": window.height, "width": window.width}
        profile |= {"transform": file.window_transform(window)}
        for key in ("blockxsize", "blockysize", "tiled"):
            profile.pop(key, None)
        values = file.read(window=window)
    with rasterio.open(target, "w", **profile) as file:
        file.write(values)


def archives(root: Path) -> None:
    """Miniatures of the benchmarks' archives."""
    kinds = ("rgb", "irrg", "rgbir", "full", "no_boundary")
    potsdam_archives(root / "potsdam", kinds=kinds)
    vaihingen_archives(root / "vaihingen", kinds=("images", "dsm", "no_boundary", "full"))
    isaid_archives(root / "isaid")
    loveda_archives(root / "loveda")
    loveda_archives(root / "loveda-unpacked", zipped=False)
    potsdam_archives(root / "shift/potsdam", kinds=("irrg", "no_boundary"))
    vaihingen_archives(root / "shift/vaihingen", kinds=("images", "no_boundary"))
    for number in (*range(4191, 4195), *range(5167, 5170)):
        _, spectrum = painted(("test", number), 64, 64, 7)
        path = root / f"test/Test/images_png/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(spectrum[:3].transpose(1, 2, 0)).save(path)


def town() -> None:
    """A painted town, and a recipe over it whose training takes a second."""
    painted_town(Path("town"))
    written(tiny(Path("../../inputs/town"), train={"average": 0.9}), Path("tiny.yaml"))
    recipe = yaml.safe_load(Path("tiny.yaml").read_text())
    recipe["data"]["prepared"] = "prepared"
    Path("tiny.yaml").write_text(yaml.safe_dump(recipe))


def labels_of_all_kinds(root: Path) -> None:
    """The same two labels as coloured rasters, palette PNGs, index rasters with holes, and polygons."""
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    polygons = []
    for place, name in enumerate("ab"):
        mask, spectrum = painted(("kinds", name), 80, 96, 3)
        at = {**UTM, "transform": Affine(0.5, 0, 400_000 + 100 * place, 0, -0.5, 5_800_000)}
        for kind in ("images", "colour", "palette", "index"):
            (root / kind).mkdir(parents=True, exist_ok=True)
        make_raster(root / "images" / f"{name}.tif", spectrum[:3].astype(np.uint16) * 7, nodata=0, **at)
        make_raster(root / "colour" / f"{name}.tif", colours[mask].transpose(2, 0, 1), **at)
        picture = Image.fromarray(mask, "P")
        picture.putpalette(colours.ravel().tolist())
        picture.save(root / "palette" / f"{name}.png")
        holes = np.where(np.indices(mask.shape).sum(axis=0) % 37 == 0, 255, mask).astype(np.uint8)
        make_raster(root / "index" / f"{name}.tif", holes[None], nodata=255, **at)
        shapes = rasterio.features.shapes(mask, transform=at["transform"])
        polygons += [(Polygon(s["coordinates"][0], s["coordinates"][1:]), "abc"[int(v)]) for s, v in shapes]
    frame = geopandas.GeoDataFrame({"kind": [v for _, v in polygons]}, geometry=[p for p, _ in polygons], crs=32633)
    frame.to_file(root / "polygons.gpkg", engine="pyogrio")


def models() -> None:
    """Bundles that the base tree wrote: a trained one, made so that all classes are predicted, and small ones."""
    run("train", "../../inputs/sample.yaml", "--runs", "../../inputs/runs", "--name", "sample", "--device", "cpu")
    every_class(load("runs/sample/best.safetensors")).save("sample.safetensors")
    saved_model(Path("grey.safetensors"), gsd=None)


def every_class(bundle: Bundle) -> Bundle:
    """A model whose classifier is turned so that each class has its pixels."""
    torch.manual_seed(4)
    with rasterio.open("sample/images/collar.tif") as file:
        image = torch.from_numpy(file.read()[None]).float()
    mean, std = (torch.tensor(each)[None, :, None, None] for each in (bundle.card.mean, bundle.card.std))
    classes = len(bundle.card.legend)
    wanted = [m for m in bundle.network.head.modules() if isinstance(m, nn.Conv2d) and m.out_channels == classes]
    with torch.no_grad():
        nn.init.normal_(wanted[-1].weight)
        seen = bundle.network((image - mean) / std)
        wanted[-1].weight /= seen.std()
        seen = bundle.network((image - mean) / std)
        wanted[-1].bias -= seen.mean(dim=(0, 2, 3))
    return bundle


def scenes() -> None:
    """Scenes for prediction: usual and awkward ones."""
    source = "sample/images/collar.tif"
    with rasterio.open(source) as file:
        values, profile = file.read(), file.profile
    place = profile["transform"]
    usual = {"crs": profile["crs"], "nodata": 0}
    for folder in ("scenes", "flight"):
        Path(folder).mkdir()
    small = values[:, :180, :200].copy()
    small[:, 40:60, :30] = 0
    make_raster(Path("scenes/scene.tif"), small, transform=place, **usual)
    make_raster(Path("scenes/rotated.tif"), small, transform=place * place.rotation(30), **usual)
    make_raster(Path("scenes/coarse.tif"), small[:, ::2, ::2], transform=place * place.scale(2), **usual)
    make_raster(Path("scenes/plain.tif"), small, nodata=0)
    make_raster(Path("flight/west.tif"), values[:, :120, :110], transform=place, **usual)
    make_raster(Path("flight/east.tif"), values[:, 10:130, 90:], transform=place * place.translation(90, 10), **usual)
    damage(make_raster(Path("scenes/damaged.tif"), values, transform=place, tiled=True, blockxsize=64, blockysize=64,
                       compress="deflate", **usual), (1, 1))  # fmt: skip
    west, north = place * (60, 50)
    inside = Polygon([(west, north), (west + 25, north - 4), (west + 12, north - 30)])
    geopandas.GeoDataFrame(geometry=[inside, box(west - 12, north - 30, west - 4, north - 20)], crs=32633).to_file(
        "aoi.gpkg", engine="pyogrio"
    )
    tall_scene(Path("scenes/tall.tif"), height=1600)


def checkpoints(folder: Path) -> None:
    """Checkpoints as OpenMMLab publishes them, of several networks, and recipes beside them."""
    folder.mkdir()
    torch.manual_seed(0)
    sixteen = config(
        strides="(1, 2, 2, 1)", dilations="(1, 1, 1, 2)", head="align_corners=True", branches="(1, 6, 12, 18)"
    )
    scaled = config(more="img = dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0])\ncrop_size = (128, 128)")
    metas = {"0x": meta_0x(), "1x": meta_1x(config=scaled), "stride": meta_0x(config=sixteen), "none": {}}
    for head in ("deeplabv3", "deeplabv3plus"):
        for backbone in ("resnet18", "resnet18b"):
            of = network(section(backbone, head, auxiliary=backbone == "resnet18"))
            for name, meta in metas.items():
                torch.save({"meta": meta, "state_dict": zoo_state(of)}, folder / f"{head}-{backbone}-{name}.pth")
    recipe = {
        "data": {"legend": ["a", "b", "c"], "bands": ["nir", "red", "green"], "gsd": 0.09},
        "model": {"backbone": "resnet18", "output_stride": 16, "multi_grid": [1, 2], "align_corners": True},
        "train": {"crop": 256},
        "predict": {"tile": 96, "halo": 16},
    }
    Path("zoo.yaml").write_text(yaml.safe_dump(recipe))


def prepared() -> None:
    """Prepared folders of the base tree, to cut crops from and to count on."""
    for name in ("potsdam", "vaihingen", "isaid", "loveda"):
        into = ("-o", f"../../inputs/prepared/{name}", "--set", "data.complete=false")
        run("prepare", name, f"../../inputs/archives/{name}", *into)
    run("prepare", "../../inputs/tiny.yaml", "-o", "../../inputs/prepared/town")


def predictions() -> None:
    """A mask with everything that can lie beside it."""
    model = (
        "--model",
        "../../inputs/sample.safetensors",
        "--device",
        "cpu",
        "--engine",
        "torch",
        "--precision",
        "float32",
    )
    shares = [
        word
        for name in ("probabilities", "confidence", "entropy")
        for word in (f"--{name}", f"../../inputs/{name}.tif")
    ]
    run("predict", "../../inputs/scenes/scene.tif", "-o", "../../inputs/mask.tif", *model, *shares)
    with rasterio.open("mask.tif") as file:
        classes = np.unique(file.read())
    assert len(classes) > 4, f"the mask should show many classes, not {classes}"


def unfinished() -> None:
    """Runs and predictions of the base tree that were killed half-way."""
    with here():
        killed("train", "../../inputs/tiny.yaml", "--runs", "../../inputs/old", before="last.ckpt", times=4)
        words = ("--set", "augment.photometric=zoo", "--name", "zoo", "--runs", "../../inputs/old")
        killed("train", "../../inputs/tiny.yaml", *words, before="last.ckpt", times=4)
        scene = ("predict", "../../inputs/scenes/tall.tif", "-o", "../../inputs/old/mask.tif")
        usual = (
            "--model",
            "../../inputs/grey.safetensors",
            "--engine",
            "torch",
            "--precision",
            "float32",
            "--device",
            "cpu",
        )
        shares = ("--probabilities", "../../inputs/old/shares.tif")
        killed(*scene, *usual, *shares, before="mask-", times=3)
    slabs = sorted(Path("old/.mask.tif.part").glob("mask-*.tif"))
    assert len(slabs) == 2, f"two slabs should be there, not {slabs}"
    # So that it shows whether slabs are gone on with: the first one is of one class.
    with rasterio.open(slabs[0], "r+") as file:
        file.write(np.zeros((1, file.height, file.width), np.uint8))


@contextlib.contextmanager
def here() -> Iterator[None]:
    """Stand where a case stands, so that paths in files are those that a case would write."""
    before, folder = Path.cwd(), Path("../run/inputs")
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(folder):
        yield
    assert Path.cwd() == before


def run(*arguments: object) -> None:
    """Run a command as a case would."""
    with here():
        geoseg(*arguments)


if __name__ == "__main__":
    main()
