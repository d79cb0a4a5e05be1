"""Public names of packages: imported on first use, typed, without name clashes with modules."""

import ast
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import geoseg
from geoseg.errors import GeosegWarning

PACKAGES = [
    "geoseg", "geoseg.config", "geoseg.data", "geoseg.evaluation", "geoseg.file_info", "geoseg.grid", "geoseg.importers",
    "geoseg.inference", "geoseg.metrics", "geoseg.models", "geoseg.plotting", "geoseg.raster", "geoseg.training",
    "geoseg.vector",
]  # fmt: skip


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_is_what_its_module_defines(name):
    package = import_module(name)
    assert set(package._MODULES) <= set(dir(package))
    assert set(package._MODULES) == set(package.__all__) - {"__version__"}
    for public, module in package._MODULES.items():
        assert getattr(package, public) is getattr(import_module(module), public)


@pytest.mark.parametrize("name", PACKAGES)
def test_editors_see_the_same_names_as_the_interpreter(name):
    package = import_module(name)
    assert package.__file__ is not None
    tree = ast.parse(Path(package.__file__).read_text("utf-8"))
    typed = {
        alias.asname or alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == package._MODULES


@pytest.mark.parametrize("name", PACKAGES)
def test_no_public_name_is_hidden_by_a_module_of_the_package(name):
    package = import_module(name)
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert not modules & set(package._MODULES)


@pytest.mark.parametrize("name", PACKAGES)
def test_an_unknown_name_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = import_module(name).nothing


def test_importing_the_packages_imports_neither_torch_nor_gdal_nor_numpy():
    code = f"import sys, {', '.join(PACKAGES)}; print({{'torch', 'rasterio', 'geopandas', 'numpy'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_an_old_name_works_and_names_the_new_one():
    with pytest.warns(GeosegWarning, match=r"geoseg\.import_zoo is now geoseg\.import_checkpoint"):
        assert geoseg.import_zoo is geoseg.import_checkpoint
