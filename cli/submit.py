"""`geoseg submit`: write or check a submission to a benchmark server."""

import click

from . import console, options
from .progress import current_progress


@click.command()
@click.argument("benchmark", type=click.Choice(["loveda"]), required=False)
@options.model
@click.option(
    "--data",
    type=options.FILE,
    metavar="DIR",
    help="Folder with the test images: Test.zip or its files.",
)
@click.option("-o", "--output", type=options.FILE, metavar="ZIP", help="Submission to write.")
@click.option(
    "--phase", type=click.Choice(["all", "urban", "rural"]),
    help="Phase of the benchmark; by default, all, or with --check, the best matching phase.",
)  # fmt: skip
@click.option("--whole", is_flag=True, help="Predict each image as a single tile.")
@options.device
@click.option(
    "--check", "to_check", type=options.FILE, metavar="FILE", help="Predict nothing; check whether FILE is valid."
)
@options.overwrite
@options.verbosity
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
    """Write masks for the test images of BENCHMARK (loveda) to a zip file for its server, or check such a file.

    No file is written if the server would reject it. Prints the path of the file.
    """
    if to_check is not None:
        if model or data or output or whole or device or overwrite:
            raise click.UsageError("--check can only be combined with --phase")
        from geoseg.evaluation.submission.check_loveda import check_submission

        console.print_result(str(check_submission(to_check, phase=phase, progress=current_progress()).require_valid()))
        return
    if benchmark is None or data is None or output is None:
        raise click.UsageError("use loveda with --data and --output, or --check FILE")
    from geoseg.evaluation.submission.loveda import submit as to_zip

    checked = to_zip(
        options.chosen_model(model),
        data,
        output,
        phase=phase or "all",
        whole=whole,
        device=device or "auto",
        overwrite=overwrite,
        progress=current_progress(),
    )
    console.print_status(f"Checked: {checked}")
    console.print_result(output)
