import pytest
import torch

from geoseg.errors import ConfigError
from geoseg.models.device import chosen_precision, computes_bfloat16

CPU = torch.device("cpu")


def test_a_named_precision_is_taken_as_it_is():
    assert chosen_precision("float32", CPU) == "float32"
    assert chosen_precision("bfloat16", CPU) == "bfloat16"


@pytest.mark.parametrize(
    ("feature", "expected"), [("avx512_bf16", "bfloat16"), ("amx_bf16", "bfloat16"), ("avx2", "float32")]
)
def test_auto_follows_what_the_processor_can_do(monkeypatch, feature, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {feature: True}, raising=False)
    assert chosen_precision("auto", CPU) == expected


def test_a_torch_that_cannot_tell_counts_as_slow(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not computes_bfloat16(CPU)


def test_a_precision_nobody_knows_is_refused():
    with pytest.raises(ConfigError, match="float8"):
        chosen_precision("float8", CPU)
