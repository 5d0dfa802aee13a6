"""What things are called of a study, by how its members were trained: by the laboratory, or in a loop of a user's own.

Asked by all that says something of a study, so that nothing untrue is said of a loop that nobody here knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from actlab.recording.measures import Measure
from actlab.study import Study
from actlab.wording import counted


@dataclass(frozen=True)
class Words:
    """The words for a kind of study.

    Attributes:
        own_loop: whether members were trained in a loop of a user's own.
        samples: on which measures are taken: "128 probe samples" has their number before it.
        rate, rates: what a learning rate of the study is, and several.
        best_rate: the one of an activation that is its best.
        pairs: what is alike within a pair.
        diverged: who counts as diverged.
        rows: what an epoch of it is, "epoch" or "look"; "" where nothing is known but the end.
    """

    own_loop: bool
    samples: str
    rate: str
    rates: str
    best_rate: str
    pairs: str
    diverged: str
    rows: str = "epoch"

    def span(self, epochs: int) -> str:
        """How long was trained.

        >>> words_of({"loop": "a:train", "rows": "end"}).span(1), words_of({}).span(3)
        ('training', '3 epochs')
        """
        return counted(epochs, self.rows) if self.rows else "training"

    def at_rate(self, rate: float) -> str:
        """At which learning rate, in words.

        >>> words_of({}).at_rate(0.1), words_of({"loop": "a:train", "rows": "end"}).at_rate(0.1)
        ('the learning rate 0.1', "0.1 times the loop's own learning rate")
        """
        if not self.own_loop:
            return f"the learning rate {rate:g}"
        return "the loop's own learning rate" if rate == 1 else f"{rate:g} times the loop's own learning rate"


_LABORATORY = Words(
    False,
    "probe samples",
    "learning rate",
    "learning rates",
    "best learning rate",
    "same first weights, same batches, another function",
    "networks whose loss did not stay finite",
)
_NOUNS = {"epochs": "epoch", "looks": "look", "end": ""}


def words_of(study: Study | Mapping[str, Any]) -> Words:
    """The words for a study, or for what a summary holds of it."""
    told = (
        study if isinstance(study, Mapping) else (study.model_dump(include={"loop", "rows"}) if study.own_loop else {})
    )
    if "loop" not in told:
        return _LABORATORY
    return Words(
        True,
        "samples that were looked at",
        "factor of the learning rate",
        "factors of the learning rate",
        "best factor of the learning rate",
        "the same seed, another function",
        "networks whose loss did not stay finite, or whose training ended with an error",
        _NOUNS[told["rows"]],
    )


def sentence_of(measure: Measure, study: Study) -> str:
    """What a measure is, taken on the probe batch or on the batches of a loop."""
    if not study.own_loop:
        return measure.sentence
    told = measure.sentence.replace("the whole probe batch", "the batch that was looked at")
    return told.replace("that the optimiser would make on the probe batch", "that the optimiser made")
