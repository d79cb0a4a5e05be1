"""Loading recipes: found by path or name, overridden, checked, and answered in sentences."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from geoseg.config.load import list_recipes, load_recipe, parse_recipe, to_yaml
from geoseg.errors import ConfigError

share = st.floats(0, 1)
words = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], include_characters="\n\t"), max_size=20)
plain = st.none() | st.booleans() | st.integers() | words | st.floats(-9, 9)
losses = st.sampled_from(["cross_entropy", {"name": "dice", "weight": 0.25}])
keys = st.from_regex(r"[a-z]{3}[a-z_]{0,5}", fullmatch=True).map(lambda key: f"my_{key}")
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))


@st.composite
def contents(draw: st.DrawFn) -> dict:
    """What recipe files may say, a few keys of every section."""
    tile = draw(st.integers(32, 2048))
    return {
        "name": draw(words),
        "description": draw(words),
        "data": {"root": draw(st.none() | st.just("a/b c"))} | draw(st.dictionaries(keys, values, max_size=4)),
        "model": {
            "backbone": draw(st.sampled_from(["resnet18", {"name": "resnet50", "depth": 3}])),
            "multi_grid": draw(st.none() | st.lists(st.integers(1, 9), max_size=3)),
            "pretrained": draw(st.sampled_from([True, False, "weights/first.pth"])),
        },
        "loss": draw(st.lists(losses, min_size=1, max_size=3)),
        "augment": {"scale": sorted(draw(st.tuples(*[st.floats(0.1, 4)] * 2))), "hue": draw(share) / 2},
        "train": {"learning_rate": draw(st.floats(1e-9, 1)), "seed": draw(st.integers(0, 2**40))},
        "predict": {"tile": tile, "halo": draw(st.integers(0, (tile - 1) // 2))},
    }


@given(contents())
def test_a_recipe_is_read_back_from_yaml_as_it_was(content) -> None:
    recipe = parse_recipe(content)
    assert parse_recipe(yaml.safe_load(to_yaml(recipe))) == recipe


def test_what_a_run_writes_down_is_the_recipe_it_ran(tmp_path) -> None:
    recipe = load_recipe("sample", ["train.batch=4", "loss={name: dice, weight: 2}"])
    (tmp_path / "resolved.yaml").write_text(to_yaml(recipe), "utf-8")
    assert load_recipe(tmp_path / "resolved.yaml") == recipe


@pytest.mark.parametrize("name", ["sample", "sample.yaml"])
def test_a_shipped_recipe_is_found_by_its_name(name, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_recipe(name).name == "sample"


def test_a_file_goes_before_a_shipped_recipe_of_its_name(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sample.yaml").write_text("data: {root: mine}")
    assert load_recipe("sample.yaml").data.root == Path("mine")


def written(folder, text) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_recipe_is_called_after_its_file_unless_it_says_otherwise(tmp_path) -> None:
    assert load_recipe(written(tmp_path, "data: {}")).name == "mine"
    assert load_recipe(written(tmp_path, "name: other\ndata: {}")).name == "other"


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("train.batch=4", "train.batch", 4),
        ("train.learning_rate=1e-3", "train.learning_rate", 1e-3),
        ("augment.scale=[1, 2]", "augment.scale", (1.0, 2.0)),
        ("data.root=/some/where", "data.root", Path("/some/where")),
        ("model.head.channels=64", "model.head.options", {"channels": 64}),
        ("model.head=fcn", "model.head.name", "fcn"),
        ("data.gsd=null", "data.gsd", None),
        ("description=a: b: c", "description", "a: b: c"),
        ("description=a=b", "description", "a=b"),
    ],
)
def test_an_override_sets_one_key(tmp_path, override, path, value) -> None:
    found = load_recipe(written(tmp_path, "data: {}\nmodel: {head: deeplabv3plus}"), [override])
    for step in path.split("."):
        found = getattr(found, step)
    assert found == value


def test_the_last_override_wins(tmp_path) -> None:
    assert load_recipe(written(tmp_path, "data: {}"), ["train.batch=4", "train.batch=6"]).train.batch == 6


def test_an_override_begins_a_section_that_the_file_does_not_have(tmp_path) -> None:
    assert load_recipe(written(tmp_path, "data: {}\ntrain:\n"), ["train.batch=4"]).train.batch == 4


@pytest.mark.parametrize("override", ["train.batch", "=4", "", "model.output_stride.x=1", "loss.0.weight=2"])
def test_what_is_no_override_is_refused(tmp_path, override) -> None:
    with pytest.raises(ConfigError, match="invalid override"):
        load_recipe(written(tmp_path, "data: {}\nmodel: {output_stride: 16}\nloss: [dice]"), [override])


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("data: {}\ntrain: {bacth: 3}", "train.bacth: unknown key", "did you mean batch?"),
        ("data: {}\ntrian: {}", "trian: unknown key", "did you mean train?"),
        ("data: {}\ntrain: {bacth: 3, seed: -1}", r"(and 1 more)", ""),
        ("train: {}", "data is missing", "add data: to the recipe"),
        ("data: {}\ntrain: {batch: many}", "train.batch: 'many' is not valid", "integer"),
        ("data: {}\nmodel: {head: deeplabv3pluss}", "model.head", "did you mean deeplabv3plus?"),
        ("data: {}\ntrain:", "train: None is not valid", "dictionary"),
        ("1: 2\ndata: {}", "mine.yaml", ""),
        ("- data", "contains no sections", "geoseg recipes"),
        ("", "contains no sections", ""),
        ("data: {\n  root: [", "mine.yaml:", ""),
        ("data: {root: 2020-13-45}", "invalid YAML", ""),
        ("data:\n\troot: x", "mine.yaml:2: invalid YAML", ""),
        ("name: 2020-13-45", "mine.yaml: invalid YAML", ""),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_that_names_the_file(tmp_path, text, message, hint) -> None:
    with pytest.raises(ConfigError) as error:
        load_recipe(written(tmp_path, text))
    assert message in error.value.message
    assert "mine.yaml" in error.value.message
    assert hint in error.value.hint
    assert "\n" not in error.value.message


def test_files_that_are_no_recipes_are_refused(tmp_path) -> None:
    (tmp_path / "picture.yaml").write_bytes(b"\xff\xd8\xff\xe0")
    for source, message in [
        (tmp_path, "is a folder"),
        (tmp_path / "picture.yaml", "cannot be read as text"),
        (tmp_path / "none.yaml", "unknown recipe"),
    ]:
        with pytest.raises(ConfigError, match=message):
            load_recipe(source)


def test_a_recipe_nobody_knows_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown recipe smaple") as error:
        load_recipe("smaple")
    assert error.value.hint == "did you mean sample?"


def test_shipped_recipes_are_listed_with_their_descriptions() -> None:
    assert set(list_recipes()) >= {"sample.yaml", "dubai.yaml"}
    assert all(list_recipes().values())


def test_a_folder_with_the_name_of_an_included_recipe_does_not_hide_it(tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.chdir(tmp_path)
    expected = load_recipe("buildings")
    (tmp_path / "buildings").mkdir()
    with caplog.at_level("INFO"):
        assert load_recipe("buildings") == expected
    assert "included recipe buildings; the folder with the same name" in caplog.text
