"""``geoseg train``: a recipe becomes a model."""

import signal
from pathlib import Path

import click

from . import options, talk
from .progress import bars


@click.command()
@options.recipe
@options.overrides
@click.option("--name", metavar="NAME", help="Name of the run's folder; else the recipe's name (and a number).")
@click.option(
    "--runs", type=click.Path(path_type=Path), metavar="DIR", default=Path("runs"), show_default=True,
    help="Folder for runs; its `latest` points to the newest one.",
)  # fmt: skip
@options.device
@click.option("--devices", metavar="N", default="1", show_default=True, help="Devices per machine; auto takes all.")
@click.option("--nodes", type=click.IntRange(min=1), metavar="N", default=1, show_default=True, help="Machines.")
@click.option("--resume", is_flag=True, help="Go on with the newest interrupted run, or say why that cannot be.")
@click.option("--fresh", is_flag=True, help="Begin anew even if a run of this name and recipe was interrupted.")
@options.talk
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
    """Train a network as RECIPE says, and keep the best model.

    RECIPE is a YAML file, or the name of a recipe that comes with geoseg (see geoseg recipes). If the same command was
    interrupted before, it goes on from the last checkpoint. SIGTERM and Ctrl-C end it in order, after the current step.
    Prints the path of the model.
    """
    if resume and fresh:
        raise click.UsageError("--resume and --fresh exclude each other")
    if devices != "auto" and not devices.isdecimal():
        raise click.UsageError(f"--devices is {devices!r}; give a number, or auto")
    from geoseg.config.load import load_recipe
    from geoseg.training.distributed import one_voice
    from geoseg.training.interrupts import Stopped
    from geoseg.training.train import train as fit

    from .main import STOPPED

    if device is not None:
        overrides = (*overrides, f"train.device={device}")
    try:
        with one_voice():
            training = fit(
                load_recipe(recipe, overrides), runs=runs, name=name, devices=devices, nodes=nodes,
                resume=resume, fresh=fresh, progress=bars(),
            )  # fmt: skip
    except Stopped as stopped:
        if stopped.signal != signal.SIGINT:
            raise
        talk.complain(stopped.message, stopped.hint)
        click.get_current_context().exit(STOPPED)
    if not training.is_first:
        return
    for score, value in training.bundle.card.scores.items():
        talk.say(f"{score}: {value:.4f}")
    talk.result(str(training.path))
