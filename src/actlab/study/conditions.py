"""Contests: at which learning rate, and from which initial weights, every activation is compared.

A study with one learning rate is one condition. With several, each activation has a rate of its own, chosen by
`actlab.laboratory.tuning` on other seeds and on validation data; the stated rate, if there is one, stays a condition
beside it. Initial weights that suit each function (`init`) make one more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actlab.study.settings import Study

TITLES = {
    "stated": "the settings as stated, alike for all",
    "best": "each at its best learning rate",
    "gain": "weights scaled by each function's gain",
    "critical": "weights at each function's mean-field critical point",
}


@dataclass(frozen=True)
class Variant:
    """What is compared: an activation at a learning rate, from the stated initial weights or from its own.

    `init` is "stated", "gain" or "critical": see `actlab.engine.initial_scale`.
    """

    activation: str
    learning_rate: float
    init: str = "stated"


@dataclass(frozen=True)
class Condition:
    """One variant for every activation.

    Attributes:
        name: "stated", "best", "gain" or "critical".
        title: what is held equal, in a few words.
        variants: by activation, in the order of the study.
    """

    name: str
    title: str
    variants: Mapping[str, Variant]


def conditions(study: Study) -> tuple[Condition, ...]:
    """The conditions of a study; none while several learning rates wait to be chosen from.

    >>> from actlab.study import Study
    >>> two = Study(activations=["relu", "tanh"], learning_rates=[0.1, 0.2], stated_rate=0.1)
    >>> conditions(two)
    ()
    >>> chosen = two.model_copy(update={"chosen_rates": {"stated": {"relu": 0.1, "tanh": 0.2}}})
    >>> [(condition.name, condition.variants["tanh"].learning_rate) for condition in conditions(chosen)]
    [('stated', 0.1), ('best', 0.2)]
    """
    inits = initial_weights(study)
    if study.chosen_rates is not None:
        found = []
        if study.stated_rate is not None:
            found.append(_condition(study, "stated", dict.fromkeys(study.activations, study.stated_rate)))
        for init in inits:
            name, title = ("best", TITLES["best"]) if init == "stated" else (init, f"{TITLES[init]}, {TITLES['best']}")
            found.append(_condition(study, name, study.chosen_rates[init], init, title))
        return tuple(found)
    if study.learning_rates is None or len(study.learning_rates) != 1:
        return ()
    rates = dict.fromkeys(study.activations, study.learning_rates[0])
    return tuple(_condition(study, init, rates, init) for init in inits)


def _condition(study: Study, name: str, rates: Mapping[str, float], init: str = "stated", title: str = "") -> Condition:
    variants = {activation: Variant(activation, rates[activation], init) for activation in study.activations}
    return Condition(name, title or TITLES[name], variants)


def initial_weights(study: Study) -> tuple[str, ...]:
    """Where members start: from the stated initial weights, and from the study's `init` if that is another."""
    return ("stated",) if study.init == "stated" else ("stated", study.init)


def variants(study: Study) -> tuple[Variant, ...]:
    """All variants that are trained, activation by activation: those of the conditions, each once.

    Of a study whose rates wait to be chosen, every rate with every kind of initial weights.

    >>> from actlab.study import Study
    >>> study = Study(activations=["relu"], learning_rates=[0.1, 0.2], init="gain")
    >>> [(variant.learning_rate, variant.init) for variant in variants(study)]
    [(0.1, 'stated'), (0.2, 'stated'), (0.1, 'gain'), (0.2, 'gain')]
    """
    held = conditions(study)
    found: dict[Variant, None] = {}
    for activation in study.activations:
        if held:
            found |= dict.fromkeys(condition.variants[activation] for condition in held)
        else:
            rates = study.learning_rates or ()
            found |= {Variant(activation, rate, init): None for init in initial_weights(study) for rate in rates}
    return tuple(found)
