"""Writers killed at every step they take on the disk: `python -m tests.killed_writers DIRECTORY SCENARIO`.

Each round forks a process that writes a recording and is killed (SIGKILL) at its n-th step: a sync, a renaming, a
removal, a directory made, a statement of the database, before it and after it. What is left is then opened, and the
next writer must get by with it. A process of its own, for what forks must not run JAX. Prints the number of rounds.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sqlite3
import sys
from pathlib import Path

import numpy as np
from tests.synthetic_recording import members_of, study, throughput

from actlab.errors import InvalidRecording, NothingRecorded
from actlab.recording import METRICS, Claim, Recording, Writer

STUDY = study(seeds=1, activations=("relu",), epochs=3)
FACTS = {"weight_layers": ["dense1"], "act_layers": ["act1"], "input_shape": [2], "classes": ["a", "b"]}
SCENARIOS = ("fresh", "over a part", "over a whole")
# A file of someone's own, which no writer touches.
NOTES = "notes.txt"


def start(claim: Claim) -> Writer:
    """A writer of STUDY in a claimed directory."""
    return Writer.create(claim, STUDY, members_of(STUDY, {}), {"relu": {"title": "ReLU"}}, **FACTS)


def commit(writer: Writer, first: int, offset: float = 0.0) -> None:
    """Write two epochs from `first` on, in which every number is that of its epoch and `offset`."""
    values = offset + np.arange(first, first + 2, dtype=float)[:, None]
    writer.commit(first, dict.fromkeys(METRICS, values), {"probe": values}, {})


def write(directory: Path, offset: float, *, restart: bool, chunks: int = 2) -> None:
    """Write a recording of two chunks, or only a part of it."""
    with Claim(directory, STUDY, restart=restart) as claim:
        writer = start(claim)
        for first in (0, 2)[:chunks]:
            commit(writer, first, offset)
        if chunks == 2:
            writer.finish(throughput=throughput(1))
        writer.close()


def die_at(step: int) -> None:
    """Have this process killed at its `step`-th step on the disk."""
    count = itertools.count()

    def tick() -> None:
        if next(count) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def dying(call):
        def called(*arguments, **settings):
            tick()
            result = call(*arguments, **settings)
            tick()
            return result

        return called

    class Dying(sqlite3.Connection):
        def execute(self, statement, *parameters):
            call = super().execute
            return (dying(call) if statement.startswith(("BEGIN", "COMMIT")) else call)(statement, *parameters)

    for name in ("fsync", "replace", "unlink", "mkdir", "rmdir"):
        setattr(os, name, dying(getattr(os, name)))
    connect = sqlite3.connect
    sqlite3.connect = lambda *arguments, **settings: connect(*arguments, **settings, factory=Dying)


def seen(directory: Path) -> tuple[float, int] | None:
    """Offset and last epoch of what is recorded, every file of it read; None where nothing is."""
    try:
        found = Recording(directory)
    except NothingRecorded:
        return None
    except InvalidRecording as error:
        if "is no run directory" in str(error):
            return None
        raise
    if found.epochs < 0:
        return None
    values = found.metrics["train_loss"][:, 0]
    np.testing.assert_array_equal(found.probes["probe"][:, 0], values)
    np.testing.assert_array_equal(values, values[0] + np.arange(len(values)))
    assert found.epochs == STUDY.epochs or not found.complete
    return float(values[0]), found.epochs


def a_round(directory: Path, scenario: str, step: int) -> bool:
    """One writer, killed at a step; whether it was, and had not come to its end before."""
    earlier = {"fresh": None, "over a part": (100.0, 1), "over a whole": (100.0, 3)}[scenario]
    directory.mkdir(parents=True)
    if earlier is not None:
        write(directory, 100.0, restart=False, chunks=(earlier[1] + 1) // 2)
        (directory / NOTES).write_text("mine")
    child = os.fork()
    if child == 0:
        die_at(step)
        write(directory, 200.0, restart=earlier is not None)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    left = seen(directory)
    if not os.WIFSIGNALED(status):
        assert os.WEXITSTATUS(status) == 0
        assert left == (200.0, 3)
        return False
    assert left in ({None, (200.0, 1), (200.0, 3)} if earlier is None else {earlier, (200.0, 3)}), left
    # The command typed again: it trains, shows what is complete, or refuses a part; then it is told to train anew.
    partial = left is not None and not Recording(directory).complete
    refusal = ""
    try:
        with Claim(directory, STUDY) as claim:
            assert (claim.finished is not None) == (left is not None)
    except InvalidRecording as error:
        refusal = str(error)
    expected = f"{directory} holds {left[1]} of 3 epochs of this study: --restart" if partial and left else ""
    assert refusal.startswith(expected), refusal
    assert bool(refusal) == partial
    assert seen(directory) == left
    write(directory, 300.0, restart=True)
    assert seen(directory) == (300.0, 3)
    named = {segment.file for segment in Recording(directory).segments}
    present = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    assert present - {NOTES} == {"study.toml", "study.db", *named}
    assert (NOTES in present) == (earlier is not None)
    return True


def main(directory: Path, scenario: str) -> None:
    """All rounds of a scenario."""
    for step in itertools.count():
        place = directory / "run"
        killed = a_round(place, scenario, step)
        shutil.rmtree(place)
        if not killed:
            break
    print(step)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
