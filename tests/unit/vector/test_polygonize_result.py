"""Results of polygonization: in memory or in a file, with a description."""

import numpy as np
import pytest
from helpers.vectors import LEGEND, smooth_mask, write_mask, write_predicted_mask

from geoseg.legend import Legend
from geoseg.vector.polygonize import polygonize

MASK = smooth_mask(40)


@pytest.mark.parametrize(
    "options", [{}, {"dissolve": True}, {"classes": ["roof"]}, {"crs": "EPSG:4326"}, {"connectivity": 8}]
)
def test_without_an_output_polygons_stay_in_memory(tmp_path, options):
    mask = write_predicted_mask(tmp_path / "mask.tif", MASK)
    kept = polygonize(mask, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["mask.tif"]
    written = polygonize(mask, tmp_path / "a.gpkg", **options)
    assert kept.path is None
    assert kept.frame.geometry.geom_equals(written.frame.geometry).all()
    assert kept.frame.drop(columns="geometry").equals(written.frame.drop(columns="geometry"))
    assert kept.frame.crs == written.frame.crs
    assert (kept.count, kept.class_counts, kept.notes) == (written.count, written.class_counts, written.notes)


def test_polygons_are_counted_by_class(tmp_path):
    layer = polygonize(write_predicted_mask(tmp_path / "mask.tif", MASK), tmp_path / "a.fgb")
    assert layer.class_counts == layer.frame["class_name"].value_counts().to_dict()
    assert sum(layer.class_counts.values()) == layer.count == len(layer)


def test_a_layer_is_described_by_file_layer_classes_and_crs(tmp_path):
    layer = polygonize(write_predicted_mask(tmp_path / "mask.tif", MASK), tmp_path / "a.gpkg")
    lines = repr(layer).splitlines()
    assert lines[0] == f"{len(layer)} polygons"
    assert lines[1] == f"  file: {tmp_path / 'a.gpkg'}, layer: polygons, CRS: EPSG:32633"
    assert all(f"{name} ({count})" in lines[2] for name, count in layer.class_counts.items())
    assert "in memory" in repr(polygonize(tmp_path / "mask.tif"))


def test_the_table_for_notebooks_escapes_names(tmp_path):
    odd = Legend.of(["<b>fields</b>", "a & b"])
    mask = write_mask(tmp_path / "mask.tif", np.array([[0, 1]], np.uint8), tags={"GEOSEG_CLASSES": odd.to_json()})
    table = polygonize(mask)._repr_html_()
    assert "<td>&lt;b&gt;fields&lt;/b&gt;</td><td>1</td>" in table
    assert "<td>a &amp; b</td><td>1</td>" in table


def test_layers_of_many_classes_are_described_in_a_few_lines(tmp_path):
    layer = polygonize(write_mask(tmp_path / "mask.tif", np.arange(100, dtype=np.uint8).reshape(10, 10)))
    assert repr(layer).endswith("and 80 more")
    assert layer._repr_html_().count("<tr>") < 30
    assert len(LEGEND) < 20
