"""`geoseg evaluate`: score a model or a mask against reference labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import console, options
from .progress import current_progress

if TYPE_CHECKING:
    from geoseg.inference.options import ModeName, TtaName

WAYS = "use either RECIPE, or --mask with --reference, or --scene with --reference"


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
@click.option("--mask", type=options.FILE, metavar="MASK", help="Mask to score, or a folder or pattern of masks.")
@click.option(
    "--scene", type=options.FILE, metavar="SCENE", help="Scene to score a model on, or a folder or pattern of scenes."
)
@click.option(
    "--reference", type=options.FILE, metavar="FILE",
    help="Reference labels for MASK or SCENE: a raster or polygons, or a folder or pattern of files with the same names.",
)  # fmt: skip
@options.labels
@options.scoring
@click.option("--bands", metavar="A,B,C", help="Bands of SCENE, by name or 1-based number, in the order of the model.")
@click.option("--gsd", type=float, metavar="METERS", help="Meters per pixel, for scenes and masks without a CRS.")
@click.option("--per-scene", is_flag=True, help="Also print one row per scene, lowest scores first.")
@click.option("--markdown", is_flag=True, help="Print tables as Markdown.")
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Also write all scores and counts as JSON.",
)
@options.overwrite
@options.verbosity
def evaluate(
    *,
    recipe: str | None,
    overrides: tuple[str, ...],
    model: str | None,
    split: str,
    tile: int | None,
    mode: "ModeName",
    stride: int | None,
    tta: "TtaName",
    device: str | None,
    json_path: Path | None,
    overwrite: bool,
    markdown: bool,
    per_scene: bool,
    objects: str | None,
    **files: Any,
) -> None:
    """Score a model on the scenes of RECIPE or on --scene, or score --mask, against reference labels.

    RECIPE can be the folder of a prepared dataset. Prints the scores in percent and their protocol.
    """
    mask, scene = files.pop("mask"), files.pop("scene")
    _require_one_way(recipe, mask, scene, files["reference"])
    if recipe is not None and any(files[name] for name in options.LABELS):
        raise click.UsageError(
            "--column, --class, --background, --priority, --layer, --ignore and --resample require --reference"
        )
    if mask is not None and (tile or stride or mode != "blended" or tta != "none"):
        raise click.UsageError("--tile, --mode, --stride and --tta cannot be combined with --mask")
    if scene is None and files["bands"]:
        raise click.UsageError("--bands requires --scene; a recipe defines its own bands")
    if mask is None and files["confidence"]:
        raise click.UsageError("--confidence requires --mask; with a model, confidence is computed")
    from geoseg._output_files import check_writable
    from geoseg.evaluation.evaluate import evaluate as score
    from geoseg.evaluation.resolve_recipe import resolve_recipe
    from geoseg.evaluation.write_scores import format_table, write_json

    if json_path is not None:
        check_writable(json_path, overwrite)
    evaluation = score(
        None if recipe is None else resolve_recipe(recipe, overrides),
        model=options.chosen_model(model) if mask is None else None,
        split=split,
        mask=mask,
        scene=scene,
        objects=objects.split(",") if objects else (),
        tile=tile,
        mode=mode,
        stride=stride,
        tta=tta,
        device=device or "auto",
        progress=current_progress(),
        **files,
    )
    console.print_result(format_table(evaluation, markdown=markdown, per_scene=per_scene))
    if json_path is not None:
        write_json(evaluation, json_path)
        console.print_status(f"All numbers: {json_path}")


def _require_one_way(recipe: str | None, mask: str | None, scene: str | None, reference: str | None) -> None:
    given = [each for each in (recipe, mask, scene) if each is not None]
    if len(given) != 1 or (recipe is None) != (reference is not None):
        raise click.UsageError(WAYS)
