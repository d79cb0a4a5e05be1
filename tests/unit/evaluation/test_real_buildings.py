"""Real building masks (OpenAerialMap and OpenStreetMap) against the polygons that they were drawn from."""

import numpy as np
import pytest

from geoseg.evaluation.evaluate_masks import evaluate_mask


@pytest.fixture(scope="module")
def derived(shared_data):
    return shared_data / "derived_scenes"


def test_a_mask_meets_its_polygons_in_degrees(derived):
    evaluation = evaluate_mask(
        derived / "oam_B_z21_mask.tif", derived / "oam_B_z21_buildings_4326.geojson",
        polygon_class="1", background="0", boundary_m=0.5, objects=["1"],
    )  # fmt: skip
    assert evaluation.total.iou()[1] > 0.95
    assert np.nanmean(evaluation.boundary.f1()) > 0.95
    assert evaluation.objects.f1()[1] > 0.9


def test_masks_go_together_with_scenes_of_the_same_name(shared_data):
    masks = shared_data / "oam_hot_buildings" / "val-binarymasks"
    evaluation = evaluate_mask(masks, masks, scene=shared_data / "oam_hot_buildings" / "val-chips")
    assert len(evaluation.scenes) == 4
    assert evaluation.total.mean_iou == 1
