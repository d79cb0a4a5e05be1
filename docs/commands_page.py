"""Make the reference page of commands from the command line itself."""

from importlib.metadata import entry_points

import click

INTRODUCTION = """# Commands

All commands with their options. Made by `make docs` from the help texts; `geoseg COMMAND --help` prints the same.

Results are printed to standard output, so that they can be piped. Status messages, progress bars and errors are
printed to standard error.

| exit code | meaning |
|--:|---|
| 0 | success |
| 1 | an error that you can fix: a message and a hint are printed, and no incomplete output is left |
| 2 | wrong usage of the command line |
| 70 | a bug in geoseg: please report the printed text |
| 130 | stopped with Ctrl-C; no incomplete output is left |

Options of all commands, before or after the name of the command:

| option | meaning |
|---|---|
| `-v`, `--verbose` | print what is done; `-vv` prints debugging messages |
| `-q`, `--quiet` | print only results and errors |
| `-h`, `--help` | print the help text |
| `--version` | print the version (without a command) |

Progress bars appear in a terminal for work that takes more than two seconds. Existing files are only replaced with
`--overwrite`.
"""

EXAMPLES = {
    "prepare": ["potsdam ARCHIVES -o prepared/potsdam"],
    "tile": ["scene.tif -o crops --size 512 --stride 256"],
    "train": ["sample --set train.iterations=100"],
    "import": ["deeplabv3plus_r50-d8.pth -o potsdam.safetensors --recipe potsdam"],
    "predict": [
        "sample_data/images/collar.tif -o collar_mask.tif",
        "county.tif -o park.tif --bbox 13.33,52.50,13.38,52.53 --bbox-crs EPSG:4326",
        "county.tif -o parks.tif --aoi parks.gpkg",
        "flight/ -o masks/",
        "--mosaic sheets/a.tif sheets/b.tif -o town.tif",
        "https://example.org/county.tif -o park.tif --bbox 392000,5817000,393000,5818000",
        "county.tif -o mask.tif --probabilities classes.tif --preview preview.png --stitch-report",
        "state.tif -o state_mask.tif --plan",
        "state.tif -o state_mask.tif --dask tcp://scheduler:8786 --resume",
    ],
    "polygonize": [
        "collar_mask.tif --min-area 2 --simplify 0.3",
        "collar_mask.tif -o houses.gpkg --classes building --orthogonalize building --confidence confidence.tif",
        "parcels.gpkg -o smooth.gpkg --simplify 1 --smooth",
    ],
    "evaluate": [
        "sample --split test",
        "--scene flight --reference labels --model m.safetensors --boundary 1.5",
        "--mask collar_mask.tif --reference sample_data/labels/collar.tif",
        "--mask masks --reference buildings.gpkg --class building --background land --objects building",
    ],
    "report": ["runs/dubai runs/dubai-2 -o report.html", "--mask masks --reference labels --scene flight"],
    "gap": ["loveda:val loveda:train --model runs/latest", "east.tif west.tif"],
    "submit": ["loveda --model m.safetensors --data archives -o submission.zip", "--check submission.zip"],
    "info": ["collar_mask.tif"],
    "recipes": [""],
    "picture": [
        "sample_data/images/collar.tif -o collar.png --mask collar_mask.tif --reference sample_data/labels/collar.tif"
    ],
}
"""Arguments of the examples of each command."""

GUIDES = {
    "prepare": "datasets.md",
    "tile": "datasets.md",
    "train": "training.md",
    "import": "openmmlab.md",
    "predict": "prediction.md",
    "polygonize": "polygons.md",
    "evaluate": "evaluation.md",
    "report": "evaluation.md",
    "gap": "evaluation.md",
    "submit": "datasets.md",
}
"""The guide that explains each command."""

COMPLETION = """## Shell completion

To complete commands, options and recipe names with the Tab key, add one line to the start-up file of your shell:

| shell | line | file |
|---|---|---|
| bash 4.4 or newer | `eval "$(_GEOSEG_COMPLETE=bash_source geoseg)"` | `~/.bashrc` |
| zsh | `eval "$(_GEOSEG_COMPLETE=zsh_source geoseg)"` | `~/.zshrc` |
| fish | `_GEOSEG_COMPLETE=fish_source geoseg \\| source` | `~/.config/fish/completions/geoseg.fish` |
"""

SHARED = {"verbose", "quiet", "help"}
"""Options of all commands, which the introduction lists."""


def commands_page() -> str:
    """Return the page: a section per command with examples, help text and option tables."""
    group = entry_points(group="console_scripts")["geoseg"].load()
    context = click.Context(group)
    names = group.list_commands(context)
    return "\n".join([INTRODUCTION, *(_section(name, group.get_command(context, name)) for name in names), COMPLETION])


def _section(name: str, command: click.Command) -> str:
    examples = [f"    geoseg {name} {arguments}".rstrip() for arguments in EXAMPLES[name]]
    paragraphs = [" ".join(text.split()) for text in (command.help or "").split("\n\n")]
    guide = [f"See also: [{GUIDES[name]}]({GUIDES[name]})."] if name in GUIDES else []
    lines = [f"## geoseg {name}", *["\n".join(examples)], *paragraphs, *guide, *_tables(command)]
    return "\n\n".join(lines) + "\n"


def _tables(command: click.Command) -> list[str]:
    options = {p.name: p for p in command.params if isinstance(p, click.Option) and p.name not in SHARED}
    groups: dict[str, list[str]] = dict(getattr(command, "groups", {}))
    listed = {name for names in groups.values() for name in names}
    rest = [name for name in options if name not in listed]
    if rest:
        groups["Other" if groups else ""] = rest
    tables = []
    for title, names in groups.items():
        rows = [_row(options[name]) for name in names]
        column = f"{title.lower()} option".strip()
        tables.append("\n".join([f"| {column} | default | meaning |", "|---|---|---|", *rows]))
    return tables


def _row(option: click.Option) -> str:
    is_value = not option.is_flag and not option.count
    value = f" {option.make_metavar(click.Context(click.Command('geoseg')))}" if is_value else ""
    spelling = ", ".join(f"`{flag}`" for flag in option.opts[:-1])
    last = f"`{option.opts[-1]}{value}`".replace("|", "\\|")
    default = f"`{option.default}`" if option.show_default and option.default not in (None, ()) else ""
    text = " ".join((option.help or "").split()).replace("|", "\\|")
    return f"| {f'{spelling}, ' if spelling else ''}{last} | {default} | {text} |"
