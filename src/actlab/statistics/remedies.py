"""What would help against what is wrong: from findings to commands, none of which the study has taken already."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from actlab.custom import CustomNetwork
from actlab.layers import Dense
from actlab.recording import Recording
from actlab.statistics.findings.inputs import suggested_divisor
from actlab.statistics.findings.rate import FEW_STEPS, fitting_factor, too_few_steps
from actlab.statistics.findings.widths import hidden_widths
from actlab.statistics.selection import Reported
from actlab.study.optimisers import usual_rate
from actlab.tasks.reading import ARRAYS
from actlab.wording import counted, listed, quoted

# Functions to try instead of flat ones.
NOWHERE_FLAT = ("leaky_relu", "silu")
# So many times the usual learning rate of an optimiser is tried at most.
FAR = 100
# The least that a layer is widened to.
WIDE = 16
#: A sentence and the options of the command; no options where no setting of a study helps.
Step = tuple[str, str]
Finding = Mapping[str, Any]


def causes(found: Sequence[Finding]) -> list[Finding]:
    """The warnings that follow from no other one."""
    return [finding for finding in found if finding["severity"] == "warning" and not finding.get("cause")]


def faulty(found: Sequence[Finding], ranked: Sequence[Reported]) -> set[str]:
    """Names of the activations with which something is wrong: all, where the inputs are."""
    names = {finding["activation"] for finding in causes(found) if finding.get("help")}
    return {entry.activation for entry in ranked} if None in names else names


def remedies(recording: Recording, ranked: Sequence[Reported], found: Sequence[Finding]) -> list[Step]:
    """A step for each cause that was found, one for all activations that share it.

    Args:
        recording: of any study.
        ranked: the activations, best first.
        found: the findings about them.
    """
    by_code: dict[str, list[Finding]] = {}
    for finding in causes(found):
        by_code.setdefault(finding["code"], []).append(finding)
    steps = [_inputs(recording, by_code.get("inputs_off_scale", []))]
    # What is wrong with the inputs comes before all else: with other inputs, all else is another matter.
    if not steps[0]:
        steps += [
            _start(recording, by_code.get("units_alike", []), "start from equal weights"),
            _start(recording, by_code.get("start_too_large", []), "start from weights that are too large"),
            _width(recording, by_code.get("narrow_layer", [])),
            _start(recording, by_code.get("vanishing_gradient", []), "pass on too little of the gradient"),
            _dead(recording, by_code.get("dead_units", [])),
            _labels(by_code.get("labels_unlearnable", [])),
        ]
    return _merged([step for own in steps for step in own])


def _merged(steps: Sequence[Step]) -> list[Step]:
    """Steps of the same options as one."""
    found: dict[str, list[str]] = {}
    for sentence, options in steps:
        found.setdefault(options or sentence, []).append(sentence)
    return [(" ".join(said), "" if options in said else options) for options, said in found.items()]


def rates(recording: Recording, ranked: Sequence[Reported], found: Sequence[Finding]) -> list[Step]:
    """Lower learning rates where networks diverged or steps are too large, higher ones where they are too small.

    For those alone that want them where the others want the opposite.
    """
    named = {code: [f for f in causes(found) if f["code"] == code] for code in ("rate_too_high", "rate_too_low")}
    diverged = [e.activation for e in ranked if any(m.diverged_epoch is not None and not m.raised for m in e.members)]
    high = [f["activation"] for f in named["rate_too_high"] if f["activation"] not in diverged]
    low = {f["activation"]: f for f in named["rate_too_low"]}
    lower = [entry.activation for entry in ranked if entry.activation in {*diverged, *high}]
    tried = sorted(tried_rates(recording, ranked))
    everyone = len(ranked)
    steps = []
    if lower:
        # Who is content with the lowest rate that was tried, may choose it again.
        content = len(lower) < everyone and not low
        new = [tried[0] / 10, tried[0]] if content else [tried[0] / 100, tried[0] / 10]
        # Far beyond what anyone uses, a hundredth would diverge as well.
        usual = usual_rate(recording.study.optimiser)
        # Of a loop of a user's own the rates are factors, of nobody knows what.
        known = content or recording.study.own_loop
        new = new if known or new[1] <= FAR * usual else [usual / 10, usual]
        why = [f"Networks with {listed(diverged)} diverged"] if diverged else []
        why += [f"{'the' if why else 'The'} learning rate is too high for {listed(high)}"] if high else []
        steps.append((f"{', and '.join(why)}: smaller steps.", _options(new, lower if low else [])))
    if low:
        most = min(finding["evidence"]["moved"] for finding in low.values())
        rate = max(finding["evidence"]["learning_rate"] for finding in low.values())
        new = [rate * fitting_factor(most) / 10, rate * fitting_factor(most)]
        new = [own for own in new if not any(abs(own - other) < 0.01 * other for other in tried)]
        count = min(finding["evidence"]["steps"] for finding in low.values())
        if too_few_steps(count, most):
            epochs = math.ceil(recording.study.epochs * FEW_STEPS / count)
            steps.append((f"{count:,} steps are too few for {listed(low)}: train longer.", f"--epochs {epochs}"))
        elif new:
            sentence = f"The learning rate is too low for {listed(low)}, whose weights hardly move: larger steps."
            steps.append((sentence, _options(new, list(low) if lower else [])))
    return steps


def _options(learning_rates: Sequence[float], names: Sequence[str]) -> str:
    options = f"--learning-rates {','.join(f'{rate:g}' for rate in learning_rates)}"
    return f"{options} --activations {quoted(names)}" if names else options


def tried_rates(recording: Recording, ranked: Sequence[Reported]) -> set[float]:
    """All learning rates that the study has trained at."""
    tuning = recording.facts.get("tuning") or []
    tried = {*(recording.study.learning_rates or ()), *(entry.learning_rate for entry in ranked)}
    return tried | {row["learning_rate"] for row in tuning}


def _inputs(recording: Recording, found: Sequence[Finding]) -> list[Step]:
    if not found:
        return []
    study, evidence = recording.study, found[0]["evidence"]
    if evidence["far_from_zero"] or PurePath(study.task).suffix.lower() not in ARRAYS:
        return [(f"The inputs are far from unit scale. {found[0]['help']}", "")]
    before = study.scale if isinstance(study.scale, (int, float)) else 1.0
    divisor = before * suggested_divisor(evidence)
    return [(f"The inputs are far from unit scale: divide them by {divisor:g}.", f"--scale {divisor:g}")]


def _start(recording: Recording, found: Sequence[Finding], what: str) -> list[Step]:
    """Other initial weights for those that have a critical point; in words for all others."""
    if not found:
        return []
    names = [finding["activation"] for finding in found]
    if recording.study.init == "stated" and not isinstance(recording.study.network, CustomNetwork):
        cards = {name: recording.functions.get(name, {}).get("facts", {"critical": True}) for name in names}
        # Without a critical point weights would stay as they are.
        critical = [name for name, facts in cards.items() if facts.get("critical") is not None]
        if critical:
            sentence = f"Networks with {listed(critical)} {what}: start from weights that carry signal and gradient."
            return [(sentence, "--init critical")]
    return [(f"Networks with {listed(names)} {what}. {found[0]['help']}", "")]


def _width(recording: Recording, found: Sequence[Finding]) -> list[Step]:
    if not found:
        return []
    name, names = found[0]["layer"], [finding["activation"] for finding in found]
    sentence = f"{name} is too narrow for networks with {listed(names)}"
    network: Any = recording.study.network
    if isinstance(network, CustomNetwork):
        return [(f"{sentence}: make it as wide as the layers beside it.", "")]
    entry = Reported(names[0], 0.0, None, (), ())
    wide = max([WIDE, *(width for _, width in hidden_widths(recording, entry))])
    places = [place for place, layer in enumerate(network) if isinstance(layer, Dense)]
    # Where blocks hold layers of their own, numbers count these too.
    options = f"--set network.{places[int(name.removeprefix('dense')) - 1]}.units={wide}" if _plain(network) else ""
    return [(f"{sentence}: {counted(wide, 'unit')} instead of {found[0]['evidence']['width']}.", options)]


def _plain(network: Sequence[Any]) -> bool:
    return not any(layer.layer == "residual" for layer in network)


def _dead(recording: Recording, found: Sequence[Finding]) -> list[Step]:
    if not found:
        return []
    names = [finding["activation"] for finding in found]
    new = [name for name in NOWHERE_FLAT if name not in recording.study.activations]
    samples = found[0]["evidence"]["samples"]
    sentence = f"Most units of a layer of {listed(names)} are flat for all of {counted(samples, 'sample')}"
    if not new:
        return [(f"{sentence}. {found[0]['help']}", "")]
    return [(f"{sentence}: try functions that are nowhere flat.", f"--activations {quoted([*names, *new])}")]


def _labels(found: Sequence[Finding]) -> list[Step]:
    if not found:
        return []
    names = listed(finding["activation"] for finding in found)
    return [(f"The labels do not fit the inputs, by what networks with {names} learn. {found[0]['help']}", "")]
