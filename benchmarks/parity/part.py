"""A row of the table about the parts around the network."""

from typing import NamedTuple


class Part(NamedTuple):
    """Result of a comparison."""

    name: str
    """Compared part."""
    cases: str
    """Compared cases."""
    difference: float
    """Largest difference over all cases."""
    unit: str
    """Quantity that is compared, and its unit."""
    expected: bool = False
    """Whether a difference is expected."""
