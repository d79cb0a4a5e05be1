"""Checkpoints of OpenMMLab as models, and the zip for a benchmark's server."""

from pathlib import Path

import rasterio
from adapters import import_command, logits, small_test_set
from command import INPUTS, case, geoseg, save_arrays

PHASES = {"all": range(4191, 4195), "rural": range(4191, 4193), "urban": range(4193, 4195)}
"""Numbers of the test images that there are, as one set and in two domains."""


@case("import")
def checkpoints() -> None:
    """Import checkpoints of each kind, with and without a recipe, and ask the models for their logits."""
    paths = sorted({*(INPUTS / "zoo").glob("deeplabv3plus-resnet18-*.pth"), *(INPUTS / "zoo").glob("*-none.pth")})
    for path in paths:
        geoseg(import_command(), path, "-o", f"{path.stem}.safetensors")
        save_arrays(f"{path.stem}.npz", logits(f"{path.stem}.safetensors"))
    recipe = ("--recipe", INPUTS / "zoo.yaml")
    geoseg(import_command(), path, "-o", f"{path.stem}.safetensors", *recipe, code=1)
    geoseg(import_command(), path, "-o", f"{path.stem}.safetensors", *recipe, "--overwrite")
    save_arrays(f"{path.stem}-recipe.npz", logits(f"{path.stem}.safetensors"))
    model = ("--model", f"{path.stem}.safetensors", "--device", "cpu", "--engine", "torch", "--precision", "float32")
    geoseg("predict", INPUTS / "scenes/scene.tif", "-o", "mask.tif", *model, "--tile", "96", "--halo", "16")
    with rasterio.open("mask.tif") as file:
        save_arrays("mask.npz", {"mask": file.read()})
    Path("mask.tif").unlink()  # it names the digest of a model whose header is in no certain order
    Path("mask.tif.aux.xml").unlink()


@case("submit")
def submission() -> None:
    """Train on LoveDA for a moment, and predict a few of its test images into zips, which are checked."""
    data = (
        "--set",
        f"data.root={INPUTS / 'prepared/loveda'}",
        "--set",
        "data.complete=false",
        "--set",
        "model.backbone=lcnet_050",
    )
    small = [
        *("model.head={name: fcn, channels: 8}", "model.auxiliary_weight=0", "model.output_stride=16"),
        *("train.crop=32", "train.batch=2", "train.iterations=3", "train.workers=0", "train.device=cpu"),
        *("predict.tile=64", "predict.halo=8", "train.validate_every=3"),
    ]
    settings = [word for setting in small for word in ("--set", setting)]
    geoseg("train", "loveda", *data, *settings, "--name", "loveda")
    model = ("--model", "runs/loveda/best.safetensors", "--device", "cpu", "--data", INPUTS / "archives/test")
    with small_test_set(64, PHASES):
        geoseg("submit", "loveda", *model, "-o", "all.zip")
        geoseg("submit", "loveda", *model, "-o", "whole.zip", "--whole")
        geoseg("submit", "loveda", *model, "-o", "urban.zip", "--phase", "urban")
        geoseg("submit", "--check", "all.zip")
        geoseg("submit", "--check", "urban.zip", "--phase", "rural", code=1)
