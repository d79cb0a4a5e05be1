import click
import pytest

from geoseg.inference.tiled.blending import BLENDS, WINDOWS
from geoseg.inference.tiling_strategy import MODES
from geoseg.inference.tta_variants import TTA


@pytest.mark.parametrize("name", ["predict", "evaluate"])
def test_the_command_line_offers_the_methods_there_are(geoseg_command, name):
    command = geoseg_command.get_command(click.Context(geoseg_command), name)
    choices = {option.name: tuple(option.type.choices) for option in command.params if hasattr(option.type, "choices")}
    assert choices["mode"] == MODES
    assert choices["tta"] == tuple(TTA)
    assert choices.get("blend", tuple(BLENDS)) == tuple(BLENDS)
    assert choices.get("window", tuple(WINDOWS)) == tuple(WINDOWS)
