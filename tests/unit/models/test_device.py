"""A name becomes a device that is there, or a sentence."""

import pytest
import torch

from geoseg.errors import ConfigError
from geoseg.models.device import choose_device


def test_auto_takes_a_device_that_is_there():
    torch.zeros(1, device=choose_device("auto"))


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "meta", "cpu:7", ""])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(name):
    with pytest.raises(ConfigError) as caught:
        choose_device(name)
    assert "cpu" in caught.value.hint
