"""`geoseg report`: write an HTML report of scores and errors."""

from pathlib import Path
from typing import Any

import click

from . import console, options
from .progress import current_progress


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=options.FILE)
@click.option(
    "-o", "--output", type=options.FILE, metavar="HTML", default="report.html", show_default=True,
    help="HTML file to write; JSON and Markdown files with the same name are also written.",
)  # fmt: skip
@click.option(
    "--recipe", metavar="RECIPE", help="Recipe or prepared folder to evaluate on; by default, the recipe of each RUN."
)
@options.overrides
@click.option("--split", metavar="NAME", default="val", show_default=True, help="Scenes of the recipe to evaluate on.")
@click.option(
    "--scene",
    type=options.FILE,
    metavar="SCENE",
    help="Scenes to evaluate on, with --reference; or the scenes that belong to --mask.",
)
@click.option("--mask", type=options.FILE, metavar="MASK", help="Masks to report on, instead of runs.")
@click.option("--reference", type=options.FILE, metavar="FILE", help="Reference labels for SCENE or MASK.")
@options.labels
@options.scoring
@click.option("--gsd", type=float, metavar="METERS", help="Meters per pixel, for scenes and masks without a CRS.")
@options.tile
@options.mode
@options.stride
@options.tta
@options.device
@options.overwrite
@options.verbosity
def report(
    *,
    runs: tuple[str, ...],
    output: str,
    recipe: str | None,
    overrides: tuple[str, ...],
    split: str,
    mask: str | None,
    reference: str | None,
    overwrite: bool,
    objects: str | None,
    device: str | None,
    **given: Any,
) -> None:
    """Evaluate each RUN (a run folder or a model) and write a self-contained HTML report.

    The default RUN is the most recent one. Several runs are compared in one report. Prints the path of the report.
    """
    scene = given.pop("scene")
    if (reference is not None) != (scene is not None or mask is not None):
        raise click.UsageError("--reference requires --scene or --mask")
    if mask is not None and (runs or recipe):
        raise click.UsageError("--mask cannot be combined with RUN or --recipe")
    if mask is None and given["confidence"]:
        raise click.UsageError("--confidence requires --mask; with a model, confidence is computed")
    from geoseg.evaluation.report.write_report import report as write

    models = [] if mask is not None else [_model(run) for run in runs] or [options.chosen_model(None)]
    page = write(
        models,
        output,
        recipe=recipe,
        overrides=overrides,
        split=split,
        mask=mask,
        scene=scene,
        reference=reference,
        objects=objects.split(",") if objects else (),
        device=device or "auto",
        overwrite=overwrite,
        progress=current_progress(),
        **given,
    )
    console.print_result(str(page))
    console.print_status(f"Also written: {page.with_suffix('.json').name}, {page.with_suffix('.md').name}")


def _model(run: str) -> Path:
    """Return the best model of a run folder, or the model itself."""
    from geoseg.inference.model_lookup import find_model

    return find_model(run).path
