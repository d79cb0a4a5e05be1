"""``geoseg polygonize``: a mask becomes polygons."""

from pathlib import Path
from typing import Literal

import click

from . import options, talk
from .progress import bars


@click.command()
@click.argument("mask", type=options.FILE)
@click.option(
    "-o", "--output", type=options.FILE, metavar="POLYGONS",
    help="Where to write: .gpkg, .geojson, .fgb or .parquet; else MASK's name with .gpkg.",
)  # fmt: skip
@click.option(
    "--connectivity", type=click.Choice(["4", "8"]), default="4", show_default=True,
    help="Whether pixels that touch at a corner only belong together (8) or not (4).",
)  # fmt: skip
@click.option(
    "--min-area", type=click.FloatRange(min=0), metavar="M2", default=0.0,
    help="Polygons of less than so many square metres go into a neighbour.",
)  # fmt: skip
@click.option(
    "--simplify", type=click.FloatRange(min=0), metavar="M", default=0.0,
    help="How far borders may move, in metres, to have fewer corners; neighbours stay neighbours.",
)  # fmt: skip
@click.option("--classes", callback=options.names, metavar="A,B", help="Classes to keep, by name; else all.")
@options.overwrite
@options.talk
def polygonize(
    *,
    mask: str,
    output: str | None,
    connectivity: Literal["4", "8"],
    min_area: float,
    simplify: float,
    classes: tuple[str, ...] | None,
    overwrite: bool,
) -> None:
    """Turn MASK into polygons with class, name and area. Prints the path of the file it wrote."""
    from geoseg.vector.polygonize import polygonize as to_polygons

    target = Path(output) if output else Path(mask).with_suffix(".gpkg")
    layer = to_polygons(
        mask,
        target,
        connectivity=8 if connectivity == "8" else 4,
        min_area_m2=min_area,
        simplify_m=simplify,
        classes=classes,
        overwrite=overwrite,
        progress=bars(),
    )
    for note in layer.notes:
        talk.say(f"Note: {note}")
    talk.say(f"{len(layer)} polygons")
    talk.result(str(target))
