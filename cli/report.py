"""``geoseg report``: one page that shows how good a run is and where it fails."""

from pathlib import Path
from typing import Any

import click

from . import options, talk
from .progress import bars


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=options.FILE)
@click.option(
    "-o", "--output", type=options.FILE, metavar="HTML", default="report.html", show_default=True,
    help="Page to write; JSON and Markdown of the same name go beside it.",
)  # fmt: skip
@click.option(
    "--recipe", metavar="RECIPE", help="Judge on its scenes (or a prepared folder's); else each RUN on its own."
)
@options.overrides
@click.option("--split", metavar="NAME", default="val", show_default=True, help="Scenes of the recipe to judge on.")
@click.option(
    "--scene", type=options.FILE, metavar="SCENE", help="Judge on scenes with --reference; or those of --mask."
)
@click.option("--mask", type=options.FILE, metavar="MASK", help="Report on masks instead of runs.")
@click.option("--reference", type=options.FILE, metavar="FILE", help="What is right for SCENE or MASK.")
@options.labels
@options.scoring
@click.option("--gsd", type=float, metavar="METRES", help="Metres per pixel of scenes and masks without CRS.")
@options.tile
@options.mode
@options.stride
@options.tta
@options.device
@options.overwrite
@options.talk
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
    **given: Any,
) -> None:
    """Judge each RUN (a run's folder, or a model) and write one HTML page that opens by double click.

    Without RUN the newest one is meant. Several stand side by side. Prints the path of the page.
    """
    scene = given.pop("scene")
    if (reference is not None) != (scene is not None or mask is not None):
        raise click.UsageError("--reference goes with --scene or --mask")
    if mask is not None and (runs or recipe):
        raise click.UsageError("--mask is judged by itself: leave RUN and --recipe out")
    if mask is None and given["confidence"]:
        raise click.UsageError("--confidence is for --mask; a model says by itself how sure it is")
    from geoseg.evaluation.report.run_data import report_masks, report_run, report_scenes
    from geoseg.evaluation.report.write_report import check_report, write_report

    check_report(output, overwrite=overwrite)
    what = {name: given[name] for name in ("protocols", "boundary_m")}
    what |= {"objects": objects.split(",") if objects else (), "progress": bars()}
    labels = {name: given[name] for name in options.LABELS}
    how = {name: given[name] for name in ("tile", "mode", "stride", "tta", "gsd")} | {
        "device": given["device"] or "auto"
    }
    if mask is not None and reference is not None:
        found = [
            report_masks(
                mask, reference, scene=scene, confidence=given["confidence"], gsd=given["gsd"], **labels, **what
            )
        ]
    else:
        models = [_model(run) for run in runs] or [options.chosen_model(None)]
        if scene is not None and reference is not None:
            found = [report_scenes(model, scene, reference, **labels, **what, **how) for model in models]
        else:
            found = [
                report_run(model, recipe=recipe, overrides=overrides, split=split, **what, **how) for model in models
            ]
    page = write_report(found, output)
    talk.result(str(page))
    talk.say(f"Beside it: {page.with_suffix('.json').name}, {page.with_suffix('.md').name}")


def _model(run: str) -> Path:
    """The best model of a run's folder, or the model itself."""
    from geoseg.inference.model_lookup import choose_model

    return choose_model(run).path
