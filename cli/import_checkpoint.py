"""`geoseg import`: convert a published checkpoint to a model."""

import click

from . import console, options


@click.command("import")
@click.argument("checkpoint", type=options.FILE)
@click.option(
    "-o", "--output", type=options.FILE, metavar="MODEL", required=True, help="Model to write (*.safetensors)."
)
@click.option(
    "--recipe", metavar="RECIPE", shell_complete=options.complete_recipe,
    help="Recipe that supplies what CHECKPOINT does not contain: output stride, legend, bands, GSD, tile size.",
)  # fmt: skip
@options.overwrite
@options.verbosity
def import_checkpoint(*, checkpoint: str, output: str, recipe: str | None, overwrite: bool) -> None:
    """Convert CHECKPOINT, a .pth file from mmsegmentation, to a model.

    Supports DeepLabV3 and DeepLabV3+ with ResNet backbones from mmsegmentation 0.x and 1.x. Prints detected and assumed
    settings to stderr and the path of the model to stdout.
    """
    from geoseg.config.load import load_recipe
    from geoseg.importers.import_checkpoint import import_checkpoint as convert

    imported = convert(checkpoint, output, recipe=load_recipe(recipe) if recipe else None, overwrite=overwrite)
    for note in imported.notes:
        console.print_status(f"Note: {note}")
    console.print_result(str(imported.path))
