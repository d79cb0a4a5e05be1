"""`geoseg picture`: draw a scene, its mask, reference and polygons."""

import click

from . import console, options


@click.command()
@click.argument("scene", type=options.FILE)
@click.option("-o", "--output", type=options.FILE, metavar="PNG", required=True, help="Image to write.")
@click.option("--mask", type=options.FILE, metavar="MASK", help="Mask on the grid of SCENE.")
@click.option(
    "--reference",
    type=options.FILE,
    metavar="FILE",
    help="Labels: a raster on the grid of SCENE, or polygons in any CRS.",
)
@click.option("--polygons", type=options.FILE, metavar="POLYGONS", help="Polygons to outline, in any CRS.")
@click.option(
    "--longest", type=click.IntRange(min=16), metavar="PIXELS", default=1024, show_default=True,
    help="Length of the longer side of each panel.",
)  # fmt: skip
@options.overwrite
@options.verbosity
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
    """Draw SCENE next to its mask, reference and polygons in a single PNG, with the legend below.

    With a mask and a reference, an additional panel shows where they differ. Prints the path of the image.
    """
    from geoseg.plotting.panels import plot_scene

    written = plot_scene(
        scene, output, mask=mask, reference=reference, polygons=polygons, longest=longest, overwrite=overwrite
    )
    console.print_result(str(written))
