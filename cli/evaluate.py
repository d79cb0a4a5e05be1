"""``geoseg evaluate``: how good a model or a mask is."""

from pathlib import Path

import click

from . import options, talk
from .progress import bars


@click.command()
@click.argument("recipe", required=False, shell_complete=options.complete_recipe)
@options.overrides
@options.model
@click.option("--split", metavar="NAME", default="val", show_default=True, help="Scenes of RECIPE to score.")
@options.tile
@options.mode
@options.stride
@options.tta
@options.device
@click.option("--mask", type=options.FILE, metavar="MASK", help="Score this mask instead of a model.")
@click.option(
    "--reference", type=options.FILE, metavar="FILE",
    help="What is right for MASK: a raster on the same grid, or polygons in any CRS.",
)  # fmt: skip
@click.option("--column", metavar="NAME", help="Attribute of the reference polygons that names their class.")
@click.option("--class", "polygon_class", metavar="CLASS", help="Class of all reference polygons; else the last one.")
@click.option("--background", metavar="CLASS", help="Class outside reference polygons; else no pixel there counts.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="PATH", help="Also write it all as JSON.")
@options.overwrite
@options.talk
def evaluate(
    *,
    recipe: str | None,
    overrides: tuple[str, ...],
    model: str | None,
    split: str,
    tile: int | None,
    mode: str,
    stride: int | None,
    tta: str,
    device: str | None,
    mask: str | None,
    reference: str | None,
    column: str | None,
    polygon_class: str | None,
    background: str | None,
    json_path: Path | None,
    overwrite: bool,
) -> None:
    """Score a model on the scenes of RECIPE, or --mask against --reference.

    Prints a table: intersection over union, F1, precision and recall per class, in percent.
    """
    if (recipe is None) == (mask is None) or (mask is None) != (reference is None):
        raise click.UsageError("give either a recipe, or both --mask and --reference")
    if recipe is not None and (column or polygon_class or background):
        raise click.UsageError("--column, --class and --background are for --reference polygons")
    if mask is not None and (tile or stride or mode != "blended" or tta != "none"):
        raise click.UsageError("--tile, --mode, --stride and --tta say how a model predicts, not how --mask is scored")
    from geoseg.evaluation.report import table, write_json
    from geoseg.raster.output import check_writable

    if json_path is not None:
        check_writable(json_path, overwrite)
    if mask is not None and reference is not None:
        from geoseg.evaluation.mask import evaluate_mask

        evaluation = evaluate_mask(
            mask, reference, column=column, polygon_class=polygon_class, background=background, progress=bars()
        )
    else:
        from geoseg.config.load import load_recipe
        from geoseg.evaluation.model import evaluate_model

        loaded = load_recipe(str(recipe), overrides)
        evaluation = evaluate_model(
            loaded,
            model=options.chosen_model(model),
            split=split,
            tile=tile,
            mode=mode,
            stride=stride,
            tta=tta,
            device=device or "auto",
            progress=bars(),
        )
    talk.result(table(evaluation))
    if json_path is not None:
        write_json(evaluation, json_path)
        talk.say(f"All numbers: {json_path}")
