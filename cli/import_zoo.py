"""``geoseg import-zoo``: a published OpenMMLab checkpoint becomes a model."""

import click

from . import options, talk


@click.command("import-zoo")
@click.argument("checkpoint", type=options.FILE)
@click.option(
    "-o", "--output", type=options.FILE, metavar="MODEL", required=True, help="Model to write (*.safetensors)."
)
@click.option(
    "--recipe", metavar="RECIPE", shell_complete=options.complete_recipe,
    help="Says what CHECKPOINT does not: output stride, legend, bands, GSD, tile.",
)  # fmt: skip
@options.overwrite
@options.talk
def import_zoo(*, checkpoint: str, output: str, recipe: str | None, overwrite: bool) -> None:
    """Turn CHECKPOINT, a .pth file of mmsegmentation, into a model.

    Takes DeepLabV3 and DeepLabV3+ on ResNets, from 0.x and 1.x. Says what it found and what it assumed; prints the path
    of the model.
    """
    from geoseg.config.load import load_recipe
    from geoseg.importers.import_checkpoint import import_zoo as to_bundle

    imported = to_bundle(checkpoint, output, recipe=load_recipe(recipe) if recipe else None, overwrite=overwrite)
    for note in imported.notes:
        talk.say(f"Note: {note}")
    talk.result(str(imported.path))
