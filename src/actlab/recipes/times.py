"""How long the recipes took when they were last run for the record: `measured.json`, beside this file.

Its entries are written by the script that runs the recipes, never by hand:
`{"digits": {"seconds": 9.7, "machine": "2-core x86-64"}}`, seconds from start to end of the run, and "seeds" where
their number is not the recipe's own. Of a recording made elsewhere they are those of compiling and training.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Measured:
    """Wall-clock seconds of one run of a recipe, the machine it ran on, and how many seeds if not the recipe's own."""

    seconds: float
    machine: str
    seeds: int | None = None


def measured() -> Mapping[str, Measured]:
    """What is on record, by recipe; a recipe that was never run for the record is not there."""
    table = json.loads(files("actlab.recipes").joinpath("measured.json").read_text(encoding="utf-8"))
    return {name: Measured(**entry) for name, entry in table.items()}
