"""``geoseg recipes``: what can be trained without writing a recipe."""

import click

from . import options, talk


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@options.talk
def recipes(*, as_json: bool) -> None:
    """List the recipes that come with geoseg: name and description."""
    from geoseg.config.load import recipe_names

    descriptions = {name.removesuffix(".yaml"): text for name, text in recipe_names().items()}
    if as_json:
        talk.result_json(descriptions)
    else:
        talk.result(talk.table(("recipe", "description"), list(descriptions.items())))
