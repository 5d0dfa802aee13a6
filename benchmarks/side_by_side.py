"""Ways to do the same, side by side: each round of each in a process of its own, the ways taking turns.

A bench gives its ways as functions that return figures, "rate" among them, and calls `main`. No library has threads
in another's way, a first round that compiles is left out, medians are compared, and what counts are the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.table import Table

Way = Callable[[], Mapping[str, float]]
ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}


def main(title: str, ways: Mapping[str, Way], peers: Sequence[str], rounds: int = 5) -> None:
    """Run what the command line asks for: the whole comparison, or one round of one way for it.

    Args:
        title: of the table.
        ways: by name, each returning {"rate": …} and any further figures of one round.
        peers: the ways that the others are divided by.
        rounds: how often each is run, one more that is not counted left out.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        sys.stdout.write(f"\n{json.dumps(dict(ways[arguments.way]()))}\n")
        return
    for way in ways:
        _in_a_process(way)
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(arguments.rounds):
        for way in ways:
            found[way].append(_in_a_process(way))
    _show(f"{title}: medians of {arguments.rounds} interleaved rounds", found, peers)


def _in_a_process(way: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, sys.argv[0], "--way", way], env=os.environ | ENVIRONMENT, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{way} ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def _show(title: str, found: Mapping[str, Sequence[Mapping[str, float]]], peers: Sequence[str]) -> None:
    others = list(dict.fromkeys(name for rounds in found.values() for name in rounds[0] if name != "rate"))
    table = Table(title=title)
    table.add_column("way")
    for column in ("per second", "lowest to highest", *(f"× {peer}" for peer in peers), *others):
        table.add_column(column, justify="right")
    medians = {way: statistics.median(r["rate"] for r in rounds) for way, rounds in found.items()}
    for way, rounds in found.items():
        rates = [r["rate"] for r in rounds]
        cells = [f"{medians[way]:,.0f}", f"{min(rates):,.0f} – {max(rates):,.0f}"]
        cells += [f"{medians[way] / medians[peer]:,.2f}" for peer in peers]
        cells += [f"{statistics.median(r[name] for r in rounds):,.3g}" if name in rounds[0] else "" for name in others]
        table.add_row(way, *cells)
    Console(width=150).print(table)
    sys.stdout.write(f"machine: {platform.system()} {platform.machine()}, {os.cpu_count()} cores\n")
