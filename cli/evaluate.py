"""``geoseg evaluate``: how good a model or a mask is."""

from pathlib import Path
from typing import Any

import click

from . import options, talk
from .progress import bars

WAYS = "give either a recipe, or both --mask and --reference, or both --scene and --reference"


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
@click.option("--mask", type=options.FILE, metavar="MASK", help="Score this mask, or those in a folder or pattern.")
@click.option(
    "--scene", type=options.FILE, metavar="SCENE", help="Score a model on this scene, or a folder or pattern."
)
@click.option(
    "--reference", type=options.FILE, metavar="FILE",
    help="What is right for MASK or SCENE: raster or polygons; or a folder or pattern with files of the same names.",
)  # fmt: skip
@options.labels
@options.scoring
@click.option("--bands", metavar="A,B,C", help="Bands of SCENE in the model's order, by name or number from 1.")
@click.option("--gsd", type=float, metavar="METRES", help="Metres per pixel of scenes and masks without CRS.")
@click.option("--per-scene", is_flag=True, help="Also print a row per scene, the worst first.")
@click.option("--markdown", is_flag=True, help="Print tables as Markdown.")
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
    json_path: Path | None,
    overwrite: bool,
    markdown: bool,
    per_scene: bool,
    objects: str | None,
    **files: Any,
) -> None:
    """Score a model on the scenes of RECIPE or on --scene, or --mask against --reference.

    RECIPE may be the folder of a prepared dataset. Prints tables in percent, and the protocol they were counted by.
    """
    mask, scene = files["mask"], files["scene"]
    _require_one_way(recipe, mask, scene, files["reference"])
    if recipe is not None and any(files[name] for name in options.LABELS):
        raise click.UsageError("--column, --class, --background, --ignore and --resample are for --reference")
    if mask is not None and (tile or stride or mode != "blended" or tta != "none"):
        raise click.UsageError("--tile, --mode, --stride and --tta say how a model predicts, not how --mask is scored")
    if scene is None and files["bands"]:
        raise click.UsageError("--bands is for --scene; a recipe says itself which bands there are")
    if mask is None and files["confidence"]:
        raise click.UsageError("--confidence is for --mask; a model says by itself how sure it is")
    from geoseg._files import check_writable
    from geoseg.evaluation.write_scores import table, write_json

    if json_path is not None:
        check_writable(json_path, overwrite)
    how = {"tile": tile, "mode": mode, "stride": stride, "tta": tta, "device": device or "auto", "gsd": files["gsd"]}
    what: dict[str, Any] = {
        "protocols": files["protocols"],
        "boundary_m": files["boundary_m"],
        "objects": objects.split(",") if objects else (),
        "progress": bars(),
    }
    labels = {name: files[name] for name in options.LABELS}
    if mask is not None:
        from geoseg.evaluation.evaluate_masks import evaluate_mask

        more = {"confidence": files["confidence"], "gsd": files["gsd"]}
        evaluation = evaluate_mask(mask, files["reference"], **labels, **more, **what)
    elif scene is not None:
        from geoseg.evaluation.evaluate_scenes import evaluate_scenes

        how["bands"] = files["bands"]
        evaluation = evaluate_scenes(
            scene, files["reference"], model=options.chosen_model(model), **labels, **what, **how
        )
    else:
        from geoseg.evaluation.dataset import recipe_of
        from geoseg.evaluation.evaluate_model import evaluate_model

        loaded = recipe_of(str(recipe), overrides)
        evaluation = evaluate_model(loaded, model=options.chosen_model(model), split=split, **what, **how)
    talk.result(table(evaluation, markdown=markdown, per_scene=per_scene))
    if json_path is not None:
        write_json(evaluation, json_path)
        talk.say(f"All numbers: {json_path}")


def _require_one_way(recipe: str | None, mask: str | None, scene: str | None, reference: str | None) -> None:
    given = [each for each in (recipe, mask, scene) if each is not None]
    if len(given) != 1 or (recipe is None) != (reference is not None):
        raise click.UsageError(WAYS)
