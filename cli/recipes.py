"""`geoseg recipes`: list the included recipes."""

import click

from . import console, options


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@options.verbosity
def recipes(*, as_json: bool) -> None:
    """List the name and description of each recipe included in geoseg."""
    from geoseg.config.load import list_recipes

    descriptions = {name.removesuffix(".yaml"): text for name, text in list_recipes().items()}
    if as_json:
        console.print_json(descriptions)
    else:
        console.print_result(console.table(("recipe", "description"), list(descriptions.items())))
