"""Seeds added until enough is known, with an error that holds although one looked several times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actlab.errors import InvalidRecording
from actlab.recording import Claim, Recording, discard, is_unfinished, load
from actlab.recording.joined import Joined, write
from actlab.statistics.stopping import enough
from actlab.study import Study, complete
from actlab.tasks import Task

if TYPE_CHECKING:
    from actlab.engine import Progress

# Below a run directory, the recordings of the seeds of each look, until they are one.
PARTS = "seeds"


def train(
    study: Study,
    claim: Claim,
    task: Task,
    *,
    memory: int | None = None,
    restart: bool = False,
    tuning: list[dict[str, Any]] | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Recording:
    """Train the seeds of one look after the other until `statistics.stopping.enough`; record them as one.

    The seeds of each look are trained once, and recorded below the run directory in `seeds` until the end: a run that
    was stopped goes on with those that are whole.

    Args:
        study: with `looks`, its learning rates chosen.
        claim: the run directory.
        task: the data.
        memory, restart, tuning, progress: as for `actlab.engine.train`; what progress is called with says which seeds
            are trained.

    Returns:
        the recording of all seeds, in whose study they are.

    Raises:
        ActlabError: as `actlab.engine.train`.
    """
    from actlab import engine

    study = complete(study, task)
    parts: list[Recording] = []
    joined: Joined | None = None
    reason: str | None = None
    while joined is None or reason is None:
        trained = len(joined.study.seeds) if joined else 0
        seeds = tuple(range(trained, study.looks[len(parts)]))

        def show(now: Progress, seeds: Sequence[int] = seeds) -> None:
            progress(replace(now, purpose=f"seeds {seeds[0] + 1} to {seeds[-1] + 1} of at most {study.looks[-1]}"))

        own = study.model_copy(update={"seeds": seeds, "most_seeds": None, "within": None})
        where = claim.directory / PARTS / f"{len(parts) + 1}-{own.identity[:8]}"
        anew = restart or is_unfinished(where)
        parts.append(engine.train(own, where, task=task, memory=memory, restart=anew, tuning=tuning, progress=show))
        joined = Joined(study.model_copy(update={"seeds": tuple(range(seeds[-1] + 1))}), parts)
        reason = enough(joined)
    recording = write(
        joined, claim, tuning=tuning, added={"reason": reason, "metric": joined.lead.name}, **_of_all(parts)
    )
    remove_parts(claim.directory, study)
    return recording


def _of_all(parts: Sequence[Recording]) -> dict[str, Any]:
    """What is known of all parts together."""
    own = [part.facts["throughput"] for part in parts]
    added = {name: sum(one[name] for one in own) for name in ("members", "train_seconds", "compile_seconds")}
    trained = sum(one["net_steps_per_second"] * one["train_seconds"] for one in own)
    seen = sum(one["samples_per_second"] * one["train_seconds"] for one in own)
    rates = {name: total / added["train_seconds"] for name, total in (
        ("net_steps_per_second", trained), ("samples_per_second", seen)
    )}  # fmt: skip
    return {"throughput": {**own[0], **added, **rates}}


def remove_parts(directory: Path, study: Study) -> None:
    """Remove the recordings of a study's looks from its run directory: that of all seeds holds what they hold.

    Nothing is removed but what recordings of this study consist of; a folder in which anything else lies stays.
    """
    for part in sorted((directory / PARTS).glob("*")):
        with suppress(InvalidRecording):
            if load(part).study.conditions == study.conditions:
                discard(part)
    with suppress(OSError):
        (directory / PARTS).rmdir()  # Only where it is empty.
