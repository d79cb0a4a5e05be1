"""`geoseg prepare`: convert labeled scenes for training."""

from pathlib import Path
from typing import Any

import click

from . import console, options
from .progress import current_progress


@click.command()
@options.recipe
@click.argument("archives", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="DIR",
    help="Folder for the prepared scenes; by default, a new one in data.prepared.",
)  # fmt: skip
@options.overrides
@click.option(
    "--compress",
    is_flag=True,
    help="Compress prepared files, which halves both the disk space and the number of crops read per second.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Convert nothing; report problems with the files, and exit with code 1 if there are any.",
)
@click.option("--download", is_flag=True, help="LoveDA only: first download its archives to ARCHIVES (9 GB).")
@options.overwrite
@options.verbosity
def prepare(
    *,
    recipe: str,
    archives: Path | None,
    output: Path | None,
    overrides: tuple[str, ...],
    compress: bool,
    check: bool,
    download: bool,
    overwrite: bool,
) -> None:
    """Convert the labeled scenes of RECIPE to files that training can crop quickly.

    RECIPE is a YAML file or the name of an included recipe, such as potsdam, vaihingen, isaid or loveda. ARCHIVES is
    the folder that contains the published archives, zipped or extracted. The command resumes an interrupted conversion.
    Prints the folder; train with --set data.root=DIR.
    """
    from geoseg.config.load import load_recipe

    root = () if archives is None else (f"data.root={archives}",)
    section = load_recipe(recipe, (*overrides, *root, *(("data.compress=true",) if compress else ()))).data
    if download:
        _download(section.dataset, archives)
    if check:
        _check(section)
        return
    from geoseg._text import count
    from geoseg.data.preparation.prepare import prepare as to_prepared

    name = Path(recipe).stem
    prepared = to_prepared(section, name, folder=output, overwrite=overwrite, progress=current_progress())
    for split in dict.fromkeys(scene.split for scene in prepared.all_scenes):
        members = prepared.scenes(split)
        pixels = sum(scene.height * scene.width for scene in members)
        console.print_status(f"{split}: {count(len(members), 'scene')}, {pixels / 1e6:,.0f} megapixels")
    console.print_result(str(prepared.folder))


def _download(dataset: str, archives: Path | None) -> None:
    if dataset != "loveda" or archives is None:
        raise click.UsageError("--download is only available for loveda and requires ARCHIVES")
    from geoseg.data.datasets.loveda import download_loveda

    download_loveda(archives)


def _check(section: Any) -> None:
    from geoseg._text import count
    from geoseg.data.preparation.validate_labels import validate_labels

    report = validate_labels(section, progress=current_progress())
    console.print_result(console.table(*report.table()))
    for remark in (*report.remarks, *(each for scene in report.scenes for each in scene.remarks)):
        console.print_result(f"Note: {remark}")
    for error in (*report.errors, *(each for scene in report.scenes for each in scene.errors)):
        console.print_result(f"Error: {error}")
    console.print_status(f"{count(len(report.scenes), 'scene')}, {count(report.error_count, 'error')}")
    if report.error_count:
        raise click.exceptions.Exit(1)
