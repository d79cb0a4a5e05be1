"""The public call: every option is a named parameter, defaults have one home, and what does not fit together is refused."""

import dataclasses
import inspect
import subprocess
import sys

import numpy as np
import pytest
from helpers.rasters import UTM, make_raster

import geoseg
from geoseg.errors import ConfigError, GeosegWarning
from geoseg.evaluation.evaluate import evaluate
from geoseg.evaluation.options import EvaluationOptions
from geoseg.evaluation.protocols import select_protocols
from geoseg.evaluation.report.write_report import report


@pytest.mark.parametrize("function", [evaluate, report])
def test_every_option_is_a_parameter_with_the_default_of_its_field(function):
    parameters = inspect.signature(function).parameters
    for field in dataclasses.fields(EvaluationOptions):
        assert parameters[field.name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[field.name].default == field.default
        assert f"        {field.name}: " in function.__doc__


def test_a_misspelt_option_is_a_type_error():
    with pytest.raises(TypeError, match="boundry_m"):
        geoseg.evaluate(mask="m.tif", reference="r.tif", boundry_m=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipe": "town.yaml", "mask": "m.tif", "reference": "r.tif"}, "recipe was given together with mask"),
        ({"mask": "m.tif"}, "need a reference"),
        ({"recipe": "town.yaml", "reference": "r.tif"}, "need a reference"),
        ({"recipe": "town.yaml", "column": "kind"}, "apply only to reference"),
        ({"recipe": "town.yaml", "resample": True}, "apply only to reference"),
        ({"mask": "m.tif", "reference": "r.tif", "tta": "d4"}, "prediction options do not apply to mask"),
        ({"scene": "s.tif", "reference": "r.tif", "confidence": "c.tif"}, "confidence can only be used with mask"),
        ({"recipe": "town.yaml", "bands": "1,2,3"}, "bands applies only to scene"),
    ],
)
def test_arguments_that_do_not_fit_together_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        geoseg.evaluate(**options)


@pytest.fixture
def mask(tmp_path):
    return make_raster(tmp_path / "mask.tif", np.eye(8, dtype=np.uint8)[None], **UTM)


def test_an_evaluation_shows_protocol_and_scores(mask):
    evaluation = geoseg.evaluate(mask=mask, reference=mask)
    assert repr(evaluation).splitlines()[0] == "Evaluation(1 scene, protocol 'scenes', IoU in percent)"
    assert [line.split() for line in repr(evaluation).splitlines()[1:]] == [
        ["mean", "IoU", "100.00"], ["0", "100.00"], ["1", "100.00"],
    ]  # fmt: skip
    assert "<td>100.00</td>" in evaluation._repr_html_()
    assert "Protocol scenes: " in evaluation._repr_html_()


def test_comparing_masks_loads_no_torch(mask):
    call = f"import sys, geoseg; geoseg.evaluate(mask={str(mask)!r}, reference={str(mask)!r}); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", call], check=True, capture_output=True, text=True).stdout == "False\n"


def test_the_old_name_of_a_protocol_is_accepted_with_a_warning():
    with pytest.warns(GeosegWarning, match="openmmlab"):
        assert [protocol.name for protocol in select_protocols("potsdam", ["zoo"])] == ["openmmlab", "scenes"]


def test_public_types_are_imported_from_the_package():
    import geoseg.evaluation as package  # noqa: PLC0415

    assert all(hasattr(package, name) for name in package.__all__)
