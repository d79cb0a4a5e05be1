"""Which output pixels come from which rows (or columns) of a file, when a window is read at another size.

One axis at a time. A window may reach outside the file, and the file's edge may fall inside an output pixel. Worked
example: a file of 10 rows, a window of 16 rows beginning at -3, read as 8 rows, so 2 file rows each. Output row 0
covers file rows -3 and -2, row 1 covers -1 and 0, rows 2 to 5 cover 1 … 8, row 6 covers 9 and 10, row 7 what lies
beyond. Rows 2 to 5 lie inside; rows 1 and 6 lie half inside and are made from that half; rows 0 and 7 are padding.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

TINY = 1e-9
"""Slack for divisions that should have been whole, in output pixels."""


@dataclass(frozen=True)
class Span:
    """Neighbouring output pixels of one axis, and the stretch of the file they are made from."""

    start: int
    """First output pixel."""
    stop: int
    """First output pixel after the last."""
    offset: float
    """Where the stretch begins, in file pixels from the file's first edge."""
    length: float
    """How long it is, in file pixels."""


def spans(first: int, size: int, output: int, *, length: int) -> Iterator[Span]:
    """How ``output`` pixels are made from ``size`` file pixels beginning at ``first``, of an axis of ``length`` pixels.

    Output pixels whose centre lies outside the file are in no span: they are padding.
    """
    step = size / output
    enter, leave = -first / step, (length - first) / step  # the file's edges, in output pixels
    start, stop = max(math.ceil(enter - 0.5), 0), min(math.floor(leave + 0.5), output)
    whole_start = min(max(math.ceil(enter - TINY), start), stop)
    whole_stop = max(min(math.floor(leave + TINY), stop), whole_start)
    for begin, end in ((start, whole_start), (whole_start, whole_stop), (whole_stop, stop)):
        low, high = max(first + begin * step, 0.0), min(first + end * step, float(length))
        if begin < end and high > low:
            yield Span(begin, end, low, high - low)
