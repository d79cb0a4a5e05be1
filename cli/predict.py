"""`geoseg predict`: predict masks for scenes."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geoseg._text import count, merge_notes
from geoseg.inference.options import CHOICES, PredictOptions

from . import console, options
from .progress import current_progress, format_duration

if TYPE_CHECKING:
    from geoseg.inference.prediction import Prediction


GROUPS = {
    "Output": (
        "output", "overwrite", "resume", "plan", "preview", "probabilities", "confidence", "entropy", "stitch_report",
        "reference",
    ),
    "Model": ("model", "tta"),
    "Input": ("bands", "gsd", "any_dtype", "mosaic", "on_read_error"),
    "Area": ("bbox", "bbox_crs", "aoi"),
    "Tiling": ("tile", "halo", "mode", "stride", "blend", "window", "border"),
    "Hardware": ("device", "batch", "engine", "precision", "dask"),
}  # fmt: skip
"""Options by group, in the order of ``--help``."""


@click.command(cls=options.GroupedCommand, groups=GROUPS)
@click.argument("scenes", metavar="SCENE...", type=options.FILE, nargs=-1, required=True)
@click.option(
    "-o", "--output", type=options.FILE, metavar="MASK", required=True,
    help="Mask to write (GeoTIFF), or the folder for the masks of several scenes.",
)  # fmt: skip
@click.option(
    "--mosaic",
    is_flag=True,
    help="Predict a single mask for all scenes; they must have the same CRS, GSD, bands and pixel type.",
)
@options.model
@options.tile
@click.option(
    "--halo",
    type=click.IntRange(min=0),
    metavar="PIXELS",
    help="Context around the core of each tile; by default, the value stored in the model.",
)
@click.option(
    "--batch", type=click.IntRange(min=1), metavar="N",
    help="Tiles per forward pass; by default, 4 on CPUs, and on GPUs the fastest number that fits into memory.",
)  # fmt: skip
@click.option(
    "--blend", type=click.Choice(CHOICES["blend"]), default=PredictOptions.blend, show_default=True,
    help="How overlapping tiles are joined: by a weighted average, or by their cores only.",
)  # fmt: skip
@click.option(
    "--window", type=click.Choice(CHOICES["window"]), default=PredictOptions.window, show_default=True,
    help="How the weights of tiles decrease toward their edges.",
)  # fmt: skip
@click.option(
    "--border", type=click.Choice(CHOICES["border"]), default=PredictOptions.border, show_default=True,
    help="Input beyond the borders of SCENE: the mirrored scene, or the mean of the training data.",
)  # fmt: skip
@options.mode
@options.stride
@options.tta
@click.option(
    "--device", metavar="DEVICE", default=PredictOptions.device, show_default=True,
    help="Device to run the network on: auto, cpu, cuda or mps; cuda:0,cuda:1 or cuda:all split a scene across GPUs.",
)  # fmt: skip
@click.option(
    "--engine", type=click.Choice(["auto", "torch", "openvino"]), default=PredictOptions.engine, show_default=True,
    help="Inference engine; auto selects the faster one.",
)  # fmt: skip
@click.option(
    "--precision", type=click.Choice(["auto", "float32", "bfloat16"]), default=PredictOptions.precision, show_default=True,
    help="Precision of the network; auto selects bfloat16 where it is faster.",
)  # fmt: skip
@click.option(
    "--bands", callback=options.names, metavar="A,B,C",
    help="Bands of SCENE, by name or 1-based number, in the order of the model; geoseg info SCENE lists them.",
)  # fmt: skip
@click.option("--any-dtype", is_flag=True, help="Accept a pixel type that differs from the training data.")
@click.option(
    "--gsd", type=click.FloatRange(min=0, min_open=True), metavar="METERS",
    help="Meters per pixel of SCENE, if it has no CRS.",
)  # fmt: skip
@click.option(
    "--bbox",
    callback=options.box,
    metavar="WEST,SOUTH,EAST,NORTH",
    help="Predict only inside this bounding box, in the CRS of SCENE.",
)
@click.option(
    "--bbox-crs", metavar="CRS", help="CRS of --bbox, if it differs from that of SCENE; for instance EPSG:4326."
)
@click.option(
    "--aoi",
    type=options.FILE,
    metavar="POLYGONS",
    help="Predict only inside these polygons (any vector format and CRS).",
)
@click.option(
    "--probabilities", type=options.FILE, metavar="FILE",
    help="Also write the probability of each class, one band per class, in steps of 1/254; a folder for several scenes.",
)  # fmt: skip
@click.option(
    "--confidence", type=options.FILE, metavar="FILE", help="Also write the probability of the predicted class."
)
@click.option(
    "--entropy", type=options.FILE, metavar="FILE",
    help="Also write the normalized entropy of the probabilities, 0 to 1.",
)  # fmt: skip
@click.option("--preview", type=options.FILE, metavar="PNG", help="Also write an image of the scene and its mask.")
@click.option(
    "--stitch-report", is_flag=True,
    help="Print the seam index: how often the mask changes across tile edges, relative to elsewhere; 1 means no seams.",
)  # fmt: skip
@click.option(
    "--reference",
    type=options.FILE,
    metavar="FILE",
    help="Reference labels for SCENE, to print the mean IoU with --stitch-report.",
)
@click.option(
    "--on-read-error", type=click.Choice(CHOICES["on_read_error"]), default=PredictOptions.on_read_error, show_default=True,
    help="If SCENE is damaged: stop, or write nodata for the damaged blocks.",
)  # fmt: skip
@click.option(
    "--dask", metavar="ADDRESS",
    help="Distribute the work among Dask workers (scheduler at tcp://HOST:8786) or N local processes (local:N).",
)  # fmt: skip
@click.option(
    "--plan",
    is_flag=True,
    help="Print the tiles, memory, time and disk space required; write nothing.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Resume an interrupted prediction with the same options; with several scenes, skip existing masks.",
)
@options.overwrite
@options.verbosity
def predict(
    *,
    scenes: tuple[str, ...],
    output: str,
    mosaic: bool,
    model: str | None,
    stitch_report: bool,
    reference: str | None,
    dask: str | None,
    plan: bool,
    **settings: Any,
) -> None:
    """Predict a mask for SCENE: a GeoTIFF on the same grid with one byte per pixel, 255 where nothing was predicted.

    SCENE can be a raster file or a URL. With several scenes, a folder or a pattern, each mask is written to
    MASK/NAME_mask.tif; with --mosaic, a single mask is written for all scenes. Prints the path of the mask.

    Memory depends on the width of the scene, not on its height: 4 bytes per class per pixel for one row of tiles (0.6
    GB for 7 classes, 512-pixel tiles and a width of 40,000 pixels), and 1 to 1.5 GB for the network and GDAL. --plan
    prints an estimate for a scene.
    """
    from geoseg.raster.discovery import is_collection, list_scenes

    model_path = options.chosen_model(model)
    is_folder = output.endswith(("/", os.sep)) or Path(output).is_dir()
    is_many = not mosaic and (is_collection(scenes) or is_folder)
    paths = list_scenes(scenes) if is_many or mosaic else list(scenes)
    if plan:
        _print_estimates([paths] if mosaic else paths, model_path, settings)
        return
    report = partial(_report, stitching=stitch_report, reference=reference)
    with _open_cluster(dask) as cluster:
        settings |= {"model": model_path, "cluster": cluster, "progress": current_progress()}
        if is_many:
            _predict_many(paths, output, report, settings)
        else:
            from geoseg.inference.predict import predict as predict_scene

            report(predict_scene(paths if mosaic else paths[0], output, **settings))


def _open_cluster(address: str | None) -> AbstractContextManager[Any]:
    if address is None:
        return nullcontext()
    from geoseg.inference.dask_cluster import open_cluster

    return open_cluster(address)


def _print_estimates(scenes: Sequence[str | list[str]], model: Path, settings: Mapping[str, Any]) -> None:
    """Print the cost of the prediction for each scene; a list of scenes is a mosaic."""
    from geoseg.inference.estimate import estimate_prediction
    from geoseg.inference.predictor_cache import PredictorCache
    from geoseg.raster.output_bands import SHARES

    predict_options = PredictOptions(**{option.name: settings[option.name] for option in fields(PredictOptions)})
    shares = [name for name in SHARES if settings[name] is not None]
    cache = PredictorCache.of(model, scenes=len(scenes))
    for scene in scenes:
        each = estimate_prediction(scene, model=cache, shares=shares, options=predict_options)
        name = scene if isinstance(scene, str) else "the mosaic"
        (height, width), time = each.shape, format_duration(each.seconds)
        unit = "h:mm:ss" if time.count(":") == 2 else "m:ss"
        console.print_result(
            f"{name}: {height} x {width} pixels in {count(each.tiles, 'tile')} on {each.device}; about {time} "
            f"({unit}), {each.memory / 1e9:.1f} GB of memory, {each.size / 1e6:.0f} MB of output before compression"
        )
        for note in each.notes:
            console.print_status(f"Note: {note}")


def _predict_many(scenes: Sequence[str], folder: str, report: Callable[..., None], settings: Mapping[str, Any]) -> None:
    """Predict a mask for each scene; if there are errors, they are printed at the end, and the exit code is 1."""
    from geoseg.inference.predict_many import predict_many

    failed, area_notes = [], []
    try:
        for outcome in predict_many(scenes, folder, **settings):
            if outcome.prediction is not None:
                notes = outcome.prediction.notes
                about_area = tuple(note for note in notes if settings["aoi"] and note.startswith(settings["aoi"]))
                area_notes.append(about_area)
                own = replace(outcome.prediction, notes=tuple(note for note in notes if note not in about_area))
                report(own, f"{outcome.scene}: ")
            elif outcome.error is not None:
                failed.append((outcome.scene, outcome.error))
            else:
                console.print_status(f"{outcome.scene}: the mask already exists")
    finally:
        for note in merge_notes(area_notes):  # once, because all scenes use the same polygons
            console.print_status(f"Note: {note}")
    for scene, error in failed:
        console.print_error(error.message if scene in error.message else f"{scene}: {error.message}", error.hint)
    if failed:
        console.print_status(f"{len(scenes) - len(failed)} of {len(scenes)} scenes were predicted")
        click.get_current_context().exit(1)


def _report(prediction: "Prediction", prefix: str = "", *, stitching: bool, reference: str | None) -> None:
    for note in prediction.notes:
        console.print_status(f"Note: {prefix}{note}")
    console.print_status(
        f"{prefix}{count(prediction.tiles, 'tile')} in {prediction.seconds:.1f} s on {prediction.device}"
    )
    if stitching:
        console.print_status(f"{prefix}{_stitching(prediction, reference)}")
    console.print_result(str(prediction.path))


def _stitching(prediction: "Prediction", reference: str | None) -> str:
    """Describe the seams of a mask and, if there are reference labels, its score."""
    from geoseg.evaluation.evaluate_masks import evaluate_mask
    from geoseg.evaluation.seams import measure_seams

    assert prediction.path is not None
    seams = measure_seams(prediction.path, rows=prediction.edges[0], cols=prediction.edges[1])
    score = (
        "" if reference is None else f"; mean IoU {100 * evaluate_mask(prediction.path, reference).total.mean_iou:.2f}%"
    )
    return (
        f"seam index {seams.index:.3f}: {100 * seams.across_edges:.3f}% of neighbors differ across tile edges, "
        f"{100 * seams.elsewhere:.3f}% elsewhere{score}"
    )
