"""Masks with their shares: every way in which tiles become a mask."""

from command import INPUTS, case, geoseg, killed

SCENES = INPUTS / "scenes"
SCENE = SCENES / "scene.tif"
MODEL = ("--model", INPUTS / "sample.safetensors", "--device", "cpu")
EXACT = (*MODEL, "--engine", "torch", "--precision", "float32")
GREY = ("--model", INPUTS / "grey.safetensors", "--device", "cpu", "--engine", "torch", "--precision", "float32")
DEGREES = "13.9321,48.8581,13.9325,48.8584"
SMALL = INPUTS / "flight/west.tif"
SLIDE = ("--mode", "slide", "--tile", "96", "--stride", "64")


def predict(name: str, *words: object, scene: object = SCENE, model: tuple[object, ...] = EXACT, code: int = 0) -> None:
    """Predict a scene with all its shares.

    Args:
        name: Folder for mask and shares.
        *words: Options.
        scene: The scene.
        model: The model, and what runs it.
        code: The exit code that is right.
    """
    shares = [
        word for share in ("probabilities", "confidence", "entropy") for word in (f"--{share}", f"{name}-{share}.tif")
    ]
    geoseg("predict", scene, "-o", f"{name}.tif", *shares, *model, *words, code=code)


@case("predict-blended")
def blended() -> None:
    """Blend tiles in every way."""
    predict("plain")
    predict("crop", "--blend", "crop")
    for window in ("linear", "gaussian", "uniform"):
        predict(window, "--window", window)
    predict("mean", "--border", "mean")
    predict("small", "--tile", "64", "--halo", "8", "--batch", "3")
    predict("preview", "--preview", "preview.png", "--stitch-report")


@case("predict-tta")
def tta() -> None:
    """Average over variants of each tile."""
    for name in ("flip", "d4", "ms+flip"):
        predict(name, "--tta", name, "--tile", "64", "--halo", "8", scene=SMALL)


@case("predict-slide")
def slide() -> None:
    """Slide windows, alone and over variants of the scene."""
    predict("plain", *SLIDE)
    predict("usual-stride", "--mode", "slide", "--tile", "96")
    predict("one-window", "--mode", "slide", "--tile", "256")
    for name in ("flip", "d4"):
        predict(name, *SLIDE, "--tta", name, scene=SMALL)
    predict("coarse", *SLIDE, scene=SCENES / "coarse.tif")


@case("predict-slide-scales")
def slide_scales() -> None:
    """Slide windows over the scene at six scales."""
    predict("ms+flip", "--mode", "slide", "--tile", "96", "--tta", "ms+flip", scene=SMALL)


@case("predict-engines")
def engines() -> None:
    """Let each engine run in each arithmetic, and let geoseg choose."""
    for engine, precision in (("torch", "bfloat16"), ("openvino", "float32"), ("openvino", "bfloat16")):
        words = ("--engine", engine, "--precision", precision)
        predict(f"{engine}-{precision}", model=(*MODEL, *words), scene=SMALL)
    predict("auto", model=MODEL, scene=SMALL)


@case("predict-areas")
def areas() -> None:
    """Predict boxes and areas of interest."""
    predict("box", "--bbox", "421675,5412225,421700,5412255")
    predict("degrees", "--bbox", DEGREES, "--bbox-crs", "EPSG:4326")
    predict("aoi", "--aoi", INPUTS / "aoi.gpkg")
    predict("both", "--aoi", INPUTS / "aoi.gpkg", "--bbox", "421670,5412220,421690,5412260")
    predict("slide", "--aoi", INPUTS / "aoi.gpkg", *SLIDE)


@case("predict-odd-scenes")
def odd_scenes() -> None:
    """Predict scenes that are rotated, at another pixel size, without a place, damaged, of other bands."""
    for name in ("rotated", "coarse"):
        predict(name, scene=SCENES / f"{name}.tif")
    predict("plain", "--gsd", "0.5", scene=SCENES / "plain.tif")
    predict("damaged", scene=SCENES / "damaged.tif", code=1)
    predict("skipped", "--on-read-error", "skip", scene=SCENES / "damaged.tif")
    predict("bands", "--bands", "3,2,1")
    predict("wide", "--any-dtype", "--gsd", "0.3", scene=INPUTS / "kinds/images/a.tif")


@case("predict-many")
def many() -> None:
    """Predict a folder, and a mosaic of it."""
    geoseg("predict", INPUTS / "flight", "-o", "masks", *EXACT, "--confidence", "confidences", "--preview", "previews")
    sheets = sorted((INPUTS / "flight").glob("*.tif"))
    geoseg("predict", "--mosaic", *sheets, "-o", "mosaic.tif", *EXACT, "--probabilities", "probabilities.tif")


@case("predict-resumed")
def resumed() -> None:
    """Predict a tall scene undisturbed, and killed at different moments."""
    tall = SCENES / "tall.tif"
    usual = (*GREY, "--probabilities")
    geoseg("predict", tall, "-o", "mask.tif", *usual, "shares.tif")
    geoseg("predict", tall, "-o", "tta.tif", *usual, "tta-shares.tif", "--tta", "d4", "--window", "linear")
    for kind, times in (("mask-", 2), ("probabilities-", 4), ("shares", 1)):
        words = ("predict", tall, "-o", f"killed-{kind}.tif", *usual, f"shares-{kind}.tif")
        killed(*words, before=kind, times=times)
        geoseg(*words, code=1)
        geoseg(*words, "--resume")
