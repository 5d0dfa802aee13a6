"""Which seeds: those that serve the choice of learning rates, and those that are added until enough is known."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

MOST_SEEDS = 100_000
# The first look: the first number of seeds, a power of two, with which anything can be told apart.
FIRST_LOOK = 8
#: Fewer seeds tell nothing apart, however many are added.
FEWEST_AUTO = 6
#: Seeds that are trained at most where only a region of practical equivalence is stated.
MOST_AUTO = 1024


def looks_until(most: int) -> tuple[int, ...]:
    """Numbers of seeds at which a study is looked at: 8, then twice as many each time, and `most` at the end.

    Each look has at least half as many seeds more than the one before: a few more would tell no more.

    >>> looks_until(64), looks_until(50), looks_until(40), looks_until(6)
    ((8, 16, 32, 64), (8, 16, 32, 50), (8, 16, 40), (6,))
    """
    found = []
    count = FIRST_LOOK
    while 3 * count <= 2 * most:
        found.append(count)
        count *= 2
    return (*found, most)


def seeds_after(seeds: Iterable[int]) -> tuple[int, ...]:
    """Three seeds that are not among some: those after the largest.

    >>> seeds_after([4, 0])
    (5, 6, 7)
    """
    taken = set(seeds)
    after = itertools.chain(range(max(taken, default=0) + 1, 2**32), itertools.count())
    return tuple(itertools.islice((seed for seed in after if seed not in taken), 3))
