"""Each command hands what was typed to one function of the library and prints what comes back; the library is faked."""

import sys
from dataclasses import make_dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from geoseg.errors import BundleError

TOWN = "data: {dataset: folder, root: town}\n"


class Recorder:
    """Stands for a function of the library: remembers how it was called, gives what it was told to give."""

    def __init__(self, gives):
        self.gives = gives
        self.arguments = ()
        self.options = {}

    def __call__(self, *arguments, **options):
        self.arguments, self.options = arguments, options
        if isinstance(self.gives, BaseException):
            raise self.gives
        return self.gives


@pytest.fixture
def fake(monkeypatch):
    """Replaces a function of a module that is never imported: ``fake("geoseg.training.train", "train", result)``."""

    def replace(module, name, gives):
        recorder = Recorder(gives)
        beside = vars(sys.modules[module]) if isinstance(sys.modules.get(module), SimpleNamespace) else {}
        monkeypatch.setitem(sys.modules, module, SimpleNamespace(**beside, **{name: recorder}))
        return recorder

    return replace


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "town.yaml"
    path.write_text(TOWN)
    return path


@pytest.fixture
def chosen(fake):
    choice = SimpleNamespace(path=Path("runs/town/best.safetensors"), reason="the newest run")
    return fake("geoseg.inference.model_lookup", "find_model", choice)


@pytest.fixture
def trained(fake):
    card = SimpleNamespace(scores={"mean IoU": 0.71234})
    bundle = SimpleNamespace(card=card)
    training = SimpleNamespace(path=Path("runs/town/best.safetensors"), bundle=bundle)
    return fake("geoseg.training.train", "train", training)


def test_train_prints_the_path_of_the_model_and_says_its_scores(geoseg, trained, recipe):
    result = geoseg("train", recipe)
    assert result.stdout == "runs/town/best.safetensors\n"
    assert result.stderr == "mean IoU: 71.23%\n"


def test_train_applies_overrides_of_which_the_device_is_one(geoseg, trained, recipe):
    geoseg("train", recipe, "--set", "train.batch=3", "--set", "data.root=city", "--device", "cpu")
    (asked,) = trained.arguments
    assert (asked.train.batch, asked.data.root, asked.train.device) == (3, Path("city"), "cpu")


def test_train_leaves_the_device_to_the_recipe(geoseg, trained, recipe):
    recipe.write_text(TOWN + "train: {device: cpu}\n")
    geoseg("train", recipe)
    assert trained.arguments[0].train.device == "cpu"


def test_train_puts_runs_where_it_is_told(geoseg, trained, recipe):
    geoseg("train", recipe, "--runs", "elsewhere", "--name", "first")
    assert (trained.options["runs"], trained.options["name"]) == (Path("elsewhere"), "first")


def test_train_hands_on_devices_and_how_to_begin(geoseg, trained, recipe):
    geoseg("train", recipe, "--devices", "auto", "--nodes", "2", "--fresh")
    asked = {name: trained.options[name] for name in ("devices", "nodes", "fresh", "resume")}
    assert asked == {"devices": "auto", "nodes": 2, "fresh": True, "resume": False}


@pytest.mark.parametrize("wrong", [["--devices", "many"], ["--resume", "--fresh"], ["--nodes", "0"]])
def test_train_called_wrongly_is_exit_code_2(geoseg, trained, recipe, wrong):
    assert geoseg("train", recipe, *wrong).exit_code == 2


def test_of_processes_that_trained_together_one_prints(geoseg, trained, recipe, monkeypatch):
    monkeypatch.setattr("geoseg.training.process_rank.is_main_process", lambda: False)
    result = geoseg("train", recipe)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_a_wrong_key_of_a_recipe_is_answered_with_the_right_one(geoseg, trained, recipe):
    result = geoseg("train", recipe, "--set", "train.iteratons=3")
    assert result.exit_code == 1
    assert "train.iteratons: unknown key" in result.stderr
    assert "Hint: did you mean iterations?" in result.stderr


@pytest.fixture
def predicted(fake):
    prediction = SimpleNamespace(
        path=Path("mask.tif"), notes=("no CRS",), tiles=12, seconds=3.21, device="cpu, float32"
    )
    return fake("geoseg.inference.predict", "predict", prediction)


def test_predict_prints_the_path_of_the_mask_and_says_the_rest(geoseg, predicted, chosen):
    result = geoseg("predict", "scene.tif", "-o", "mask.tif")
    assert result.stdout == "mask.tif\n"
    assert result.stderr.splitlines() == [
        "Model: runs/town/best.safetensors (the newest run)",
        "Note: no CRS",
        "12 tiles in 3.2 s on cpu, float32",
    ]


def test_quiet_predict_says_nothing_but_the_path(geoseg, predicted, chosen):
    result = geoseg("predict", "scene.tif", "-o", "mask.tif", "-q")
    assert (result.stdout, result.stderr) == ("mask.tif\n", "")


def test_predict_hands_the_environment_to_the_choice_of_the_model(geoseg, predicted, chosen, monkeypatch):
    monkeypatch.setenv("GEOSEG_MODEL", "from/environment.safetensors")
    geoseg("predict", "scene.tif", "-o", "mask.tif", "--model", "given.safetensors")
    assert chosen.arguments == ("given.safetensors",)
    assert chosen.options["environment"]["GEOSEG_MODEL"] == "from/environment.safetensors"


def test_predict_hands_its_options_on(geoseg, predicted, chosen):
    options = "--tile 256 --halo 32 --batch 2 --blend crop --device cpu --precision bfloat16 --bands nir,red"
    area = "--bbox -74.1,40.6,-74,40.7 --bbox-crs EPSG:4326 --aoi parks.gpkg"
    method = "--mode slide --stride 171 --tta ms+flip"
    results = "--probabilities p.tif --entropy e.tif --preview look.png --resume --on-read-error skip"
    rest = "--window linear --border mean --engine torch --any-dtype --gsd 0.2 --overwrite"
    more = " ".join([options, area, method, results, rest]).split()
    geoseg("predict", "scene.tif", "-o", "mask.tif", *more)
    progress = predicted.options.pop("progress")
    assert callable(progress)
    assert predicted.arguments == ("scene.tif", "mask.tif")
    assert predicted.options == {
        "model": Path("runs/town/best.safetensors"), "tile": 256, "halo": 32, "batch": 2, "blend": "crop",
        "device": "cpu", "precision": "bfloat16", "bands": ("nir", "red"), "any_dtype": True, "gsd": 0.2, "overwrite": True,
        "bbox": (-74.1, 40.6, -74, 40.7), "bbox_crs": "EPSG:4326", "aoi": "parks.gpkg",
        "mode": "slide", "stride": 171, "tta": "ms+flip", "window": "linear", "border": "mean", "engine": "torch",
        "probabilities": "p.tif", "confidence": None, "entropy": "e.tif", "preview": "look.png", "resume": True,
        "cluster": None,
        "on_read_error": "skip",
    }  # fmt: skip


@pytest.fixture
def many(fake):
    kind = make_dataclass("Made", ["path", "tiles", "seconds", "device", "notes"])
    made = kind(Path("masks/a_mask.tif"), tiles=4, seconds=1.0, device="cpu, float32", notes=("odd",))
    outcomes = [
        SimpleNamespace(scene="a.tif", prediction=made, error=None),
        SimpleNamespace(scene="b.tif", prediction=None, error=BundleError("the scene has 4 bands", "choose")),
    ]
    together = fake("geoseg.inference.predict", "predict", made)
    return SimpleNamespace(
        each=fake("geoseg.inference.predict_many", "predict_many", iter(outcomes)), together=together
    )


def test_many_scenes_become_many_masks_and_errors_come_last(geoseg, many, chosen):
    result = geoseg("predict", "a.tif", "b.tif", "-o", "masks", "--tile", "64", "--overwrite")
    assert many.each.arguments == (["a.tif", "b.tif"], "masks")
    assert (many.each.options["tile"], many.each.options["overwrite"]) == (64, True)
    assert result.exit_code == 1
    assert result.stdout == "masks/a_mask.tif\n"
    assert result.stderr.splitlines()[1:] == [
        "Note: a.tif: odd",
        "a.tif: 4 tiles in 1.0 s on cpu, float32",
        "Error: b.tif: the scene has 4 bands",
        "Hint: choose",
        "1 of 2 scenes were predicted",
    ]


def test_one_scene_into_a_folder_is_one_of_many(geoseg, many, chosen, tmp_path):
    geoseg("predict", "a.tif", "-o", tmp_path)
    assert many.each.arguments == (["a.tif"], str(tmp_path))


def test_a_mosaic_is_one_mask(geoseg, many, chosen):
    result = geoseg("predict", "a.tif", "b.tif", "--mosaic", "-o", "town.tif", "--batch", "2")
    assert (result.exit_code, result.stdout) == (0, "masks/a_mask.tif\n")
    assert many.together.arguments == (["a.tif", "b.tif"], "town.tif")
    assert many.together.options["batch"] == 2


def test_without_any_model_predict_is_a_sentence_and_a_hint(geoseg, predicted, fake):
    fake("geoseg.inference.model_lookup", "find_model", BundleError("there is no model", "train one"))
    result = geoseg("predict", "scene.tif", "-o", "mask.tif")
    assert result.exit_code == 1
    assert result.stderr == "Error: there is no model\nHint: train one\n"


@pytest.mark.parametrize(
    "wrong", [["--tile", "0"], ["--bands", "red,,nir"], ["--precision", "half"], ["--bbox", "1,2,3"], []]
)
def test_predict_called_wrongly_is_exit_code_2(geoseg, predicted, chosen, wrong):
    output = ["-o", "mask.tif"] if wrong else []
    assert geoseg("predict", "scene.tif", *output, *wrong).exit_code == 2


class Layer(list):
    """Stands for a layer of polygons that was written."""

    notes = ("no CRS",)
    path = Path("some/mask.gpkg")


@pytest.mark.parametrize(("polygons", "said"), [("abc", "3 polygons"), ("a", "1 polygon"), ("", "0 polygons")])
def test_polygonize_says_what_it_wrote_and_what_to_know_of_it(geoseg, fake, polygons, said):
    polygonized = fake("geoseg.vector.polygonize", "polygonize", Layer(polygons))
    result = geoseg("polygonize", "some/mask.tif")
    assert result.stdout == "some/mask.gpkg\n"
    assert result.stderr == f"Note: no CRS\n{said}\n"
    assert polygonized.arguments == ("some/mask.tif", Path("some/mask.gpkg"))


@pytest.mark.parametrize(
    ("mask", "output"),
    [("a/mask.tif", "a/mask.gpkg"), ("a/other.gpkg", "a/other_polygons.gpkg"), ("roofs.fgb", "roofs.gpkg")],
)
def test_polygonize_writes_next_to_its_source_by_default(geoseg, fake, mask, output):
    polygonized = fake("geoseg.vector.polygonize", "polygonize", Layer())
    geoseg("polygonize", mask)
    assert polygonized.arguments == (mask, Path(output))


def test_polygonize_hands_its_options_on(geoseg, fake):
    polygonized = fake("geoseg.vector.polygonize", "polygonize", Layer())
    options = (
        "--connectivity 8 --fill-holes 4 --min-area 2.5 --simplify 0.3 --smooth --orthogonalize roof --classes tree,car"
    )
    more = "--classes tree,car --ignore 7 --dissolve --confidence sure.tif --crs EPSG:3857 --overwrite"
    geoseg("polygonize", "mask.tif", "-o", "trees.fgb", *options.split(), *more.split())
    del polygonized.options["progress"]
    assert polygonized.arguments == ("mask.tif", Path("trees.fgb"))
    assert polygonized.options == {
        "connectivity": 8, "fill_holes_m2": 4, "min_area_m2": 2.5, "simplify_m": 0.3, "smooth": True,
        "orthogonalize": ("roof",), "classes": ("tree", "car"), "ignore": ("7",), "dissolve": True, "per_class": False,
        "confidence": "sure.tif", "crs": "EPSG:3857", "overwrite": True, "append": False,
    }  # fmt: skip


@pytest.fixture
def scored(fake):
    evaluated = fake("geoseg.evaluation.evaluate", "evaluate", "scores")
    fake("geoseg.evaluation.write_scores", "format_table", "class IoU")
    report = fake("geoseg.evaluation.write_scores", "write_json", None)
    return SimpleNamespace(evaluate=evaluated, json=report)


def test_evaluate_scores_a_model_on_a_split_of_a_recipe(geoseg, scored, chosen, recipe):
    result = geoseg("evaluate", recipe, "--split", "test", "--device", "cpu", "--set", "data.root=city")
    assert result.stdout == "class IoU\n"
    assert scored.evaluate.arguments[0].data.root == Path("city")
    assert scored.evaluate.options["split"] == "test"
    assert scored.evaluate.options["model"] == Path("runs/town/best.safetensors")
    assert [scored.evaluate.options[name] for name in ("tile", "mode", "stride", "tta")] == [
        None,
        "blended",
        None,
        "none",
    ]


def test_evaluate_predicts_as_it_is_told(geoseg, scored, chosen, recipe):
    geoseg("evaluate", recipe, "--tile", "64", "--mode", "slide", "--stride", "43", "--tta", "d4")
    assert [scored.evaluate.options[name] for name in ("tile", "mode", "stride", "tta")] == [64, "slide", 43, "d4"]


@pytest.mark.parametrize("option", ["--tile 64", "--mode slide", "--stride 43", "--tta d4"])
def test_evaluate_of_a_mask_predicts_nothing(geoseg, scored, option):
    result = geoseg("evaluate", "--mask", "m.tif", "--reference", "r.tif", *option.split())
    assert result.exit_code == 2
    assert "cannot be combined with --mask" in result.stderr


def test_evaluate_scores_a_mask_without_asking_for_a_model(geoseg, scored):
    result = geoseg("evaluate", "--mask", "m.tif", "--reference", "r.gpkg", "--column", "kind", "--background", "land")
    assert (result.stdout, result.stderr) == ("class IoU\n", "")
    assert (scored.evaluate.options["mask"], scored.evaluate.options["reference"]) == ("m.tif", "r.gpkg")
    assert (scored.evaluate.options["column"], scored.evaluate.options["background"]) == ("kind", "land")


def test_evaluate_writes_json_where_asked_but_replaces_nothing(geoseg, scored, tmp_path):
    path = tmp_path / "scores.json"
    call = ["evaluate", "--mask", "m.tif", "--reference", "r.tif", "--json", path]
    assert geoseg(*call).exit_code == 0
    assert scored.json.arguments == ("scores", path)
    path.write_text("{}")
    assert "exists already" in geoseg(*call).stderr
    assert geoseg(*call, "--overwrite").exit_code == 0


@pytest.mark.parametrize("call", [[], ["--mask", "m.tif"], ["--reference", "r.tif"], ["town.yaml", "--mask", "m.tif"]])
def test_evaluate_wants_either_a_recipe_or_mask_and_reference(geoseg, scored, call):
    result = geoseg("evaluate", *call)
    assert result.exit_code == 2
    assert "either RECIPE, or --mask with --reference" in result.stderr


def test_picture_hands_its_options_on_and_prints_the_path(geoseg, fake):
    drawn = fake("geoseg.plotting.panels", "plot_scene", Path("town.png"))
    result = geoseg(
        "picture", "town.tif", "-o", "town.png", "--mask", "m.tif", "--polygons", "p.gpkg", "--longest", "500"
    )
    assert result.stdout == "town.png\n"
    assert drawn.arguments == ("town.tif", "town.png")
    assert drawn.options == {
        "mask": "m.tif", "reference": None, "polygons": "p.gpkg", "longest": 500, "overwrite": False,
    }  # fmt: skip


def test_recipes_lists_names_and_descriptions(geoseg):
    result = geoseg("recipes")
    assert result.exit_code == 0
    assert "sample" in result.stdout


def test_evaluate_of_a_recipe_and_a_missing_file_are_answered_alike(geoseg, scored, chosen):
    result = geoseg("evaluate", "nowhere.yaml")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: unknown recipe nowhere.yaml\nHint: ")
