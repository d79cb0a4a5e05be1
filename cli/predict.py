"""``geoseg predict``: a scene becomes a mask; many become one each, or one together."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options, talk
from .progress import bars, clock_face

if TYPE_CHECKING:
    from geoseg.inference.predict import Prediction


@click.command()
@click.argument("scenes", metavar="SCENE...", type=options.FILE, nargs=-1, required=True)
@click.option(
    "-o", "--output", type=options.FILE, metavar="MASK", required=True,
    help="Mask to write (GeoTIFF); of several scenes, a folder, or a pattern: the folder for their masks.",
)  # fmt: skip
@click.option(
    "--mosaic", is_flag=True, help="Make one mask of all scenes, which have the same CRS, GSD, bands and type."
)
@options.model
@options.tile
@click.option(
    "--halo", type=click.IntRange(min=0), metavar="PIXELS", help="Context around each tile's core; else the model's."
)
@click.option(
    "--batch", type=click.IntRange(min=1), metavar="N",
    help="Tiles per forward pass; else 4 on CPUs, and on GPUs what is tried out to be fast and to fit.",
)  # fmt: skip
@click.option(
    "--blend", type=click.Choice(["weighted", "crop"]), default="weighted", show_default=True,
    help="How overlapping tiles are joined: averaged with weights, or each tile's core as it is.",
)  # fmt: skip
@click.option(
    "--window", type=click.Choice(["cosine", "linear", "gaussian", "uniform"]), default="cosine", show_default=True,
    help="How the weights of averaged tiles fall towards their edges.",
)  # fmt: skip
@click.option(
    "--border", type=click.Choice(["mirror", "mean"]), default="mirror", show_default=True,
    help="What the network sees beyond SCENE's borders: SCENE mirrored, or the mean colour.",
)  # fmt: skip
@options.mode
@options.stride
@options.tta
@click.option(
    "--device", metavar="DEVICE", default="auto", show_default=True,
    help="Where the network runs: auto, cpu, cuda or mps; cuda:0,cuda:1 or cuda:all share the scene.",
)  # fmt: skip
@click.option(
    "--engine", type=click.Choice(["auto", "torch", "openvino"]), default="auto", show_default=True,
    help="What runs the network; auto takes the faster one.",
)  # fmt: skip
@click.option(
    "--precision", type=click.Choice(["auto", "float32", "bfloat16"]), default="auto", show_default=True,
    help="Arithmetic of the network; auto takes bfloat16 where the device is fast in it.",
)  # fmt: skip
@click.option(
    "--bands", callback=options.names, metavar="A,B,C",
    help="Bands of SCENE to use, by name or number from 1, in the model's order; geoseg info SCENE lists them.",
)  # fmt: skip
@click.option(
    "--any-dtype", is_flag=True, help="Predict even if SCENE's pixel type is not the one the model learnt from."
)
@click.option(
    "--gsd", type=click.FloatRange(min=0, min_open=True), metavar="METRES",
    help="Metres per pixel of SCENE, if it has no CRS that tells.",
)  # fmt: skip
@click.option(
    "--bbox", callback=options.box, metavar="WEST,SOUTH,EAST,NORTH", help="Predict only this window, in SCENE's CRS."
)
@click.option("--bbox-crs", metavar="CRS", help="The CRS of --bbox, if it is not SCENE's; for instance EPSG:4326.")
@click.option(
    "--aoi",
    type=options.FILE,
    metavar="POLYGONS",
    help="Predict only inside these polygons (any vector format and CRS).",
)
@click.option(
    "--probabilities", type=options.FILE, metavar="FILE",
    help="Write the probability of each class too, a band each (bytes in steps of 1/254); of several scenes, a folder.",
)  # fmt: skip
@click.option(
    "--confidence", type=options.FILE, metavar="FILE", help="Write the probability of the mask's class; likewise."
)
@click.option(
    "--entropy", type=options.FILE, metavar="FILE",
    help="Write how undecided the model is, 0 to 1; likewise.",
)  # fmt: skip
@click.option("--preview", type=options.FILE, metavar="PNG", help="Draw scene and mask into a picture; likewise.")
@click.option(
    "--stitch-report", is_flag=True,
    help="Say how often the mask changes across the edges of tiles, compared with elsewhere: 1 is without seams.",
)  # fmt: skip
@click.option(
    "--reference", type=options.FILE, metavar="FILE", help="Labels of SCENE, for the mean IoU in --stitch-report."
)
@click.option(
    "--on-read-error", type=click.Choice(["stop", "skip"]), default="stop", show_default=True,
    help="Where SCENE is damaged: stop, or leave nodata there.",
)  # fmt: skip
@click.option(
    "--dask", metavar="ADDRESS",
    help="Share the work among the workers of a Dask scheduler (tcp://HOST:8786), or among N processes here (local:N).",
)  # fmt: skip
@click.option(
    "--plan", is_flag=True, help="Only say how many tiles, how much memory, time and disk it would take; write nothing."
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with what an interrupted call with the same options left; leave masks that are there.",
)
@options.overwrite
@options.talk
def predict(
    *,
    scenes: tuple[str, ...],
    output: str,
    mosaic: bool,
    model: str | None,
    probabilities: str | None,
    confidence: str | None,
    entropy: str | None,
    preview: str | None,
    stitch_report: bool,
    reference: str | None,
    dask: str | None,
    plan: bool,
    resume: bool,
    overwrite: bool,
    **settings: Any,
) -> None:
    """Turn SCENE, or an area of it, into a mask on the same grid: one byte per pixel, 255 where nothing was predicted.

    Of several scenes, a folder or a pattern each becomes MASK/NAME_mask.tif, or all become one mask with --mosaic.
    Says which model it took and why, and what runs it; prints the path of the mask.

    Memory follows from the width of the scene, not from its height: 4 bytes per class, for a row of tiles as wide as
    the scene (0.6 GB for 7 classes, tiles of 512 and 40 000 columns), beside 1 to 1.5 GB for the network and GDAL.
    --plan says it for a scene.
    """
    shares = {"probabilities": probabilities, "confidence": confidence, "entropy": entropy}
    _predict(
        scenes,
        output,
        mosaic=mosaic,
        plan=plan,
        dask=dask,
        tell=partial(_tell, report=stitch_report, reference=reference),
        results={
            "shares": {name: path for name, path in shares.items() if path is not None},
            "preview": preview,
            "overwrite": overwrite,
            "resume": resume,
            "progress": bars(),
        },
        model=options.chosen_model(model),
        **settings,
    )


def _predict(
    scenes: Sequence[str],
    output: str,
    *,
    mosaic: bool,
    plan: bool,
    dask: str | None,
    tell: Callable[..., None],
    results: dict[str, Any],
    **settings: Any,
) -> None:
    """One mask, or one for each scene; or only what it would take."""
    from geoseg.raster.discovery import list_scenes, means_several

    several = means_several(scenes) or output.endswith(("/", os.sep)) or Path(output).is_dir()
    if plan:
        _plan(list_scenes(scenes) if several or mosaic else scenes, mosaic=mosaic, shares=results["shares"], **settings)
        return
    with _cluster(dask) as cluster:
        if mosaic:
            from geoseg.inference.predict_many import predict_mosaic

            tell(predict_mosaic(list_scenes(scenes), output, cluster=cluster, **results, **settings))
        elif several:
            _predict_each(list_scenes(scenes), output, tell, cluster=cluster, **results, **settings)
        else:
            from geoseg.inference.predict import predict as to_mask

            tell(to_mask(scenes[0], output, cluster=cluster, **results, **settings))


def _cluster(address: str | None) -> AbstractContextManager[Any]:
    if address is None:
        return nullcontext()
    from geoseg.inference.dask_cluster import open_cluster

    return open_cluster(address)


def _plan(scenes: Sequence[str], *, mosaic: bool, **settings: Any) -> None:
    """What each prediction would take."""
    from geoseg.inference.predict import predict_plan
    from geoseg.inference.predict_many import mosaic_plan
    from geoseg.inference.predictor_cache import Predictors

    settings["model"] = Predictors.of(settings["model"], scenes=1 if mosaic else len(scenes))
    plans = [mosaic_plan(scenes, **settings)] if mosaic else [predict_plan(scene, **settings) for scene in scenes]
    for name, each in zip(["the mosaic"] if mosaic else scenes, plans, strict=True):
        (height, width), time = each.shape, clock_face(each.seconds)
        unit = "h:mm:ss" if time.count(":") == 2 else "m:ss"
        talk.result(
            f"{name}: {height} x {width} pixels in {each.tiles} tiles on {each.device}; about {time} "
            f"({unit}), {each.memory / 1e9:.1f} GB of memory, {each.size / 1e6:.0f} MB of output before compression"
        )
        for note in each.notes:
            talk.say(f"Note: {note}")


def _predict_each(scenes: Sequence[str], folder: str, tell: Callable[..., None], **settings: Any) -> None:
    """A mask for each scene; what went wrong is told at the end, and then the exit code is 1."""
    from geoseg.inference.predict_many import predict_each

    failed = []
    for outcome in predict_each(scenes, folder, **settings):
        if outcome.prediction is not None:
            tell(outcome.prediction, f"{outcome.scene}: ")
        elif outcome.error is not None:
            failed.append((outcome.scene, outcome.error))
        else:
            talk.say(f"{outcome.scene}: its mask is there already")
    for scene, error in failed:
        talk.complain(error.message if scene in error.message else f"{scene}: {error.message}", error.hint)
    if failed:
        talk.say(f"{len(scenes) - len(failed)} of {len(scenes)} scenes became masks")
        click.get_current_context().exit(1)


def _tell(prediction: "Prediction", about: str = "", *, report: bool, reference: str | None) -> None:
    for note in prediction.notes:
        talk.say(f"Note: {about}{note}")
    talk.say(f"{about}{prediction.tiles} tiles in {prediction.seconds:.1f} s on {prediction.device}")
    if report:
        talk.say(f"{about}{_stitching(prediction, reference)}")
    talk.result(str(prediction.path))


def _stitching(prediction: "Prediction", reference: str | None) -> str:
    """The seams of a mask and, with labels, its score, in a sentence."""
    from geoseg.evaluation.evaluate_masks import evaluate_mask
    from geoseg.evaluation.seams import seams

    assert prediction.path is not None
    found = seams(prediction.path, rows=prediction.edges[0], cols=prediction.edges[1])
    score = (
        ""
        if reference is None
        else f"; mean IoU {100 * evaluate_mask(prediction.path, reference).total.mean_iou:.2f} %"
    )
    return (
        f"seam index {found.index:.3f}: {100 * found.across_edges:.3f} % of neighbours differ across tile edges, "
        f"{100 * found.elsewhere:.3f} % elsewhere{score}"
    )
