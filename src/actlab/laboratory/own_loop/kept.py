"""What a member's training left, in a file of its own: written whole when it has ended, or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from actlab.errors import tell
from actlab.files import write_synced
from actlab.laboratory.own_loop.telling import Row
from actlab.watching.recorded import Arrays, arrays_of

FOLDER = "members"


@dataclass(frozen=True)
class Outcome:
    """What is known of a member when its training has ended.

    Attributes:
        activation, seed, factor: which it is.
        metrics: of each row, by name; the untrained network's row first.
        ended: the row at which it diverged, or at which its training raised something, with the reason; or None.
        told: what else is known, JSON-safe: "parameters", "start", "places", "layers", "functions", "samples",
            "seconds", "steps", "stopped", "epochs", and what the framework adds.
        arrays: the measures of all rows, (rows, 1, …); empty where nothing was looked at.
    """

    activation: str
    seed: int
    factor: float
    metrics: tuple[dict[str, float], ...]
    ended: tuple[int, str] | None
    told: dict[str, Any]
    arrays: Arrays

    @property
    def raised(self) -> bool:
        """Whether its training ended with an error."""
        return bool(self.told.get("raised"))


def measured(rows: list[Row]) -> tuple[dict[str, Any], Arrays]:
    """What the looks of some rows tell, and their measures, NaN in rows without a look."""
    looks = [row.look for row in rows]
    seen = [look for look in looks if look is not None]
    if not seen:
        return {"places": [], "layers": [], "functions": {}, "samples": None}, {}
    fullest = max(seen, key=lambda look: len(look.functions))
    places = [own.name for own in fullest.functions]
    layers = [own.name for own in max(seen, key=lambda look: len(look.weights)).weights]
    found = arrays_of([look if look is not None else seen[0] for look in looks], places, layers)
    arrays = {name: array for name, array in found.items() if name != "step" and not name.startswith("dead/")}
    for row, look in enumerate(looks):
        if look is None:
            for array in arrays.values():
                array[row] = np.nan if array.dtype.kind == "f" else 0
    samples = [own.samples for look in seen for own in look.functions]
    told = {
        "places": places,
        "layers": layers,
        "functions": {own.name: own.function for own in fullest.functions},
        "samples": min(samples) if samples else None,
        "unseen": dict(seen[-1].unseen),
    }
    return told, arrays


def file_of(directory: Path, activation: str, seed: int, factor: float) -> Path:
    """Where a member's outcome lies."""
    name = f"{activation}-{seed}-{factor:g}"
    digest = hashlib.sha256(f"{activation}\n{seed}\n{factor!r}".encode()).hexdigest()[:8]
    return directory / FOLDER / f"{re.sub(r'[^0-9A-Za-z_.]+', '-', name)[:80]}-{digest}.npz"


def keep(directory: Path, outcome: Outcome) -> None:
    """Write an outcome. Raises OSError."""
    told = {
        "activation": outcome.activation,
        "seed": outcome.seed,
        "factor": outcome.factor,
        "metrics": outcome.metrics,
        "ended": outcome.ended,
        "told": outcome.told,
    }
    held = io.BytesIO()
    np.savez_compressed(held, told=np.array(json.dumps(told)), **outcome.arrays)  # pyright: ignore[reportArgumentType]
    path = file_of(directory, outcome.activation, outcome.seed, outcome.factor)
    write_synced(path, held.getvalue())


def kept(directory: Path, activation: str, seed: int, factor: float) -> Outcome | None:
    """A member's outcome, if it is there; one that cannot be read is told of, and counts as missing."""
    path = file_of(directory, activation, seed, factor)
    if not path.is_file():
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as held:
            told = json.loads(str(held["told"]))
            arrays = {name: held[name] for name in held.files if name != "told"}
        ended = told["ended"]
        found = Outcome(
            told["activation"],
            told["seed"],
            told["factor"],
            tuple(told["metrics"]),
            None if ended is None else (int(ended[0]), str(ended[1])),
            told["told"],
            arrays,
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        tell(f"{path} cannot be read ({error}): this network is trained again.")
        return None
    return found if (found.activation, found.seed, found.factor) == (activation, seed, factor) else None
