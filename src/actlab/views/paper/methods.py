"""How it was compared: a paragraph for the methods section of a paper, from what study and recording hold alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from actlab.custom import CustomNetwork
from actlab.errors import InvalidFunction
from actlab.layers import WEIGHTED
from actlab.network import flat
from actlab.recording import Member, Recording
from actlab.statistics.selection import mostly_diverged, reported
from actlab.statistics.sentences import weighed
from actlab.statistics.stopping import looks
from actlab.statistics.trained import words_of
from actlab.study import Study, conditions
from actlab.study.conditions import initial_weights
from actlab.views.paper.latex import escape
from actlab.views.paper.layers import layer_in_words
from actlab.views.paper.writing import write_text
from actlab.views.trained import own_sentences, pairing
from actlab.wording import counted, listed

SUFFIXES = (".md", ".tex", ".txt")
OPTIMISERS = {"sgd": "stochastic gradient descent", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSProp"}
SETTINGS = {"beta1": "β1", "beta2": "β2", "epsilon": "ε", "weight_decay": "weight decay"}
# How initial weights that suit a function are drawn, and what a function lacks that starts as stated.
INITS = {
    "gain": ("to variance g²/n behind a function of gain g, n being the inputs of a unit", "gain"),
    "critical": ("to each function's mean-field critical point", "critical point"),
}


def write_methods(recording: Recording, file: str | Path) -> Path:
    """Write the paragraph of `methods` as Markdown, LaTeX or plain text, by the ending of the file's name.

    Args:
        recording: complete or not.
        file: .md, .tex or .txt; is replaced.

    Raises:
        InvalidFunction: another ending.
        ActlabError: the file cannot be written.
    """
    file = Path(file)
    check_suffix(file)
    written = {".md": _markdown, ".tex": escape, ".txt": str}[file.suffix.lower()]
    return write_text(file, written(methods(recording)) + "\n")


def check_suffix(file: Path) -> None:
    """Raise InvalidFunction unless the file's name ends in .md, .tex or .txt."""
    if file.suffix.lower() not in SUFFIXES:
        raise InvalidFunction(
            f"{file}: how it was compared is written as .md, .tex or .txt; give the file one of these endings."
        )


def _markdown(text: str) -> str:
    r"""A text in which Markdown finds no marks.

    >>> _markdown("leaky_relu, 5 * 2")
    'leaky\\_relu, 5 \\* 2'
    """
    return re.sub(r"([\\`*_<>\[\]~|#])", r"\\\1", text)


def methods(recording: Recording) -> str:
    """How the activations of a recording were compared, in one paragraph of plain sentences.

    Data, network, optimiser, learning rates, seeds, test set, statistics, machine, and what diverged. What the
    recording does not hold is left out.
    """
    own = recording.study.own_loop
    sentences = (
        *(own_sentences(recording) if own else (*_data(recording), *_network(recording), *_training(recording))),
        *(_own_loop(recording) if own else ()),
        *_rates(recording),
        *_initial_weights(recording),
        *(_own_seeds(recording) if own else _seeds(recording.study)),
        *_added(recording),
        *_test(recording),
        *_statistics(recording),
        *_against(recording),
        *_machine(recording.facts),
        *_end(recording),
    )
    return " ".join(" ".join(sentences).split())


def statistics(activations: int, seeds: int, items: bool) -> str:
    """Which intervals and tests are used, for so many activations and seeds, and whether test samples are known singly.

    >>> statistics(1, 1, True)
    'Of a single seed there are no intervals and no tests.'
    """
    if seeds < 2:
        return "Of a single seed there are no intervals and no tests."
    means = "Means are over seeds with Student's t intervals"
    if activations < 2:
        return f"{means}."
    return (
        f"{means}; differences between activations are paired by seed with simultaneous 95 % intervals and step-down "
        "max-T p-values from sign flips of whole seeds (Westfall & Young 1993); the set that may be the best is by "
        "multiple comparisons with the best (Hsu 1996), and is all of them unless some pair is told apart."
        + (" Intervals for new data are over seeds and test samples together (crossed random effects)." * items)
    )


def _statistics(recording: Recording) -> Iterator[str]:
    """Nothing where nothing was trained to be compared."""
    compared = [entry for entry in reported(recording) if entry.members and not mostly_diverged(entry)]
    if compared and recording.epochs >= 0:
        yield f"Activations are ranked and compared by their {recording.lead.title} on the test data."
        yield statistics(len(compared), len(recording.study.seeds), recording.right is not None)


def _against(recording: Recording) -> Iterator[str]:
    study, baseline = recording.study, recording.baseline
    if baseline is not None and len(study.seeds) > 1 and len(study.activations) > 1:
        yield (
            f"Each activation was also compared with {baseline}, the baseline, alone: a family of its own, by the same "
            "test and intervals (as Dunnett 1955 asks)."
        )


def _data(recording: Recording) -> Iterator[str]:
    study, facts = recording.study, recording.facts
    # A path without its folders: these say more of a person than of the data.
    name, said = re.split(r"[/\\]", study.task.rstrip("/\\"))[-1] or study.task, (study.provenance or "").rstrip(".")
    yield f"The data are {said}." if said.startswith(name) else f"The task is {name}{said and ': '}{said}."
    classes, shape = len(facts["classes"]), "×".join(map(str, facts["input_shape"]))
    targets = [repr(name) for name in facts.get("targets", ())]
    aim = f"and {listed(targets)} to be predicted" if targets else f"and one of {classes} classes"
    aim = f"and any of {len(targets)} labels" if study.loss == "labels" else aim
    yield f"A sample has {shape} numbers {aim}."
    # Older recordings may lack the sizes; the training samples of each class are counted in all.
    samples = facts.get("samples") or {"train": round(sum(facts.get("class_counts") or ()))}
    if samples["train"]:
        sizes = f"There are {counted(samples['train'], 'training sample')}"
        if "test" not in samples:
            yield f"{sizes}."
        elif study.validation == "test":
            yield f"{sizes} and {counted(samples['test'], 'test sample')}."
        else:
            parts = [sizes, *(counted(samples[part], f"{part} sample") for part in ("validation", "test"))]
            yield f"{listed(parts)}."
    if study.validation == "test":
        yield "The validation data are the test data: what is measured on the one is measured on the other."
    if study.digest:
        yield f"The SHA-256 digest of the data begins with {study.digest[:16]}."


def _network(recording: Recording) -> Iterator[str]:
    study, facts = recording.study, recording.facts
    if isinstance(study.network, CustomNetwork):
        places = counted(len(recording.act_layers), "place")
        yield (
            f"The network is code of our own, {study.network}, which calls the activation at {places} "
            f"({listed(recording.act_layers)}) and has weights in {listed(recording.weight_layers)}."
        )
    else:
        layers = "; ".join(map(layer_in_words, study.network or ()))
        yield f"The network is, from input to output: {layers}."
        if any(layer.bias for layer in flat(study.network or ()) if isinstance(layer, WEIGHTED)):
            yield "Biases start at zero."
    if counts := facts.get("parameters"):
        yield f"It has {_parameters(counts)}."
    if any(card.get("kind") == "grouping" for card in recording.functions.values()):
        held = "parameters, as nearly as widths allow," if study.match == "parameters" else "units of each layer"
        yield f"For functions that change the width of a layer, the number of {held} was held equal."
    loss = next(metric for metric in facts["metrics"] if metric["name"] == "loss")
    lowers = "" if study.loss else f" What training lowers is the {loss['title']}."
    compared = "activations compared are" if len(study.activations) > 1 else "activation is"
    yield f"The {compared} {listed(study.activations)}.{lowers}"
    for place, digest in (study.source_digests or {}).items():
        yield f"{place} is code of our own, in a file whose SHA-256 digest begins with {digest[:16]}."


def _own_loop(recording: Recording) -> Iterator[str]:
    """What of a model of a user's own is known as it is of any network."""
    study, facts = recording.study, recording.facts
    if counts := facts.get("parameters"):
        yield f"It has {_parameters(counts)}."
    if len(study.activations) > 1:
        yield f"The activations compared are {listed(study.activations)}."
    if study.validation == "test":
        yield f"{facts['data_notes'][0]}" if facts.get("data_notes") else ""


def _parameters(counts: Mapping[str, int]) -> str:
    """The numbers of parameters, and of which activation each is where they differ.

    >>> _parameters({"relu": 9, "tanh": 9}), _parameters({"relu": 9, "tanh": 9, "prelu": 11})
    ('9 parameters', '9 parameters with relu and tanh, 11 parameters with prelu')
    """
    by_count = _grouped((count, name) for name, count in counts.items())
    if len(by_count) == 1:
        return counted(next(iter(by_count)), "parameter")
    return ", ".join(f"{counted(count, 'parameter')} with {listed(names)}" for count, names in by_count.items())


LOSSES = {
    "labels": "Training minimised the binary cross-entropy, averaged over the labels.",
    "squared": "Training minimised the mean squared error of the targets, standardised by the training part.",
    "absolute": "Training minimised the mean absolute error of the targets, standardised by the training part.",
    "huber": "Training minimised Huber's error of the targets, standardised by the training part, quadratic up to one "
    "standard deviation.",
}


def _training(recording: Recording) -> Iterator[str]:
    study = recording.study
    given = study.optimiser.model_dump()
    settings = ", ".join(f"{SETTINGS.get(key, key)} {value:g}" for key, value in given.items() if key != "name")
    yield (
        f"Each network was trained by {OPTIMISERS[given['name']]} ({settings}) for {counted(study.epochs, 'epoch')} in "
        f"batches of {counted(study.batch, 'sample')}."
    )
    yield from weighed(recording)
    if study.loss is not None:
        yield LOSSES[study.loss]


def _rates(recording: Recording) -> Iterator[str]:
    study, words = recording.study, words_of(recording.study)
    rates = [f"{rate:g}" for rate in study.learning_rates or ()]
    if len(rates) < 2:
        if words.own_loop:
            yield f"All networks were trained at {words.at_rate(float(rates[0]))}."
        else:
            yield f"The learning rate was {listed(rates)} for all."
        return
    if study.chosen_rates is None:
        yield (
            f"Each activation was trained at the learning rates {listed(rates)}, and is reported at the one with the "
            "lowest mean validation loss."
        )
        return
    tuning = recording.facts.get("tuning") or []
    if tuning:
        yield from _chosen(study, tuning, rates)
    else:
        yield "The learning rate of each activation was chosen before; the recording does not hold how."
    for init in initial_weights(study):
        chosen = study.chosen_rates[init]
        by_rate = _grouped((chosen[name], name) for name in study.activations)
        named = "; ".join(f"{rate:g} for {listed(names)}" for rate, names in by_rate.items())
        where = f" {_from(init)}" if study.init != "stated" else ""
        yield f"Chosen{where} were {named}."
    yield from _edges(study.chosen_rates, tuning)
    if study.stated_rate is not None:
        yield f"All were also compared at the one learning rate {study.stated_rate:g}."


def _from(init: str) -> str:
    return "for stated initial weights" if init == "stated" else f"for initial weights by {INITS[init][1]}"


def _chosen(study: Study, tuning: Iterable[Mapping[str, Any]], rates: list[str]) -> Iterator[str]:
    held_out = ""
    words = words_of(study)
    if study.validation == "test":
        held_out = " on the same data" if words.own_loop else " on samples held out of the training data"
    yield (
        f"The {words.rate} of each activation was chosen among {listed(rates)} by the lowest mean validation loss"
        f"{held_out} after {counted(study.epochs, 'epoch')} with the {_numbered('seed', study.tuning_seeds)}, which "
        "served nothing else; a network that diverged counted as infinitely bad."
    )
    tried = {row["learning_rate"] for row in tuning}
    if further := sorted(tried - set(study.learning_rates or ())):
        yield (
            "Where the best rate lay at an end of those tried, two beyond it were tried as well: "
            f"{listed(f'{rate:g}' for rate in further)}."
        )


def _edges(chosen: Mapping[str, Mapping[str, float]], tuning: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Which chosen rates are the smallest or largest tried, and for whom all of them diverged."""
    tried: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in tuning:
        tried.setdefault((row["init"], row["activation"]), []).append(row)
    for (init, name), rows in tried.items():
        rates, where = [row["learning_rate"] for row in rows], f" {_from(init)}" if len(chosen) > 1 else ""
        if all(row["diverged"] == row["members"] for row in rows):
            yield f"With {name}{where} every learning rate tried diverged, from {min(rates):g} to {max(rates):g}."
        elif chosen.get(init, {}).get(name) in (min(rates), max(rates)):
            yield f"The rate of {name}{where} lies at the edge of those tried."


def _initial_weights(recording: Recording) -> Iterator[str]:
    study = recording.study
    held = conditions(study)
    if study.init != "stated":
        how, what = INITS[study.init]
        yield f"Networks were trained from initial weights as the layers state, and from the same draws scaled {how}."
        without = [
            name for name in study.activations if recording.functions[name].get("facts", {}).get(study.init) is None
        ]
        if without:
            yield f"Of {listed(without)} no {what} is known: the weights are as stated."
    if len(held) > 1:
        yield f"There are {len(held)} comparisons: {'; '.join(condition.title for condition in held)}."


def _seeds(study: Study) -> Iterator[str]:
    seeds = _numbered("", study.seeds).removeprefix("s").strip()
    yield f"Each activation was trained with {counted(len(study.seeds), 'seed')}, {seeds}."
    paired = ": activations are paired by seed" if len(study.activations) > 1 else ""
    yield (
        "A seed decides all that is random, as initial weights and the order of the data, whatever the activation and "
        f"the learning rate{paired}."
    )


def _own_seeds(recording: Recording) -> Iterator[str]:
    """Seeds of a loop of a user's own, and what they decide there."""
    study = recording.study
    seeds = _numbered("", study.seeds).removeprefix("s").strip()
    yield f"Each activation was trained with {counted(len(study.seeds), 'seed')}, {seeds}."
    if len(study.activations) > 1:
        yield f"Activations are paired {pairing(recording)}."


def _added(recording: Recording) -> Iterator[str]:
    """How seeds were added, where they were."""
    added = looks(recording)
    if added is None or len(added["planned"]) < 2:
        return
    within = (
        f", or all that may be the best lay within {added['within']:g} {added['unit']} of each other".replace("  ", " ")
        if added["within"]
        else ""
    )
    yield (
        f"Seeds were added until one activation alone could be the best by test {added['metric']}{within}, up to "
        f"{added['most']}: a group-sequential design with {counted(len(added['planned']), 'look')}, after "
        f"{listed(map(str, added['planned']))} seeds, for which all tests and intervals of differences are corrected "
        "after Bonferroni."
    )


def _test(recording: Recording) -> Iterator[str]:
    samples = (recording.facts.get("samples") or {}).get("test")
    if samples and recording.objective.decides:
        yield f"Of the {samples:,} test samples one weighs {100 / samples:.2g} percentage points of accuracy."
    if recording.epochs < 0:
        return
    after = "the last epoch" if recording.epochs == recording.study.epochs else f"epoch {recording.epochs}"
    if recording.study.own_loop:
        # What a loop of a user's own chose by test data, nobody here knows.
        yield f"Results on the test data are those after {after if words_of(recording.study).rows else 'training'}."
        return
    # Where the validation data are the test data, a rate may have been chosen on them.
    held_out = recording.study.validation == "held-out" or recording.study.chosen_rates is not None
    chosen = "; nothing was chosen by test data" if held_out else ""
    yield f"Results on the test data are those after {after}{chosen}."


def _machine(facts: Mapping[str, Any]) -> Iterator[str]:
    precision, machine = facts.get("precision"), facts.get("machine")
    versions = [f"{name} {version}" for name, version in facts.get("versions", {}).items()]
    told = [
        *([f"in {precision}"] if precision else []),
        *([f"on {machine}"] if machine else []),
        *([f"with {listed(versions)}"] if versions else []),
    ]
    if told:
        yield f"All was computed {', '.join(told)}."


def _end(recording: Recording) -> Iterator[str]:
    """Whether it came to its end, and who diverged on the way."""
    wanted = recording.study.epochs
    if recording.epochs < 0:
        yield "The run was stopped before its first epochs were recorded."
        return
    if recording.epochs < wanted:
        yield f"The run was stopped after epoch {recording.epochs} of {wanted}."
    diverged = [member for member in recording.members if member.diverged_epoch is not None]
    if not diverged:
        yield f"Of {counted(len(recording.members), 'network')} none diverged."
        return
    several = len({(m.learning_rate, m.init) for m in recording.members}) > 1
    groups = _grouped((_variant(member, several), member) for member in diverged)
    named = "; ".join(f"{name}, {_first(members)}" for name, members in groups.items())
    yield (
        f"Of {counted(len(recording.members), 'network')} {len(diverged)} diverged and count in no mean: {named}. An "
        "activation most of whose networks diverged is in no comparison."
    )


def _variant(member: Member, several: bool) -> str:
    init = f", {member.init} initial weights" if member.init != "stated" else ""
    return f"{member.activation}{f' at {member.learning_rate:g}{init}' if several else ''}"


def _first(members: list[Member]) -> str:
    first = min(members, key=lambda member: member.diverged_epoch or 0)
    seeds = _numbered("seed", [member.seed for member in members])
    return f"{seeds} (the first at epoch {first.diverged_epoch}: {first.diverged_reason})"


def _grouped(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def _numbered(noun: str, numbers: Iterable[int]) -> str:
    """Numbers with their noun; those that follow each other by their ends.

    >>> _numbered("seed", [0, 1, 2, 3]), _numbered("seed", [3, 7]), _numbered("seed", [5])
    ('seeds 0 to 3', 'seeds 3 and 7', 'seed 5')
    """
    held = list(numbers)
    if len(held) > 2 and held == list(range(held[0], held[0] + len(held))):
        return f"{noun}s {held[0]} to {held[-1]}"
    return f"{noun}{'s' if len(held) > 1 else ''} {listed(map(str, held))}"
