"""Results of campaigns: a line, a JSON file, and the table in docs/reliability.md."""

import json
import platform
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .faults import KINDS, Record

BEGIN, END = "<!-- torture:begin -->", "<!-- torture:end -->"
"""Lines between which the figures of a run are inserted into a page."""


def summary(record: Record) -> str:
    """Return the line of a campaign."""
    kinds = Counter(fault.kind for fault in record.faults)
    listed = f" ({', '.join(f'{kind}: {count}' for kind, count in kinds.most_common())})" if kinds else ""
    return f"{record.name}: {record.inputs} inputs, {record.calls} calls, {len(record.faults)} faults{listed}"


def write_json(records: Sequence[Record], path: Path, *, seconds: float, limit: int | None) -> dict[str, Any]:
    """Write all records and return the content of the file."""
    content = {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "seconds": round(seconds),
        "limit": limit,
        "campaigns": [record.to_json() for record in records],
    }
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    return content


def markdown(content: dict[str, Any]) -> str:
    """Return the tables of a run.

    Args:
        content: Content of the JSON file of the run.
    """
    campaigns = content["campaigns"]
    limited = "" if content["limit"] is None else f", at most {content['limit']} inputs per campaign"
    minutes = max(1, round(content["seconds"] / 60))
    lines = [
        f"Run of {content['date']} (Python {content['python']}, {content['machine']}, {minutes} min{limited}).",
        "",
        "| campaign | inputs | calls | succeeded | refused | faults |",
        "|---|--:|--:|--:|--:|--:|",
        *(_campaign_row(campaign) for campaign in campaigns),
        _total_row(campaigns),
    ]
    counts = Counter(fault["kind"] for campaign in campaigns for fault in campaign["faults"])
    lines += ["", "| fault | meaning | count |", "|---|---|--:|"]
    lines += [f"| {kind} | {meaning} | {counts[kind]} |" for kind, meaning in KINDS.items()]
    notes = [f"* {campaign['name']}: {note}" for campaign in campaigns for note in campaign["notes"]]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def _cells(campaign: dict[str, Any]) -> list[int]:
    codes = campaign["codes"]
    refused = codes.get("1", 0) + codes.get("2", 0)
    return [campaign["inputs"], campaign["calls"], codes.get("0", 0), refused, len(campaign["faults"])]


def _campaign_row(campaign: dict[str, Any]) -> str:
    return f"| {campaign['name']}: {campaign['description']} | {' | '.join(map(str, _cells(campaign)))} |"


def _total_row(campaigns: Sequence[dict[str, Any]]) -> str:
    totals = [sum(column) for column in zip(*map(_cells, campaigns), strict=True)]
    return f"| all | {' | '.join(map(str, totals))} |"


def embed(page: str, text: str) -> str:
    """Replace the text between :data:`BEGIN` and :data:`END` in a page.

    Raises:
        ValueError: If the page does not have both lines.
    """
    pattern = re.compile(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"the page has no lines {BEGIN} and {END}")
    return pattern.sub(lambda _: f"{BEGIN}\n{text}\n{END}", page)
