"""Bundles that were damaged, edited or are none: either they load as they were saved, or a sentence says what is wrong."""

import json
import os

import pytest
import torch
from helpers.memory import run_and_measure
from helpers.models import card
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from geoseg.bundle import Bundle, digest_weights, load, make_header, read_card
from geoseg.config.component_spec import Component
from geoseg.config.recipe import ModelSection
from geoseg.errors import BundleError
from geoseg.model_card import ModelCard
from geoseg.models.build import build_network

SMALL = ModelSection(
    backbone=Component(name="mobilenetv3_small_050"),
    head=Component(name="fcn", options={"channels": 4}),
    auxiliary_weight=0,
)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A bundle of a megabyte: path, content, network."""
    torch.manual_seed(0)
    network = build_network(SMALL, bands=2, classes=3)
    network.train()(torch.randn(2, 2, 64, 64))
    said = {"scores": {"mean_iou": 0.5, "iou water": float("nan")}, "recipe": {"name": "Größe"}, "gsd": None}
    path = Bundle(network.eval(), card(model=SMALL, **said)).save(
        tmp_path_factory.mktemp("small") / "model.safetensors"
    )
    return path, path.read_bytes(), network


def same_card(one: ModelCard, other: ModelCard) -> bool:
    """Equal, a score that is no number included."""
    return repr(one) == repr(other)


def written(path, text: str):
    """A bundle without a network whose card is ``text``, sealed like any other."""
    weights = {"x": torch.zeros(1)}
    save_file(weights, path, metadata=make_header(text, digest_weights(weights)))
    return path


def tampered(change) -> str:
    content = json.loads(card().to_json())
    change(content)
    return json.dumps(content)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        tampered(lambda c: c.pop("legend")),
        tampered(lambda c: c.update(colour=1)),
        tampered(lambda c: c.update(mean=["much", "more"])),
        tampered(lambda c: c["mean"].pop()),
        tampered(lambda c: c.update(tile="wide")),
        tampered(lambda c: c.update(legend=[])),
        tampered(lambda c: c["legend"][1].update(colour="#zzzzzz")),
        tampered(lambda c: c["model"].update(head="deeplabv9")),
        tampered(lambda c: c["model"].update(run="rm")),
    ],
)
def test_a_tampered_card_is_refused(tmp_path, text) -> None:
    with pytest.raises(BundleError, match="the model card"):
        read_card(written(tmp_path / "a.safetensors", text))


def rewritten(small, folder, change):
    """The small bundle with its header changed by ``change`` and nothing else."""
    _, whole, _ = small
    length = int.from_bytes(whole[:8], "little")
    content = json.loads(whole[8 : 8 + length])
    change(content)
    text = json.dumps(content).encode()
    (folder / "edited.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + length :])
    return folder / "edited.safetensors"


def reworded(old: str, new: str):
    """A change of the card's text, which only an editor's user would make."""

    def change(content) -> None:
        assert old in content["__metadata__"]["card"]
        content["__metadata__"]["card"] = content["__metadata__"]["card"].replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (reworded('"mean_iou": 0.5', '"mean_iou": 0.9'), "is damaged, or its card was edited"),
        (reworded("class 1", "class X"), "is damaged, or its card was edited"),
        (reworded('"gsd": null', '"gsd": 0.3'), "is damaged, or its card was edited"),
        (lambda c: c["__metadata__"].update(weights="0" * 64), "is damaged, or its card was edited"),
        (lambda c: c["__metadata__"].update(seal="0" * 64), "is damaged, or its card was edited"),
        (lambda c: c["__metadata__"].pop("seal"), "is damaged, or its card was edited"),
        (lambda c: c["__metadata__"].pop("weights"), "is damaged, or its card was edited"),
        (lambda c: c["__metadata__"].pop("format"), "different version of geoseg"),
        (lambda c: c["__metadata__"].update(format="geoseg-bundle-1"), "different version of geoseg"),
        (lambda c: c["__metadata__"].pop("card"), "not a geoseg model"),
        (lambda c: c.pop("__metadata__"), "not a geoseg model"),
    ],
)
def test_an_edited_header_is_noticed_without_the_weights(small, tmp_path, change, message) -> None:
    path = rewritten(small, tmp_path, change)
    for reading in (read_card, load):
        with pytest.raises(BundleError, match=message) as error:
            reading(path)
        assert str(path) in error.value.message
        assert error.value.hint


def swapped(content) -> None:
    """Exchanges two tensors of the same type and shape."""
    names = [name for name, entry in content.items() if name.endswith("bn1.running_mean") and entry["shape"] == [16]][
        :2
    ]
    content[names[0]], content[names[1]] = content[names[1]], content[names[0]]


def retyped(content) -> None:
    next(entry for entry in content.values() if entry.get("dtype") == "F32")["dtype"] = "I32"


@pytest.mark.parametrize("change", [swapped, retyped])
def test_weights_under_another_name_or_type_are_noticed(small, tmp_path, change) -> None:
    path = rewritten(small, tmp_path, change)
    assert same_card(read_card(path), read_card(small[0]))
    with pytest.raises(BundleError, match="its weights do not match their digest"):
        load(path)


def same_network(one, other) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


def refusal(path) -> str:
    """What is said of a file that does not load; empty if it does."""
    try:
        load(path)
    except BundleError as error:
        return f"{error.message}\n{error.hint}"
    return ""


def unchanged_or_refused(path, small) -> None:
    """The law of damage: what loads is what was saved, and everything else is a sentence and a hint."""
    original, _, network = small
    said = refusal(path)
    if said:
        assert str(path) in said
        assert [bool(line) for line in said.split("\n")] == [True, True]
        return
    bundle = load(path)
    assert same_card(bundle.card, read_card(original))
    assert same_network(bundle.network, network)


@given(data=st.data())
def test_a_flipped_byte_changes_nothing_or_is_noticed(small, tmp_path_factory, data) -> None:
    _, whole, _ = small
    head = 8 + int.from_bytes(whole[:8], "little")
    places = st.integers(0, 7) | st.integers(8, head - 1) | st.integers(head, len(whole) - 1)
    place, change = data.draw(places), data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / "flipped.safetensors"
    path.write_bytes(whole[:place] + bytes([whole[place] ^ change]) + whole[place + 1 :])
    unchanged_or_refused(path, small)
    if place >= head:
        with pytest.raises(BundleError, match="its weights do not match their digest"):
            load(path)


@given(data=st.data())
def test_a_file_cut_off_anywhere_is_refused(small, tmp_path_factory, data) -> None:
    _, whole, _ = small
    head = 8 + int.from_bytes(whole[:8], "little")
    edges = [0, 1, 7, 8, 9, head - 1, head, head + 1, len(whole) - 1]
    path = tmp_path_factory.getbasetemp() / "cut.safetensors"
    path.write_bytes(whole[: data.draw(st.sampled_from(edges) | st.integers(0, len(whole) - 1))])
    with pytest.raises(BundleError) as error:
        load(path)
    assert str(path) in error.value.message


@given(content=st.binary(max_size=200), promised=st.integers(0, 2**64 - 1) | st.integers(0, 300))
def test_any_bytes_are_a_bundle_or_refused(small, tmp_path_factory, content, promised) -> None:
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    path.write_bytes(promised.to_bytes(8, "little") + content)
    unchanged_or_refused(path, small)


def test_weights_of_every_kind_have_a_digest() -> None:
    kinds = [torch.zeros(()), torch.zeros(0, 3), torch.zeros(2, 3).T, torch.ones(3).bfloat16(), torch.ones(3) > 0]
    assert len({digest_weights({"x": kind}) for kind in kinds}) == len(kinds)
    two = {"a": torch.zeros(2), "b": torch.ones(2)}
    assert digest_weights(two) == digest_weights(dict(reversed(two.items())))
    assert digest_weights(two) != digest_weights({"a": two["b"], "b": two["a"]})


def test_a_card_that_promises_other_weights_is_refused(small, tmp_path) -> None:
    path = Bundle(small[2], card(classes=5, model=SMALL)).save(tmp_path / "a.safetensors")
    assert len(read_card(path).legend) == 5
    with pytest.raises(BundleError, match=r"the weights of .* do not match its card") as error:
        load(path)
    assert "\n" not in error.value.message


def test_a_network_that_cannot_be_built_here_is_said(tmp_path) -> None:
    model = json.dumps({**json.loads(card().to_json()), "model": {"backbone": "resnet99"}})
    with pytest.raises(BundleError, match=r"the network of .* cannot be built: unknown backbone 'resnet99'"):
        load(written(tmp_path / "a.safetensors", model))


def with_card(path, change):
    """The small network's weights with a card that ``change`` edits, correctly sealed."""
    content = json.loads(card(model=SMALL).to_json())
    change(content)
    network = build_network(SMALL, bands=2, classes=3)
    weights = {name: weight.contiguous() for name, weight in network.state_dict().items()}
    save_file(weights, path, metadata=make_header(json.dumps(content), digest_weights(weights)))
    return path


def many_bands(number: int):
    """A change of a card to this number of bands."""

    def change(content) -> None:
        content["bands"] = [f"b{index}" for index in range(number)]
        content.update({key: [1.0] * number for key in ("mean", "std", "minimum", "maximum")})

    return change


def head(name="fcn", **options):
    """A change of a card to another head."""
    return lambda content: content["model"].update(head={"name": name, **options})


HUGE = {
    "channels": (head(channels=50_000), "do not match its card: head.convs.0.conv.weight"),
    "a million channels": (head(channels=10**6), "cannot be built: head fcn: channels: 1000000 is not valid"),
    "channels of 40 digits": (head(channels=10**40), "cannot be built: head fcn: channels: 1000"),
    "channels times channels": (
        head("deeplabv3plus", channels=60_000),
        "do not match its card: they lack head.image_pool",
    ),
    "many branches": (head("deeplabv3", dilations=[1] * 10**6), "cannot be built: head deeplabv3: dilations"),
    "dilation of a billion": (head("deeplabv3", dilations=[10**9]), "cannot be built: head deeplabv3: dilations"),
    "backbone of 2.6 GB": (
        lambda content: content["model"].update(backbone="convnextv2_huge"),
        "do not match its card: they lack backbone.features",
    ),
    "60,000 bands": (many_bands(60_000), "do not match its card: backbone.features.conv_stem.weight"),
    "a million bands": (many_bands(10**6), "1,000,000 bands, not between 1 and 65,535"),
}
"""Changes of a card to networks of up to a terabyte, and what is said of them."""

LOAD_ALL = """
import sys, time
from pathlib import Path
from geoseg.bundle import load
from geoseg.errors import BundleError
load(sys.argv[1])
before = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
for path in sys.argv[2:]:
    start = time.process_time()
    try:
        print("loaded", path)
        load(path)
    except BundleError as error:
        print(len(error.message), error.hint != "", time.process_time() - start < 20, error.message)
print(before)
"""


def test_card_of_a_huge_network_is_refused_before_memory_is_allocated(small, tmp_path) -> None:
    paths = [with_card(tmp_path / f"{name}.safetensors", change) for name, (change, _) in HUGE.items()]
    output, peak = run_and_measure(LOAD_ALL, small[0], *paths, timeout_s=300)
    lines = [line for line in output.splitlines() if not line.startswith("loaded")]
    assert len(lines) == len(HUGE) + 1
    for line, path, (_, message) in zip(lines, paths, HUGE.values(), strict=False):
        length, has_hint, is_fast, said = line.split(" ", 3)
        assert (has_hint, is_fast) == ("True", "True"), line
        assert int(length) < 400 + len(str(path))
        assert str(path) in said
        assert message in said
    assert peak - int(lines[-1]) < 500  # a million names in a card take most of it


def damaged(folder, small):
    """(file, what is said of it) for everything a user may take for a model."""
    _, whole, _ = small
    cuts = {"empty": b"", "stub": whole[:5], "half a header": whole[:400], "text": b"not a model at all\n" * 9}
    for name, content in cuts.items():
        (folder / name).write_bytes(content)
        yield folder / name, "is not a geoseg model, or it is damaged"
    for name, text in {
        "a list": "[1, 2]",
        "no meta": '{"__metadata__": null}',
        "odd meta": '{"__metadata__": 3}',
        "a ladder": "[" * 100_000,
    }.items():
        (folder / name).write_bytes(len(text).to_bytes(8, "little") + text.encode())
        yield folder / name, "not a geoseg model"
    save_file({"x": torch.zeros(3)}, folder / "others", metadata={"format": "pt"})
    yield folder / "others", "is a safetensors file, but not a geoseg model"
    torch.save({"x": torch.zeros(3)}, folder / "pickle.pth")
    yield folder / "pickle.pth", "is not a geoseg model, or it is damaged"
    torch.save({"x": torch.zeros(3)}, folder / "pickle.safetensors")
    yield folder / "pickle.safetensors", "is not a geoseg model, or it is damaged"
    (folder / "truncated").write_bytes(whole[:-1000])
    yield folder / "truncated", "is damaged"
    yield folder, "is not a geoseg model"
    yield folder / "nowhere", "does not exist"
    os.mkfifo(folder / "pipe.safetensors")
    yield folder / "pipe.safetensors", "is a pipe"


def test_whatever_is_no_bundle_is_refused_in_one_sentence(tmp_path, small) -> None:
    for path, message in damaged(tmp_path, small):
        with pytest.raises(BundleError, match=message) as error:
            load(path)
        assert str(path) in error.value.message
        assert error.value.hint
        assert "\n" not in error.value.message
