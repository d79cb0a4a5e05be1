"""`geoseg train`: train a network from a recipe."""

import signal
from pathlib import Path

import click

from . import console, options
from .progress import current_progress


@click.command()
@options.recipe
@options.overrides
@click.option("--name", metavar="NAME", help="Name of the run folder; by default, the name of the recipe.")
@click.option(
    "--runs", type=click.Path(path_type=Path), metavar="DIR", default=Path("runs"), show_default=True,
    help="Folder that contains all runs; its link `latest` points to the most recent run.",
)  # fmt: skip
@options.device
@click.option("--devices", metavar="N", default="1", show_default=True, help="Devices per machine, or auto for all.")
@click.option("--nodes", type=click.IntRange(min=1), metavar="N", default=1, show_default=True, help="Machines.")
@click.option("--resume", is_flag=True, help="Fail if there is no interrupted run to resume.")
@click.option("--fresh", is_flag=True, help="Start a new run even if one was interrupted.")
@options.verbosity
def train(
    *,
    recipe: str,
    overrides: tuple[str, ...],
    name: str | None,
    runs: Path,
    device: str | None,
    devices: str,
    nodes: int,
    resume: bool,
    fresh: bool,
) -> None:
    """Train a network from RECIPE and keep the best model.

    RECIPE is a YAML file or the name of an included recipe (see geoseg recipes). An interrupted run is resumed from its
    last checkpoint by the same command. SIGTERM and Ctrl-C stop training after the current step. Prints the path of the
    model.
    """
    if resume and fresh:
        raise click.UsageError("--resume and --fresh cannot be combined")
    if devices != "auto" and not devices.isdecimal():
        raise click.UsageError(f"invalid --devices {devices!r}; use a number or auto")
    from geoseg._text import percent
    from geoseg.config.load import load_recipe
    from geoseg.training.interrupts import TrainingInterrupted
    from geoseg.training.process_rank import is_main_process, report_once
    from geoseg.training.train import train as train_recipe

    from .main import STOPPED

    if device is not None:
        overrides = (*overrides, f"train.device={device}")
    try:
        with report_once():
            result = train_recipe(
                load_recipe(recipe, overrides), runs=runs, name=name, devices=devices, nodes=nodes,
                resume=resume, fresh=fresh, progress=current_progress(),
            )  # fmt: skip
    except TrainingInterrupted as interrupted:
        if interrupted.signal != signal.SIGINT:
            raise
        console.print_error(interrupted.message, interrupted.hint)
        click.get_current_context().exit(STOPPED)
    if not is_main_process():
        return
    for score, value in result.bundle.card.scores.items():
        console.print_status(f"{score}: {percent(value)}%")
    console.print_result(str(result.path))
