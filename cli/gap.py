"""``geoseg gap``: how far a target lies from what a model learnt, told without labels."""

import click

from . import options, talk
from .progress import bars


@click.command()
@click.argument("target")
@click.argument("source", required=False)
@click.option(
    "--model", type=options.FILE, metavar="MODEL", help="Look through its eyes; else only pixels are compared."
)
@click.option(
    "-o", "--output", type=options.FILE, metavar="HTML", default="gap.html", show_default=True,
    help="Page to write; JSON of the same name goes beside it.",
)  # fmt: skip
@options.overrides
@click.option(
    "--crops", type=click.IntRange(min=1), default=48, show_default=True, metavar="N",
    help="Windows to look at on each side.",
)  # fmt: skip
@click.option("--gsd", type=float, metavar="METRES", help="Metres per pixel of scenes without CRS.")
@options.device
@options.overwrite
@options.talk
def gap(
    *,
    target: str,
    source: str | None,
    model: str | None,
    output: str,
    overrides: tuple[str, ...],
    crops: int,
    gsd: float | None,
    device: str | None,
    overwrite: bool,
) -> None:
    """Compare TARGET with SOURCE, or with what --model learnt from, and write one page of pictures.

    Each side is RECIPE:SPLIT, a prepared folder (:SPLIT), or a scene, a folder or a pattern. Labels are not looked at.
    """
    from geoseg.evaluation.domain_shift.measure_shift import measure_gap
    from geoseg.evaluation.domain_shift.shift_report import check_gap, write_gap
    from geoseg.inference.model_lookup import choose_model

    check_gap(output, overwrite=overwrite)
    found = measure_gap(
        target,
        source,
        model=None if model is None else choose_model(model).path,
        overrides=overrides,
        crops=crops,
        gsd=gsd,
        device=device or "auto",
        progress=bars(),
    )
    talk.result(str(write_gap(found, output)))
