"""One line of the table about what surrounds the network."""

from typing import NamedTuple


class Part(NamedTuple):
    """A comparison."""

    name: str
    """What was compared."""
    cases: str
    """On what."""
    difference: float
    """The largest of all cases."""
    unit: str
    """What it is a difference of."""
    expected: bool = False
    """Whether it is meant to differ."""
