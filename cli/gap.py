"""`geoseg gap`: measure the domain shift between scenes, without labels."""

import click

from . import console, options
from .progress import current_progress


@click.command()
@click.argument("target")
@click.argument("source", required=False)
@click.option(
    "--model",
    type=options.FILE,
    metavar="MODEL",
    help="Model whose features and predictions are compared; by default, only pixels are compared.",
)
@click.option(
    "-o", "--output", type=options.FILE, metavar="HTML", default="gap.html", show_default=True,
    help="HTML file to write; a JSON file with the same name is also written.",
)  # fmt: skip
@options.overrides
@click.option(
    "--crops", type=click.IntRange(min=1), default=48, show_default=True, metavar="N",
    help="Number of crops from each domain.",
)  # fmt: skip
@click.option("--gsd", type=float, metavar="METERS", help="Meters per pixel, for scenes without a CRS.")
@options.device
@options.overwrite
@options.verbosity
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
    """Measure the domain shift from SOURCE, or from the training data of --model, to TARGET, and write a report.

    Each domain is RECIPE:SPLIT, a prepared folder (:SPLIT), a scene, a folder or a pattern. Labels are not used.
    """
    from geoseg.evaluation.domain_shift.measure_shift import measure_shift
    from geoseg.evaluation.domain_shift.shift_report import check_shift_report, write_shift_report
    from geoseg.inference.model_lookup import find_model

    check_shift_report(output, overwrite=overwrite)
    shift = measure_shift(
        target,
        source,
        model=None if model is None else find_model(model).path,
        overrides=overrides,
        crops=crops,
        gsd=gsd,
        device=device or "auto",
        progress=current_progress(),
    )
    console.print_result(str(write_shift_report(shift, output)))
