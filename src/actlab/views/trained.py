"""How the members of a study were trained, for all views: as terms, as sentences, and how to do it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from actlab.recording import Recording
from actlab.statistics.trained import words_of
from actlab.study import Observed
from actlab.wording import counted, listed, number

DOORS = {"PyTorch": "actlab.torch.compare", "Keras": "actlab.keras.compare"}


def own_terms(recording: Recording) -> dict[str, str | None]:
    """Settings of a training in a loop of a user's own, by their terms; None for what is not known."""
    study, facts = recording.study, recording.facts
    assert isinstance(study, Observed)
    words, factors = words_of(study), [number(factor) for factor in study.learning_rates or ()]
    several = f"{', '.join(factors)} times what the loop asks for – one chosen for each activation"
    return {
        "Model": f"{study.network}, {study.framework}",
        "Trained by": "a loop of its user's own" if study.watched else study.loop,
        "Activation functions": _places(facts),
        "Learning rate": several if len(factors) > 1 else words.at_rate((study.learning_rates or (1.0,))[0]),
        "Epochs": f"{recording.epochs}" if study.rows == "epochs" else None,
        "Looked at": f"the first steps and every {study.every} steps" if recording.act_layers else None,
        "Pairing": None if study.watched else pairing(recording),
        "Processes": str(facts["processes"]) if "processes" in facts else None,
        "Training time": f"{number(facts['train_seconds'])} s, all networks together"
        if "train_seconds" in facts
        else None,
        **{f"SHA-256 of {place}": digest for place, digest in (study.source_digests or {}).items()},
    }


def _places(facts: Mapping[str, Any]) -> str | None:
    swapped = facts.get("swapped")
    if not swapped:
        return None
    left = "".join(f"; left as it is: {name}, {reason}" for name, reason in facts.get("left", {}).items())
    places = listed(f"{name} ({old})" for name, old in swapped.items())
    return f"put in the place of {places}{left}"


def pairing(recording: Recording) -> str:
    """What a seed decides in a loop of a user's own."""
    if not recording.facts.get("paired", True):
        return "by seed; some networks of a seed start from other weights"
    return "by seed: the random generators are seeded alike before a model is built and before it is trained"


def own_sentences(recording: Recording) -> Iterator[str]:
    """How it was trained in a loop of a user's own, for the methods section of a paper."""
    study, facts = recording.study, recording.facts
    assert isinstance(study, Observed)
    loop = "in a loop of our own" if study.watched else f"by {study.loop}, a loop of our own"
    yield f"The model is {study.network}, code of our own in {study.framework}, trained {loop}."
    if places := _places(facts):
        yield f"The activation functions compared were {places}."
    for place, digest in (study.source_digests or {}).items():
        yield f"The SHA-256 digest of the source of {place} begins with {digest[:16]}."
    if study.rows == "epochs":
        yield f"Each network was trained for {counted(recording.epochs, 'epoch')}."


def again(recording: Recording) -> str | None:
    """How a training in a loop of a user's own is repeated; None of a study that a command runs."""
    study = recording.study
    if not isinstance(study, Observed):
        return None
    if study.watched:
        return "It is a training that was watched: what is not said here, its loop knows."
    door = DOORS.get(study.framework, "compare")
    return f"{door} with {study.network} and {study.loop} trains it again; what is not said here, these two know."
