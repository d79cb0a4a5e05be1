"""`geoseg tile`: cut scenes into crops on disk."""

from pathlib import Path
from typing import Literal

import click

from . import console, options
from .progress import current_progress


@click.command()
@click.argument("scenes", type=options.FILE, nargs=-1, required=True)
@click.option("-o", "--output", type=options.FILE, metavar="DIR", help="Folder to write; must be new or empty.")
@click.option(
    "--size",
    type=click.IntRange(min=1),
    metavar="PIXELS",
    help="Side length of a crop; by default, 512, or 896 with --rule isaid.",
)
@click.option(
    "--stride", type=click.IntRange(min=1), metavar="PIXELS", help="Stride of the crops; by default, that of the rule."
)
@click.option(
    "--rule", type=click.Choice(["plain", "isprs", "isaid"]), default="plain", show_default=True,
    help="How crops are placed: by size and stride, or as in published converters.",
)  # fmt: skip
@click.option(
    "--layout", type=click.Choice(["geotiff", "openmmlab", "published"]), default="geotiff", show_default=True,
    metavar="[geotiff|openmmlab]",
    help="Georeferenced GeoTIFF, or PNG with the folders, names and label values of OpenMMLab's converters.",
)  # fmt: skip
@click.option(
    "--labels",
    type=options.FILE,
    metavar="DIR",
    help="Folder of label rasters with the same names as the scenes, which are cut in the same way.",
)
@click.option("--keep-empty", is_flag=True, help="Also write crops without valid pixels.")
@click.option("--count", is_flag=True, help="Write nothing; print the number of crops.")
@options.overwrite
@options.verbosity
def tile(
    *,
    scenes: tuple[str, ...],
    output: str | None,
    size: int | None,
    stride: int | None,
    rule: Literal["plain", "isprs", "isaid"],
    layout: Literal["geotiff", "openmmlab"],
    labels: str | None,
    keep_empty: bool,
    count: bool,
    overwrite: bool,
) -> None:
    """Cut SCENES into crops of the same size.

    SCENES are raster files, folders of rasters, or a folder written by geoseg prepare, whose masks are also cut. The
    last crop of a row or column is shifted inward. Prints the folder.
    """
    if count == (output is not None):
        raise click.UsageError("use either -o DIR or --count")
    from geoseg._text import count as count_text
    from geoseg.data.export import export_crops as tiling

    if output is None:
        for split, number in tiling.count_crops(scenes, size=size, stride=stride, rule=rule, layout=layout).items():
            console.print_result(f"{split}: {number}" if split else str(number))
        return
    tiled = tiling.tile(
        scenes, Path(output), size=size, stride=stride, rule=rule, layout=layout, labels=labels,
        keep_empty=keep_empty, overwrite=overwrite, progress=current_progress(),
    )  # fmt: skip
    for split, number in tiled.crops.items():
        console.print_status(f"{f'{split}: ' if split else ''}{count_text(number, 'crop')}")
    if tiled.skipped:
        console.print_status(f"{count_text(tiled.skipped, 'empty crop')} skipped (--keep-empty writes them)")
    console.print_result(str(tiled.path))
