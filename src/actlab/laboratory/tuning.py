"""The choice of learning rates: each activation's own, on validation data, with seeds that no report uses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from actlab.recording import Recording, is_unfinished, refuse_others
from actlab.statistics.selection import columns_of, validation_score
from actlab.study import Study, Variant, complete, variants
from actlab.study.seeds import seeds_after
from actlab.tasks import Task
from actlab.tasks.split import held_out

if TYPE_CHECKING:
    from actlab.engine import Progress

# A best rate at an end of those tried is looked for beyond it, so often at most, two more rates each time.
EXTENSIONS = 3


class Tried(NamedTuple):
    """How a variant did with the tuning seeds.

    Attributes:
        score: mean validation loss at the last epoch and members that diverged; see `validation_score`.
        losses, scores: of each seed on validation data, not finite where it diverged.
        score_name: what the scores are: "validation_accuracies", "validation_rmses" where targets are numbers, or
            "validation_micro_f1s" where samples have several labels; "" where none of these is known.
    """

    score: tuple[float, int]
    losses: tuple[float, ...]
    scores: tuple[float, ...]
    score_name: str


Scores = dict[Variant, Tried]


def tune(
    study: Study,
    directory: Path,
    task: Task,
    *,
    memory: int | None = None,
    restart: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> tuple[Study, list[dict[str, Any]]]:
    """Choose a learning rate for every activation, and for every kind of initial weights.

    All rates are trained with the tuning seeds and recorded below `directory`/tuning; the rate with the lowest mean
    validation loss at the last epoch is taken, a member that diverged counting as infinitely bad. Where that rate is
    the smallest or largest of those tried, two more beyond it are tried, up to EXTENSIONS times.

    Args:
        study: with several learning rates.
        directory: the run directory.
        task: the data. If the study validates on test data, validation data are cut from the training data for the
            choice.
        memory: as for `actlab.run`.
        restart: train anew what has been tried before. Otherwise rates that were tried to the end are not trained
            again; a part of that is, and stays until its replacement is complete.
        progress: as for `actlab.run`; what it is called with says that learning rates are being chosen.

    Returns:
        the study with `chosen_rates`, and a row for each rate tried: `activation`, `init`, `learning_rate`,
        `validation_loss` (mean over the seeds, None where a member diverged), `diverged`, `members`, and of each seed
        `validation_losses` and `validation_accuracies` (`validation_rmses` of numbers), None where it diverged.

    Raises:
        InvalidRecording: the directory holds something else; it is untouched.
        ActlabError: as `actlab.run`.
    """
    from actlab import engine
    from actlab.engine import devices

    devices.prepare()
    refuse_others(directory, complete(study, task))
    data = task if study.validation == "held-out" else held_out(task, study.task_seed)
    asked = _asked(study)

    def show(now: Progress) -> None:
        progress(replace(now, purpose="choosing learning rates"))

    scores: Scores = {}
    waiting = [(study.activations, study.learning_rates or ())]
    for number in range(1, EXTENSIONS + 2):
        for activations, rates in waiting:
            own = study.model_copy(update={**asked, "activations": activations, "learning_rates": rates})
            # Named by what it is, so that another machine, where the best rate may be another one, finds no stranger.
            where = directory / "tuning" / f"{number}-{complete(own, data).identity[:8]}"
            anew = restart or is_unfinished(where)
            scores |= _scores(engine.train(own, where, task=data, memory=memory, restart=anew, progress=show))
        waiting = list(beyond(scores))
        if not waiting:
            break
    return study.model_copy(update={"chosen_rates": chosen(scores)}), rows_of(scores, study)


def _asked(study: Study) -> dict[str, Any]:
    """What the studies of the choice have in the place of a study's own settings."""
    # Seeds of tuning that none will use, but which reading such a study from its file fills in.
    asked: dict[str, Any] = {"seeds": study.tuning_seeds, "tuning_seeds": seeds_after(study.tuning_seeds)}
    # The study may be one that has been run before, with its choice and the digest of its own data.
    asked |= {"validation": "held-out", "digest": None, "provenance": None, "chosen_rates": None}
    return asked | {"stated_rate": None, "milestones": (), "most_seeds": None, "within": None}


def chosen(scores: Scores) -> dict[str, dict[str, float]]:
    """By kind of initial weights and activation, the learning rate of the best score."""
    found: dict[str, dict[str, float]] = {}
    for variant in _best(scores):
        found.setdefault(variant.init, {})[variant.activation] = variant.learning_rate
    return found


def rows_of(scores: Scores, study: Study) -> list[dict[str, Any]]:
    """A row for each rate tried, as `tune` returns them."""

    def place(variant: Variant) -> tuple[int, bool, float]:
        return study.activations.index(variant.activation), variant.init != "stated", variant.learning_rate

    return [_row(variant, scores[variant], len(study.tuning_seeds)) for variant in sorted(scores, key=place)]


def _scores(recording: Recording) -> Scores:
    return {variant: _tried(recording, variant) for variant in variants(recording.study)}


def _tried(recording: Recording, variant: Variant) -> Tried:
    columns = columns_of(recording, variant).values()
    several = "rmse" if recording.objective.predicts else "micro_f1"
    measured, name = ("accuracy", "accuracies") if recording.objective.decides else (several, f"{several}s")
    losses, scores = (
        tuple(float(recording.metrics[f"validation_{name}"][-1, column]) for column in columns)
        for name in ("loss", measured)
    )
    return Tried(validation_score(recording, variant), losses, scores, f"validation_{name}")


def _place(variant: Variant) -> tuple[str, str, float]:
    return variant.activation, variant.init, variant.learning_rate


def _of(scores: Scores) -> dict[tuple[str, str], list[Variant]]:
    """By activation and kind of initial weights, what was tried, the smallest learning rate first."""
    found: dict[tuple[str, str], list[Variant]] = {}
    for variant in sorted(scores, key=_place):
        found.setdefault((variant.activation, variant.init), []).append(variant)
    return found


def _best(scores: Scores) -> list[Variant]:
    # Of equals, such as rates that all diverge, the smallest.
    return [min(tried, key=lambda variant: scores[variant].score) for tried in _of(scores).values()]


def beyond(scores: Scores) -> Iterable[tuple[tuple[str, ...], tuple[float, ...]]]:
    """Activations with the two rates to try next, for those whose best rate is at an end."""
    wanted: dict[tuple[float, ...], dict[str, None]] = {}
    for best, tried in zip(_best(scores), _of(scores).values(), strict=True):
        rates = [variant.learning_rate for variant in tried]
        if best.learning_rate == rates[0]:
            step = rates[0] / rates[1]
        elif best.learning_rate == rates[-1]:
            step = rates[-1] / rates[-2]
        else:
            continue
        two = tuple(float(f"{best.learning_rate * step**power:.3g}") for power in (1, 2))
        wanted.setdefault(two, {})[best.activation] = None
    return [(tuple(activations), rates) for rates, activations in wanted.items()]


def _row(variant: Variant, tried: Tried, members: int) -> dict[str, Any]:
    loss, diverged = tried.score
    return {
        "activation": variant.activation,
        "init": variant.init,
        "learning_rate": variant.learning_rate,
        "validation_loss": None if diverged else loss,
        "diverged": diverged,
        "members": members,
        "validation_losses": _known(tried.losses),
        **({tried.score_name: _known(tried.scores)} if tried.score_name else {}),
    }


def _known(values: Iterable[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]
