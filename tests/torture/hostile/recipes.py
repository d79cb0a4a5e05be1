"""Recipes that expand to gigabytes, contain themselves, run code, or have values of other types."""

from collections.abc import Iterator

from .cases import Case, Place, info, train

LEVELS = range(1, 11)
WELL_FORMED = {
    "empty",
    "merge of nothing",
    "huge batch",
    "regular expression",
    "class name that is null",
    "class names that are paths",
    "paths that are devices",
}
"""Recipes that ``info`` may describe, although they cannot be trained."""


def _bomb(key: str = "a10") -> str:
    """Return YAML whose last anchor stands for 10^11 values."""
    lines = [f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 10)}]\n" for level in LEVELS]
    return "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(lines).replace("a10: ", f"{key}: ")


def write_cases(place: Place) -> Iterator[Case]:
    """Write recipes and yield their calls."""
    for label, text in _recipes(place).items():
        path = place.folder / f"{label.replace(' ', '_')}.yaml"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        yield info(f"recipe: {label}", path, seconds=10, must_fail=label not in WELL_FORMED)
        yield train(f"recipe: {label}", path, seconds=10, must_fail=True)
    nested = "data.root=" + "[" * 5000
    yield train("--set nested", "sample", "--set", nested, seconds=10, must_fail=True)
    yield train(
        "--set bomb",
        "sample",
        "--set",
        "data.root={a: &a [x,x], b: &b [*a,*a,*a], c: [*b,*b,*b]}",
        seconds=10,
        must_fail=True,
    )
    yield train("--set without value", "sample", "--set", "data.root", must_fail=True)
    yield train("--set without key", "sample", "--set", "=5", must_fail=True)


def _recipes(place: Place) -> dict[str, str]:
    folder = "data:\n  dataset: folder\n  root: x\n"
    scenes = f"{folder}  images: '*'\n  labels: '*'\n  encoding_kind: index\n  legend: "
    devices = scenes.replace("x\n", "/dev\n").replace("'*'", "zero")
    return {
        "anchor bomb": _bomb(),
        "anchor bomb as data": "model: {}\n" + _bomb("data"),
        "anchor bomb as legend": f"{_bomb()}{folder}  legend: *a10\n",
        "anchor bomb as name": f"{_bomb()}name: *a10\n",
        "Python object": f"name: !!python/object/apply:os.system ['touch {place.executed}/recipe']\n",
        "Python name": "name: !!python/name:os.system\n",
        "contains itself": "data: &d\n  root: *d\n",
        "contains itself at the root": "&a\nname: x\ndata: *a\n",
        "nested list": "[" * 50_000,
        "nested maps": "".join(" " * level + "a:\n" for level in range(3000)),
        "nested flow map": "{a: " * 20_000,
        "control characters": "\x00\x01",
        "not UTF-8": "name: \udcff\udcfe\n",
        "list": "- 1\n",
        "number": "5\n",
        "empty": "",
        "infinite iterations": "train:\n  iterations: .inf\n",
        "NaN learning rate": "train:\n  learning_rate: .nan\n",
        "integer of 5000 digits": "train:\n  iterations: " + "9" * 5000 + "\n",
        "keys of other types": "1: 2\nnull: 3\n? [a]\n: b\n",
        "merge of nothing": "<<: 5\n",
        "duplicate keys": "train: {batch: 1}\ntrain: {batch: 2}\n",
        "huge batch": f"{scenes}[a]\ntrain:\n  batch: 1000000000000\n",
        "regular expression": f"{folder}  images: '{'*a' * 40}.tif'\n  labels: x\n  encoding_kind: index\n  legend: [a]\n",
        "class name that is null": f"{scenes}[null, 5, 1.5]\n",
        "class names that are paths": f"{scenes}['../../x']\n",
        "paths that are devices": f"{devices}[a]\n  splits: {{train: '*', val: '*'}}\n",
    }  # fmt: skip
