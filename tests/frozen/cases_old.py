"""What the base tree wrote, gone on with: a bundle, prepared scenes, interrupted runs, an unfinished prediction."""

import shutil
from pathlib import Path

from adapters import openmmlab
from command import INPUTS, case, geoseg

OLD = INPUTS / "old"


@case("old-bundle")
def bundle() -> None:
    """Predict, evaluate and report with a run that was trained before."""
    shutil.copytree(INPUTS / "runs", "runs", symlinks=True)
    geoseg("predict", INPUTS / "scenes/scene.tif", "-o", "mask.tif", "--device", "cpu")
    settings = ("--set", f"data.root={INPUTS / 'sample'}")
    geoseg("evaluate", "runs/sample/recipe.yaml", *settings, "--json", "scores.json", "--device", "cpu")
    geoseg("report", "runs/sample", *settings, "-o", "report.html", "--device", "cpu")


@case("old-run")
def run() -> None:
    """Go on with a run that was killed after its ninth iteration."""
    shutil.copytree(OLD / "tiny", "runs/tiny")
    geoseg("train", INPUTS / "tiny.yaml", "--resume")


@case("old-run-openmmlab")
def run_openmmlab() -> None:
    """Go on with a run whose recipe names a value that may be called otherwise now."""
    shutil.copytree(OLD / "zoo", "runs/zoo")
    geoseg("train", INPUTS / "tiny.yaml", "--name", "zoo", "--set", f"augment.photometric={openmmlab()}", "--resume")


@case("old-prediction")
def prediction() -> None:
    """Go on with a prediction that was killed after two slabs, the first of which was changed since to show in the mask."""
    shutil.copytree(OLD / ".mask.tif.part", ".mask.tif.part")
    usual = ("--model", INPUTS / "grey.safetensors", "--engine", "torch", "--precision", "float32", "--device", "cpu")
    scene = ("predict", INPUTS / "scenes/tall.tif", "-o", "mask.tif", *usual, "--probabilities", "shares.tif")
    geoseg(*scene, code=1)
    geoseg(*scene, "--resume")


@case("old-prepared")
def prepared() -> None:
    """Train on scenes that were prepared before, and prepare again what is there, which changes nothing."""
    shutil.copytree(INPUTS / "prepared/town", "town")
    geoseg("train", INPUTS / "tiny.yaml", "--set", "data.root=town", "--name", "town")
    before = {path: path.stat().st_mtime_ns for path in Path("town").rglob("*.tif")}
    geoseg("prepare", INPUTS / "tiny.yaml", "-o", "town")
    same = before == {path: path.stat().st_mtime_ns for path in Path("town").rglob("*.tif")}
    Path("used-again.txt").write_text(f"{same}\n")
