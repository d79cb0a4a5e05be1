"""Scores: of masks, of models on scenes and on recipes, under every protocol; reports and gaps."""

import shutil

from adapters import openmmlab
from command import INPUTS, case, geoseg

MASK = INPUTS / "mask.tif"
SAMPLE = INPUTS / "sample.yaml"
MODEL = ("--model", INPUTS / "sample.safetensors", "--device", "cpu")
LABELS = INPUTS / "sample/labels"

KINDS = {
    "plain": (),
    "all": ("--boundary", "0.9", "--objects", "building,car", "--per-scene"),
    "tile": ("--tile", "64"),
    "tta": ("--tta", "flip"),
    "slide": ("--mode", "slide", "--tile", "96", "--stride", "64"),
}
"""Ways to judge a model."""


@case("evaluate-masks")
def masks() -> None:
    """Judge masks by references of every kind."""
    whole = ("--boundary", "0.6", "--objects", "building,car", "--confidence", INPUTS / "confidence.tif")
    geoseg("predict", INPUTS / "sample/images/mill.tif", "-o", "mill.tif", *MODEL, "--confidence", "sure.tif")
    geoseg("evaluate", "--mask", "mill.tif", "--reference", LABELS / "mill.tif", "--json", "plain.json")
    words = ("--boundary", "0.6", "--objects", "building,car", "--confidence", "sure.tif", "--ignore", "9")
    geoseg("evaluate", "--mask", "mill.tif", "--reference", LABELS / "mill.tif", *words, "--json", "all.json")
    geoseg(
        "evaluate", "--mask", MASK, "--reference", LABELS / "collar.tif", "--resample", *whole, "--json", "other.json"
    )
    geoseg("polygonize", LABELS / "mill.tif", "-o", "mill.gpkg", "--simplify", "0.5")
    one = ("--class", "building", "--background", "tree", "--objects", "building")
    geoseg("evaluate", "--mask", "mill.tif", "--reference", "mill.gpkg", *one, "--json", "polygons.json")
    geoseg("polygonize", "mill.tif", "-o", "own.gpkg")
    geoseg(
        "evaluate",
        "--mask",
        "mill.tif",
        "--reference",
        "own.gpkg",
        "--column",
        "class_name",
        "--json",
        "own.json",
        code=0,
    )
    geoseg(
        "picture",
        INPUTS / "sample/images/mill.tif",
        "-o",
        "p.png",
        "--mask",
        "mill.tif",
        "--reference",
        LABELS / "mill.tif",
    )
    geoseg("report", "--mask", "mill.tif", "--reference", LABELS / "mill.tif", "--scene", INPUTS / "sample/images/mill.tif",
           "--boundary", "0.6", "--objects", "building", "--confidence", "sure.tif", "-o", "report.html")  # fmt: skip


@case("evaluate-models")
def models() -> None:
    """Judge a model on the splits of a recipe and on scenes."""
    for name, words in KINDS.items():
        geoseg("evaluate", SAMPLE, *MODEL, *words, "--split", "test", "--json", f"{name}.json")
    geoseg("evaluate", SAMPLE, *MODEL, "--json", "val.json")
    scenes = ("--scene", INPUTS / "sample/images/m*.tif", "--reference", LABELS, *MODEL)
    geoseg("evaluate", *scenes, *KINDS["all"], "--bands", "1,2,3", "--json", "scenes.json")
    scene = ("--scene", INPUTS / "sample/images/mill.tif", "--reference", LABELS / "mill.tif", *MODEL)
    geoseg("evaluate", *scene, "--protocol", "scenes", "--json", "protocol.json")


@case("evaluate-benchmarks")
def benchmarks() -> None:
    """Judge models on benchmarks under their protocols."""
    small = [
        *("model.backbone=lcnet_050", "model.head={name: fcn, channels: 8}", "model.auxiliary_weight=0"),
        *("model.output_stride=16", "train.crop=32", "train.batch=2", "train.iterations=2", "train.workers=0"),
        *("train.device=cpu", "predict.tile=64", "predict.halo=8", "train.validate_every=2"),
    ]
    for name in ("potsdam", "vaihingen", "isaid", "loveda"):
        settings = [word for setting in small for word in ("--set", setting)]
        data = ("--set", f"data.root={INPUTS / 'prepared' / name}", "--set", "data.complete=false")
        geoseg("train", name, *data, *settings, "--name", name)
        model = ("--model", f"runs/{name}", "--device", "cpu")
        geoseg("evaluate", INPUTS / "prepared" / name, *model, "--json", f"{name}.json", "--per-scene")
        geoseg(
            "report",
            f"runs/{name}",
            "--recipe",
            INPUTS / "prepared" / name,
            "--device",
            "cpu",
            "-o",
            f"{name}-report.html",
        )
        if name in ("potsdam", "vaihingen"):
            protocols = ("--protocol", openmmlab(), "--protocol", "isprs-eroded-5")
            geoseg("evaluate", name, *data, *model, *protocols, "--json", f"{name}-protocols.json")


@case("report")
def report() -> None:
    """Write pages on runs, alone and side by side."""
    shutil.copytree(INPUTS / "runs", "runs", symlinks=True)
    shutil.copytree("runs/sample", "runs/other")
    settings = ("--set", f"data.root={INPUTS / 'sample'}", "--device", "cpu")
    geoseg("report", "runs/sample", *settings, "--boundary", "0.6", "--objects", "building", "-o", "one.html")
    geoseg("report", "runs/sample", "runs/other", *settings, "--split", "test", "-o", "two.html")
    scene = ("--scene", INPUTS / "sample/images/mill.tif", "--reference", LABELS / "mill.tif")
    geoseg("report", INPUTS / "sample.safetensors", *scene, "--device", "cpu", "-o", "scene.html")


@case("gap")
def gap() -> None:
    """Compare places through a model's eyes and without."""
    east, west = (INPUTS / f"flight/{name}.tif" for name in ("east", "west"))
    geoseg("gap", east, west, "-o", "pixels.html", "--crops", "6")
    geoseg("gap", east, west, *MODEL, "-o", "eyes.html", "--crops", "6")
    geoseg("gap", east, *MODEL, "-o", "learnt.html", "--crops", "6")
    geoseg("gap", f"{SAMPLE}:val", f"{SAMPLE}:train", *MODEL, "-o", "recipe.html", "--crops", "6")
    prepared = INPUTS / "prepared/loveda"
    geoseg("gap", f"{prepared}:val", f"{prepared}:train", "-o", "prepared.html", "--crops", "6")
