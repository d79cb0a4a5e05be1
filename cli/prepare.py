"""``geoseg prepare``: archives of a benchmark, or folders of your own, become scenes to train on."""

from pathlib import Path
from typing import Any

import click

from . import options, talk
from .progress import bars


@click.command()
@options.recipe
@click.argument("archives", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="DIR",
    help="Folder for the prepared scenes; else a new one below data.prepared.",
)  # fmt: skip
@options.overrides
@click.option("--compress", is_flag=True, help="About half the disk space, about half the crops per second.")
@click.option("--check", is_flag=True, help="Convert nothing; say what is wrong with the files, exit 1 if anything is.")
@click.option("--download", is_flag=True, help="LoveDA only: fetch its archives into ARCHIVES first (9 GB).")
@options.overwrite
@options.talk
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
    """Convert the labelled scenes of RECIPE once, so that training can cut crops from them fast.

    RECIPE is a YAML file, or the name of a recipe that comes with geoseg: potsdam, vaihingen, isaid, loveda … ARCHIVES
    is the folder of what their owners publish, zipped or unpacked; zips are read where they lie. An interrupted run
    goes on where it was. Prints the folder, to train with --set data.root=DIR.
    """
    from geoseg.config.load import load_recipe

    root = () if archives is None else (f"data.root={archives}",)
    section = load_recipe(recipe, (*overrides, *root, *(("data.compress=true",) if compress else ()))).data
    if download:
        _download(section.dataset, archives)
    if check:
        _check(section)
        return
    from geoseg.data.preparation.prepare import prepare as to_prepared

    name = Path(recipe).stem
    prepared = to_prepared(section, name, folder=output, overwrite=overwrite, progress=bars())
    for split in dict.fromkeys(scene.split for scene in prepared.all_scenes):
        members = prepared.scenes(split)
        pixels = sum(scene.height * scene.width for scene in members)
        talk.say(f"{split}: {len(members)} scenes, {pixels / 1e6:,.0f} megapixels")
    talk.result(str(prepared.folder))


def _download(dataset: str, archives: Path | None) -> None:
    if dataset != "loveda" or archives is None:
        raise click.UsageError("--download is for loveda, and needs ARCHIVES")
    from geoseg.data.torchgeo.download import download_loveda

    download_loveda(archives)


def _check(section: Any) -> None:
    from geoseg.data.preparation.validate_labels import check

    found = check(section, progress=bars())
    talk.result(talk.table(*found.table()))
    for remark in (*found.remarks, *(each for scene in found.scenes for each in scene.remarks)):
        talk.result(f"Remark: {remark}")
    for error in (*found.errors, *(each for scene in found.scenes for each in scene.errors)):
        talk.result(f"Error: {error}")
    talk.say(f"{len(found.scenes)} scenes, {found.error_count} {'error' if found.error_count == 1 else 'errors'}")
    if found.error_count:
        raise click.exceptions.Exit(1)
