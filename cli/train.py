"""``geoseg train``: a recipe becomes a model."""

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
@options.talk
def train(recipe: str, overrides: tuple[str, ...], name: str | None, runs: Path, device: str | None) -> None:
    """Train a network as RECIPE says, and keep the best model.

    RECIPE is a YAML file, or the name of a recipe that comes with geoseg (see geoseg recipes). Prints the path of the
    model.
    """
    from geoseg.config.load import load_recipe
    from geoseg.training.fit import train as fit

    if device is not None:
        overrides = (*overrides, f"train.device={device}")
    training = fit(load_recipe(recipe, overrides), runs=runs, name=name, progress=bars())
    for score, value in training.bundle.card.scores.items():
        talk.say(f"{score}: {value:.4f}")
    talk.result(str(training.path))
