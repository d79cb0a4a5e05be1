"""Parts as recipes write them: a name, or a name with options beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from geoseg.config.component_spec import Component, WeightedComponent
from geoseg.config.recipe import ModelSection

names = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
options = st.dictionaries(
    names.filter(lambda name: name not in {"name", "options", "weight"}),
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=3),
    max_size=3,
)


@given(names, options)
def test_a_part_is_read_back_as_it_was_written(name, options) -> None:
    part = Component.model_validate({"name": name, **options})
    assert part == Component(name=name, options=options)
    assert Component.model_validate(part.model_dump(mode="json")) == part


@given(names)
def test_a_name_alone_is_short_for_a_part_without_options(name) -> None:
    assert Component.model_validate(name) == Component(name=name) == Component.model_validate({"name": name})
    assert Component(name=name).model_dump() == name


@given(names, options, st.floats(0, 10))
def test_a_weight_is_no_option_of_the_loss(name, options, weight) -> None:
    part = WeightedComponent.model_validate({"name": name, "weight": weight, **options})
    assert (part.weight, part.options) == (weight, options)
    assert WeightedComponent.model_validate(part.model_dump(mode="json")) == part


@pytest.mark.parametrize("wrong", [7, None, [], {"channels": 3}, {"name": 3}, {"name": "a", "options": {}, "x": 1}])
def test_what_names_no_part_is_refused(wrong) -> None:
    with pytest.raises(ValidationError):
        Component.model_validate(wrong)


def test_an_unknown_part_is_answered_with_the_nearest_known_one() -> None:
    with pytest.raises(ValidationError, match=r"unknown head 'deeplabv3pluss'; did you mean deeplabv3plus\?"):
        ModelSection.model_validate({"head": "deeplabv3pluss"})


def test_parts_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Component(name="fcn").name = "other"
