"""Damaged copies of files: cut, with flipped bits, with foreign bytes, with bytes missing."""

import random
from collections.abc import Callable

HEADER_BYTES = 600

Damage = Callable[[bytearray, random.Random], bytearray]
"""Returns the damaged content of a file."""


def truncate(content: bytearray, chance: random.Random) -> bytearray:
    """Cut the file at a random position."""
    return content[: chance.randrange(len(content))]


def flip_bits_in_header(content: bytearray, chance: random.Random) -> bytearray:
    """Flip one to sixteen bits among the first bytes."""
    for _ in range(chance.choice((1, 4, 16))):
        content[chance.randrange(min(len(content), HEADER_BYTES))] ^= 1 << chance.randrange(8)
    return content


def flip_bits(content: bytearray, chance: random.Random) -> bytearray:
    """Flip one to 64 bits anywhere."""
    for _ in range(chance.choice((1, 8, 64))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return content


def replace_bytes(content: bytearray, chance: random.Random) -> bytearray:
    """Replace a part by random bytes."""
    start = chance.randrange(len(content))
    content[start : start + chance.randrange(1, 400)] = chance.randbytes(chance.randrange(200))
    return content


def clear_block(content: bytearray, chance: random.Random) -> bytearray:
    """Set a part to zero, as disks do after a power failure."""
    start, size = chance.randrange(len(content)), chance.choice((64, 512, 4096))
    content[start : start + size] = bytes(len(content[start : start + size]))
    return content


DAMAGES: tuple[Damage, ...] = (
    truncate,
    flip_bits_in_header,
    flip_bits,
    replace_bytes,
    clear_block,
)
