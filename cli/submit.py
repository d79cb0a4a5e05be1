"""``geoseg submit``: predictions for a benchmark whose labels only its server knows."""

import click

from . import options, talk
from .progress import bars


@click.command()
@click.argument("benchmark", type=click.Choice(["loveda"]), required=False)
@options.model
@click.option("--data", type=options.FILE, metavar="DIR", help="Folder of the test images: Test.zip, or unpacked.")
@click.option("-o", "--output", type=options.FILE, metavar="ZIP", help="Submission to write.")
@click.option(
    "--phase", type=click.Choice(["all", "urban", "rural"]),
    help="Images of which phase; else all of them, or with --check the phase that fits best.",
)  # fmt: skip
@click.option("--whole", is_flag=True, help="Show the network each image at once, not in the model's own tiles.")
@options.device
@click.option("--check", "to_check", type=options.FILE, metavar="FILE", help="Predict nothing; say if FILE is valid.")
@options.overwrite
@options.talk
def submit(
    *,
    benchmark: str | None,
    model: str | None,
    data: str | None,
    output: str | None,
    phase: str | None,
    whole: bool,
    device: str | None,
    to_check: str | None,
    overwrite: bool,
) -> None:
    """Predict the test images of BENCHMARK (loveda) into a zip for its server, or --check such a zip.

    A zip that the server would refuse is not written. Prints the path of the zip.
    """
    if to_check is not None:
        if model or data or output or whole or device or overwrite:
            raise click.UsageError("--check goes with --phase, and with no other option")
        from geoseg.evaluation.submission.check_loveda import check_submission

        talk.result(str(check_submission(to_check, phase=phase, progress=bars()).require_valid()))
        return
    if benchmark is None or data is None or output is None:
        raise click.UsageError("give loveda, --data and --output, or a zip to --check")
    from geoseg.evaluation.submission.loveda import submit as to_zip

    checked = to_zip(
        options.chosen_model(model),
        data,
        output,
        phase=phase or "all",
        whole=whole,
        device=device or "auto",
        overwrite=overwrite,
        progress=bars(),
    )
    talk.say(f"Checked: {checked}")
    talk.result(output)
