"""``geoseg tile``: scenes become crops on disk."""

from pathlib import Path
from typing import Literal

import click

from . import options, talk
from .progress import bars


@click.command()
@click.argument("scenes", type=options.FILE, nargs=-1, required=True)
@click.option("-o", "--output", type=options.FILE, metavar="DIR", help="Folder to write; it must be new or empty.")
@click.option(
    "--size", type=click.IntRange(min=1), metavar="PIXELS", help="Side of a crop; else 512, or 896 by the rule isaid."
)
@click.option(
    "--stride", type=click.IntRange(min=1), metavar="PIXELS", help="Step between crops; else that of the rule."
)
@click.option(
    "--rule", type=click.Choice(["plain", "isprs", "isaid"]), default="plain", show_default=True,
    help="How windows are laid: by size and stride, or as the published converters do.",
)  # fmt: skip
@click.option(
    "--layout", type=click.Choice(["geotiff", "published"]), default="geotiff", show_default=True,
    help="Georeferenced GeoTIFF; or PNG in the folders, names and numbers of the published converters.",
)  # fmt: skip
@click.option("--labels", type=options.FILE, metavar="DIR", help="Label rasters named as the scenes, cut along.")
@click.option("--keep-empty", is_flag=True, help="Write crops without a single valid pixel too.")
@click.option("--count", is_flag=True, help="Write nothing; print how many crops there would be.")
@options.overwrite
@options.talk
def tile(
    *,
    scenes: tuple[str, ...],
    output: str | None,
    size: int | None,
    stride: int | None,
    rule: Literal["plain", "isprs", "isaid"],
    layout: Literal["geotiff", "published"],
    labels: str | None,
    keep_empty: bool,
    count: bool,
    overwrite: bool,
) -> None:
    """Cut SCENES into crops of one size.

    SCENES are raster files, folders of them, or a folder made by geoseg prepare, whose masks are cut along. The last
    crop of a row or column is shifted inward. Prints the folder.
    """
    if count == (output is not None):
        raise click.UsageError("give either -o DIR or --count")
    from geoseg.data.export import export_crops as tiling

    if output is None:
        for split, number in tiling.count(scenes, size=size, stride=stride, rule=rule, layout=layout).items():
            talk.result(f"{split}: {number}" if split else str(number))
        return
    tiled = tiling.tile(
        scenes, Path(output), size=size, stride=stride, rule=rule, layout=layout, labels=labels,
        keep_empty=keep_empty, overwrite=overwrite, progress=bars(),
    )  # fmt: skip
    for split, number in tiled.crops.items():
        talk.say(f"{f'{split}: ' if split else ''}{number} crops")
    if tiled.skipped:
        talk.say(f"{tiled.skipped} windows hold nothing and were left out (--keep-empty writes them)")
    talk.result(str(tiled.path))
