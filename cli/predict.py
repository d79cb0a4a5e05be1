"""``geoseg predict``: a scene becomes a mask; many become one each, or one together."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from . import options, talk
from .progress import bars

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
    "--batch", type=click.IntRange(min=1), metavar="N", default=4, show_default=True, help="Tiles per forward pass."
)
@click.option(
    "--blend", type=click.Choice(["weighted", "crop"]), default="weighted", show_default=True,
    help="How overlapping tiles are joined: averaged with weights, or each tile's core as it is.",
)  # fmt: skip
@options.mode
@options.stride
@options.tta
@options.device
@click.option(
    "--precision", type=click.Choice(["auto", "float32", "bfloat16"]), default="float32", show_default=True,
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
@options.overwrite
@options.talk
def predict(
    *,
    scenes: tuple[str, ...],
    output: str,
    mosaic: bool,
    model: str | None,
    tile: int | None,
    halo: int | None,
    batch: int,
    blend: str,
    mode: str,
    stride: int | None,
    tta: str,
    device: str | None,
    precision: Literal["auto", "float32", "bfloat16"],
    bands: tuple[str, ...] | None,
    any_dtype: bool,
    gsd: float | None,
    bbox: tuple[float, float, float, float] | None,
    bbox_crs: str | None,
    aoi: str | None,
    overwrite: bool,
) -> None:
    """Turn SCENE, or an area of it, into a mask on the same grid: one byte per pixel, 255 where nothing was predicted.

    Of several scenes, a folder or a pattern each becomes MASK/NAME_mask.tif, or all become one mask with --mosaic.
    Says which model it took and why; prints the path of the mask.
    """
    _predict(
        scenes,
        output,
        mosaic=mosaic,
        model=options.chosen_model(model),
        tile=tile,
        halo=halo,
        batch=batch,
        blend=blend,
        mode=mode,
        stride=stride,
        tta=tta,
        device=device or "auto",
        precision=precision,
        bands=bands,
        any_dtype=any_dtype,
        gsd=gsd,
        bbox=bbox,
        bbox_crs=bbox_crs,
        aoi=aoi,
        overwrite=overwrite,
        progress=bars(),
    )


def _predict(scenes: Sequence[str], output: str, *, mosaic: bool, **settings: Any) -> None:
    """One mask, or one for each scene."""
    from geoseg.raster.listing import list_scenes, means_several

    if mosaic:
        from geoseg.inference.many import predict_mosaic

        _tell(predict_mosaic(list_scenes(scenes), output, **settings))
    elif means_several(scenes) or output.endswith(("/", os.sep)) or Path(output).is_dir():
        _predict_each(list_scenes(scenes), output, **settings)
    else:
        from geoseg.inference.predict import predict as to_mask

        _tell(to_mask(scenes[0], output, **settings))


def _predict_each(scenes: Sequence[str], folder: str, **settings: Any) -> None:
    """A mask for each scene; what went wrong is told at the end, and then the exit code is 1."""
    from geoseg.inference.many import predict_each

    failed = []
    for outcome in predict_each(scenes, folder, **settings):
        if outcome.prediction is not None:
            _tell(outcome.prediction, f"{outcome.scene}: ")
        elif outcome.error is not None:
            failed.append((outcome.scene, outcome.error))
    for scene, error in failed:
        talk.complain(error.message if scene in error.message else f"{scene}: {error.message}", error.hint)
    if failed:
        talk.say(f"{len(scenes) - len(failed)} of {len(scenes)} scenes became masks")
        click.get_current_context().exit(1)


def _tell(prediction: "Prediction", about: str = "") -> None:
    for note in prediction.notes:
        talk.say(f"Note: {about}{note}")
    talk.say(f"{about}{prediction.tiles} tiles in {prediction.seconds:.1f} s on {prediction.device}")
    talk.result(str(prediction.path))
