"""Signatures that are read from source are those of the imported components."""

import inspect
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from geoseg._component_source import read_signature
from geoseg.data.crops.samplers import samplers
from geoseg.data.datasets import datasets
from geoseg.losses import losses
from geoseg.models.backbones import backbones
from geoseg.models.heads import heads

COMPONENTS = [
    (registry, name) for registry in (backbones, datasets, heads, losses, samplers) for name in registry.names()
]


@pytest.mark.parametrize(("registry", "name"), COMPONENTS, ids=lambda value: getattr(value, "kind", value))
def test_a_signature_read_from_source_is_that_of_the_component(registry, name):
    read = read_signature(Path(find_spec(f"{registry.package}.{name}").origin))
    imported = inspect.signature(registry.get(name)).parameters
    assert list(read.parameters) == list(imported)
    for key, parameter in read.parameters.items():
        assert (parameter.default is parameter.empty) == (imported[key].default is parameter.empty), key
        if parameter.annotation is not parameter.empty:
            assert repr(parameter.annotation) == repr(imported[key].annotation), key


@pytest.mark.parametrize("registry", [heads, losses], ids=lambda registry: registry.kind)
def test_values_of_all_options_are_checked_without_import(registry):
    given = {"in_channels", "strides", "classes", "align_corners", "ignore_index"}
    for name in registry.names():
        signature = read_signature(Path(find_spec(f"{registry.package}.{name}").origin))
        unknown = [key for key, each in signature.parameters.items() if each.annotation is each.empty]
        assert set(unknown) <= given


def test_a_module_without_component_has_no_signature():
    module = import_module("geoseg.losses.build")
    assert read_signature(Path(module.__file__)) is None
