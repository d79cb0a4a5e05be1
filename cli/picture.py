"""``geoseg picture``: a scene and what was made of it, side by side, to look at."""

import click

from . import options, talk


@click.command()
@click.argument("scene", type=options.FILE)
@click.option("-o", "--output", type=options.FILE, metavar="PNG", required=True, help="Picture to write.")
@click.option("--mask", type=options.FILE, metavar="MASK", help="Mask on SCENE's grid.")
@click.option(
    "--reference", type=options.FILE, metavar="FILE", help="Labels: a raster on SCENE's grid, or polygons in any CRS."
)
@click.option("--polygons", type=options.FILE, metavar="POLYGONS", help="Polygons to outline, in any CRS.")
@click.option(
    "--longest", type=click.IntRange(min=16), metavar="PIXELS", default=1024, show_default=True,
    help="Longest side of each image.",
)  # fmt: skip
@options.overwrite
@options.talk
def picture(
    *,
    scene: str,
    output: str,
    mask: str | None,
    reference: str | None,
    polygons: str | None,
    longest: int,
    overwrite: bool,
) -> None:
    """Draw SCENE beside its mask, reference and polygons into one PNG, with the legend below.

    Given both, a further image shows where mask and reference differ. Prints the path of the picture.
    """
    from geoseg.plotting.panels import scene_picture

    written = scene_picture(
        scene, output, mask=mask, reference=reference, polygons=polygons, longest=longest, overwrite=overwrite
    )
    talk.result(str(written))
