"""The page that lists every row of the OpenMMLab zoo's DeepLab pages, with the command that trains it here."""

import csv
from pathlib import Path

HERE = Path(__file__).parent

RECIPES = {
    "Potsdam": "potsdam",
    "Vaihingen": "vaihingen",
    "iSAID": "isaid",
    "LoveDA": "loveda",
    "LoveDA To Urban": "loveda-rural-to-urban",
    "LoveDA To Rural": "loveda-urban-to-rural",
    "Cityscapes": "cityscapes",
}
"""The recipe of each dataset; others train from a recipe of your own."""

USUAL = {
    "model.backbone": "resnet50",
    "model.head": "deeplabv3plus",
    "model.output_stride": "8",
    "model.multi_grid": "null",
    "model.align_corners": "false",
    "loss": "",
    "train.crop": "512",
    "train.batch": "16",
    "train.iterations": "80000",
    "train.precision": "float32",
}
USUAL_IN = {"isaid": {"train.crop": "896"}, "cityscapes": {"train.crop": "769", "train.batch": "8"}}
"""What recipes say by themselves."""

OWN = "mine"
"""Stands for a recipe of your own."""

INTRODUCTION = """# The rows of the OpenMMLab zoo, trained here

Made by `make docs` from `docs/zoo.csv`: all rows of the pages [DeepLabV3] and [DeepLabV3+] of mmsegmentation 1.2.2
(mIoU as its `metafile.yaml` publishes it, in percent, with one scale and with six scales and flips), and the rows
that a fork adds for the shift between LoveDA's domains. **The scores are theirs: these trainings have not been
repeated here.** What is measured here is that the networks are the same, layer by layer and to the last bit of their
logits ([parity](parity.md)).

[DeepLabV3]: https://github.com/open-mmlab/mmsegmentation/tree/main/configs/deeplabv3
[DeepLabV3+]: https://github.com/open-mmlab/mmsegmentation/tree/main/configs/deeplabv3plus

Use a published checkpoint:

```
geoseg import-zoo CHECKPOINT.pth --recipe potsdam.yaml -o model.safetensors
```

Train a row: add `--set data.root=ARCHIVES`, the folder of the official archives ([datasets](datasets.md)), and
`--set model.pretrained=FILE` with OpenMMLab's ImageNet weights of the backbone (`resnet50_v1c-2cccc1ad.pth`, say), from
which all rows start; without them the network starts from noise. Every recipe trains 80 000 iterations with SGD from
0.01 (the shifts from 0.001) falling to a hundredth by a polynomial of power 0.9, on batches of 16 crops.

What differs from the zoo's own training: crops are square, so the rows of 512 x 1024 pixels train on 724 x 724, which
are as many; the auxiliary head has the loss of the main head, where the zoo leaves it cross-entropy in the rows with
OHEM (D16-MG124); the photometric changes are drawn from the same ranges but computed in one step.
"""

UNCLEAR = """
**To Urban, To Rural.** These three rows are no results of mmsegmentation. They come from a fork (EarthNets,
RSI-Segmentation), whose configurations train on one domain of Train and evaluate on the other domain of Val; the
published links lead to checkpoints of the ordinary LoveDA row, so the protocol behind the numbers is unclear. Compare
with care. The recipes here follow the fork's settings, choose the best model by the *source* domain's validation
images (`--set data.validate_on=target` by the target's, as the fork seems to) and keep the target's labels from
training.
"""


def zoo_page() -> str:
    """The page as Markdown."""
    with (HERE / "zoo.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    remote = [row for row in rows if row["dataset"].partition(" ")[0] in RECIPES and row["dataset"] != "Cityscapes"]
    streets = [row for row in rows if row["dataset"] == "Cityscapes"]
    others = [row for row in rows if row not in remote and row not in streets]
    parts = [
        INTRODUCTION,
        "## Remote sensing\n",
        *_table(remote),
        UNCLEAR,
        "## Street scenes\n",
        *_table(streets),
        "\n## Photographs\n",
        f"geoseg has no recipe for these photographs: `{OWN}.yaml` is one of yours over the dataset `folder`.\n",
        *_table(others),
    ]
    return "\n".join(parts) + "\n"


def _table(rows: list[dict[str, str]]) -> list[str]:
    header = "| dataset | head | backbone | crop | iterations | mIoU | ms+flip | command |"
    return [header, "|---|---|---|---|--:|--:|--:|---|", *map(_line, rows)]


def _line(row: dict[str, str]) -> str:
    head = "DeepLabV3+" if row["head"] == "deeplabv3plus" else "DeepLabV3"
    backbone = row["backbone"] + (", float16" if row["precision"] == "float16" else "")
    scores = [f"{float(row[key]):.2f}" if row[key] else "-" for key in ("miou", "miou_ms_flip")]
    cells = [row["dataset"], head, backbone, row["crop"].replace("x", " x "), row["iterations"], *scores]
    return f"| {' | '.join(cells)} | `{command(row)}` |"


def command(row: dict[str, str]) -> str:
    """The command that trains a row."""
    changes = [f"--set {each!r}" if set(each) & set("[{") else f"--set {each}" for each in overrides(row)]
    return " ".join(["geoseg train", f"{RECIPES.get(row['dataset'], OWN)}.yaml", *changes])


def overrides(row: dict[str, str]) -> list[str]:
    """What the command changes of the recipe."""
    depth, *rest = row["backbone"].removeprefix("R-").split("-")
    recipe = RECIPES.get(row["dataset"], OWN)
    wanted = {
        "model.backbone": f"resnet{depth}",
        "model.head": row["head"],
        "model.output_stride": "16" if "D16" in rest else "8",
        "model.multi_grid": "[1, 2, 4]" if "MG124" in rest else "null",
        "model.align_corners": "true" if row["crop"] == "769x769" else "false",
        "loss": "[{name: ohem, average: all}]" if "MG124" in rest else "",
        "train.crop": _side(row["crop"]),
        "train.batch": row["batch"],
        "train.iterations": row["iterations"],
        "train.precision": row["precision"],
    }
    given = USUAL | USUAL_IN.get(recipe, {})
    return [f"{key}={value}" for key, value in wanted.items() if value != given[key]]


def _side(crop: str) -> str:
    """The side of a square with as many pixels."""
    height, width = map(int, crop.split("x"))
    return str(round((height * width) ** 0.5))
