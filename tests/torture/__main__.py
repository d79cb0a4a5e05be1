"""Command line: PYTHONPATH=tests python -m torture [--limit N] [--only NAME] [--write docs/reliability.md]."""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""A process with threads does not fork well, and several calls share the cores."""


def main() -> int:
    """Run the campaigns; return 1 if there are faults."""
    options = _parse_options()
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    from torture import campaigns  # noqa: PLC0415  (torch reads the variables when it is imported)
    from torture.results import embed, markdown, summary, write_json  # noqa: PLC0415

    root = Path(options.folder or tempfile.mkdtemp(prefix="torture-")).resolve()
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o755)  # calls of another user read inputs here
    started, records = time.monotonic(), []
    chosen = [campaign for campaign in campaigns.CAMPAIGNS if options.only in (None, *_names(campaign))]
    for campaign in chosen:
        records.append(campaigns.run(campaign, root, options.limit, options.workers))
        _print(summary(records[-1]))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    content = write_json(records, options.json, seconds=time.monotonic() - started, limit=options.limit)
    options.json.with_suffix(".md").write_text(markdown(content) + "\n", "utf-8")
    if options.write:
        options.write.write_text(embed(options.write.read_text("utf-8"), markdown(content)), "utf-8")
    return _finish(root, sum(len(record.faults) for record in records), options.json)


def _finish(root: Path, faults: int, path: Path) -> int:
    if faults:
        _print(f"{faults} faults: see {path}; the inputs are in {root}")
    else:
        shutil.rmtree(root)
    return int(faults > 0)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m torture", description="Count faults of geoseg on difficult inputs."
    )
    parser.add_argument("--only", metavar="CAMPAIGN", help="run one campaign, for instance hostile")
    parser.add_argument("--limit", type=int, help="number of inputs per campaign; default several hundred")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="calls at a time; default one per core"
    )
    parser.add_argument("--json", type=Path, default=Path("build/torture.json"), help="file of all results")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="page to insert the tables into")
    parser.add_argument("--folder", type=Path, help="new folder for inputs and outputs; default a temporary one")
    return parser.parse_args()


def _names(campaign: ModuleType) -> tuple[str, str]:
    return str(campaign.NAME), campaign.__name__.rsplit("campaign_", 1)[-1]


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # the libraries report objects that `gc.freeze` keeps
