"""``geoseg predict``: a scene becomes a mask."""

from typing import Literal

import click

from . import options, talk
from .progress import bars


@click.command()
@click.argument("scene", type=options.FILE)
@click.option("-o", "--output", type=options.FILE, metavar="MASK", required=True, help="Mask to write (GeoTIFF).")
@options.model
@click.option(
    "--tile",
    type=click.IntRange(min=1),
    metavar="PIXELS",
    help="Side of what the network sees at once; else the model's.",
)
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
    scene: str,
    output: str,
    model: str | None,
    tile: int | None,
    halo: int | None,
    batch: int,
    blend: str,
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

    Says which model it took and why; prints the path of the mask.
    """
    from geoseg.inference.predict import predict as to_mask

    chosen = options.chosen_model(model)
    prediction = to_mask(
        scene,
        output,
        model=chosen,
        tile=tile,
        halo=halo,
        batch=batch,
        blend=blend,
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
    for note in prediction.notes:
        talk.say(f"Note: {note}")
    talk.say(f"{prediction.tiles} tiles in {prediction.seconds:.1f} s on {prediction.device}")
    talk.result(str(prediction.path))
