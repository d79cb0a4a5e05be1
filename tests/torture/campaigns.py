"""The campaigns, in the order in which they run, and how one is run."""

from pathlib import Path
from types import ModuleType

from . import campaign_damaged, campaign_disks, campaign_hostile, campaign_kills, campaign_rasters, campaign_signals
from .faults import Record
from .fork_server import import_commands, run_sessions
from .sandbox import Sandbox

CAMPAIGNS: tuple[ModuleType, ...] = (
    campaign_rasters,
    campaign_damaged,
    campaign_kills,
    campaign_signals,
    campaign_disks,
    campaign_hostile,
)
"""Modules with NAME, DESCRIPTION, DEFAULT_INPUTS and ``sessions(sandbox, record, limit)``."""


def run(campaign: ModuleType, root: Path, limit: int | None, workers: int) -> Record:
    """Run a campaign in a new folder below ``root``.

    Args:
        campaign: Module of the campaign.
        root: Folder for inputs and outputs.
        limit: Number of inputs; None for the default of the campaign.
        workers: Number of calls at a time.
    """
    import_commands()
    record = Record(campaign.NAME, campaign.DESCRIPTION)
    sandbox = Sandbox(root / campaign.NAME.replace(" ", "-"))
    inputs = campaign.DEFAULT_INPUTS if limit is None else min(limit, campaign.DEFAULT_INPUTS)
    run_sessions(campaign.sessions(sandbox, record, inputs), workers, sandbox.logs)
    sandbox.find_strays(record)
    return record
