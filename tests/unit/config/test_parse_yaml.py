"""YAML from anywhere: what PyYAML reads is read, and what would exhaust time, memory or the stack is refused at once."""

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from geoseg.config.load import load_recipe
from geoseg.config.parse_yaml import MAX_DEPTH, MAX_NODES, parse_yaml
from geoseg.errors import ConfigError

TEN = ",".join(["x"] * 10)
BOMB = f"a0: &a0 [{TEN}]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 11))
"""Ten lines that stand for ten to the power of eleven values."""

HOSTILE = {
    "bomb": (BOMB, f"more than {MAX_NODES:,} values"),
    "bomb in the data": (BOMB.replace("a10: &a10", "data: &a10"), f"more than {MAX_NODES:,} values"),
    "mapping that contains itself": ("data: &d\n  root: *d\n", "d contains itself"),
    "document that contains itself": ("&a\nname: x\ndata: *a\n", "a contains itself"),
    "indirect cycle": ("data: &d {root: [&e {x: *d}]}\n", "d contains itself"),
    "deep lists": ("[" * 50_000, f"more than {MAX_DEPTH} levels of nesting"),
    "deep closed lists": ("x: " + "[" * 50_000 + "]" * 50_000, f"more than {MAX_DEPTH} levels of nesting"),
    "deep mappings": ("".join(" " * i + "a:\n" for i in range(1000)), f"more than {MAX_DEPTH} levels of nesting"),
    "code": ("name: !!python/object/apply:os.system ['true']\n", "invalid YAML"),
    "number of 5000 digits": ("train:\n  iterations: " + "9" * 5000, "invalid YAML"),
    "control characters": ("\x00\x01", "invalid YAML"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_recipe_is_refused_within_a_second(tmp_path, case) -> None:
    text, message = HOSTILE[case]
    path = tmp_path / "r.yaml"
    path.write_text(text)
    start = time.process_time()
    with pytest.raises(ConfigError, match=message) as error:
        load_recipe(path)
    assert time.process_time() - start < 1
    assert str(path) in error.value.message
    assert error.value.hint


@pytest.mark.parametrize("value", ["[" * 5000, "&a [*a]", "{x: &a {y: *a}}"])
def test_a_hostile_override_is_refused(value) -> None:
    with pytest.raises(ConfigError, match="invalid override"):
        load_recipe("sample", [f"data.root={value}"])


def test_an_override_that_is_no_yaml_is_text() -> None:
    assert load_recipe("sample", ["description=a: b: c"]).description == "a: b: c"


def test_a_file_too_large_for_a_recipe_is_not_read(tmp_path) -> None:
    path = tmp_path / "r.yaml"
    with path.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(ConfigError, match="has more than 1,000,000 bytes"):
        load_recipe(path)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("abc: &*[]{}#'\"\n", max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(values)
def test_ordinary_yaml_is_read_as_pyyaml_reads_it(value) -> None:
    text = yaml.safe_dump([value, value])  # a list twice is written as an anchor and an alias
    assert parse_yaml("x", text) == yaml.safe_load(text) == [value, value]


def test_aliases_and_merge_keys_of_ordinary_recipes_work() -> None:
    text = "base: &base {a: 1, b: 2}\nmore:\n  <<: *base\n  b: 3\nagain: [*base, *base]\n"
    assert parse_yaml("x", text) == yaml.safe_load(text)
