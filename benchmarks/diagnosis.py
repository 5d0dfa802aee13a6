"""Is what actlab says of a training right? Faults of known kinds and healthy trainings, watched and counted.

    .venv/bin/python -m benchmarks.diagnosis [--half tuning] [--seeds 0 1] [--out FILE] [--verify]
    .venv/bin/python -m benchmarks.diagnosis --read FILE ... [--peers FILE]

Rules are chosen on one part of the trainings, and counted on all three: that which they are chosen on, that which was
held out, and one that was written without a look at the rules. With all of them docs/diagnosis-bench.md is written;
--read takes what --out has kept instead of training again, and --peers what benchmarks.peers_of_diagnosis has kept.
An alarm is a warning that was told at any time; the kind is right where a code that names it is the first cause at the
end, or that which was told first; the layer where a finding of such a code names one of its layers. With --verify
nothing is watched: a fault has to cost something, and a healthy training has to learn.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks import peers_of_diagnosis
from benchmarks.trainings import HEALTHY, TRAININGS, Training

import actlab

PAGE = Path(__file__).parent.parent / "docs" / "diagnosis-bench.md"
HALVES = {"tuning": "chosen on", "held out": "held out", "blind": "written without a look"}
# By kind of fault, the codes that name it. A rate that is too large kills ReLU, and a strong decay looks like one:
# these cannot be told apart by numbers alone.
NAMED: Mapping[str, tuple[str, ...]] = {
    "vanishing": ("vanishing_signal", "vanishing_gradient"),
    "saturation": ("saturated", "start_too_large"),
    "dead units": ("dead_units",),
    "dead by rate": ("dead_units", "rate_too_high"),
    "exploding": ("start_too_large", "rate_too_high"),
    "rate too small": ("rate_too_low",),
    "rate too large": ("rate_too_high",),
    "zero start": ("units_alike",),
    "constant start": ("units_alike",),
    "unscaled inputs": ("inputs_off_scale",),
    "one huge feature": ("inputs_off_scale",),
    "softmax twice": ("softmax_twice",),
    "squared and saturated": ("loss_does_not_suit", "saturated"),
    "no function": ("no_function",),
    "ReLU before the loss": ("function_before_loss",),
    "labels shuffled": ("labels_unlearnable", "learns_nothing"),
    "class collapse": ("class_imbalance",),
    "dropout": ("dropout_too_high",),
    "missing zero_grad": ("missing_zero_grad",),
    "frozen by mistake": ("not_in_optimiser", "rate_of_zero", "frozen_layers"),
    "detached": ("detached",),
    "NaN in the data": ("input_not_finite",),
    "log of zero": ("loss_not_finite",),
    "clipped": ("clipped",),
    "weight decay": ("decay_too_strong",),
    "batch norm at batch 1": ("single_sample",),
    "evaluation mode": ("evaluating",),
    "underflow": ("underflow",),
}
# A fault is one where its twin gains so much, and a healthy training learns so much; of three seeds, in the median.
GAIN, LEARNT = 0.1, 0.3
SEEDS = (0, 1, 2)


def seeded(training: Training, seed: int, *, twin: bool = False) -> tuple[Any, Any]:
    """A model, and what trains it, with everything random from the seed."""
    build, train = training.twin if twin and training.twin else (training.build, training.train)
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002  Loops of users draw from it.
    random.seed(seed)
    return build(), train


def watched(number: int, seed: int) -> dict[str, Any]:
    """One training, watched: what was said of it."""
    torch.set_num_threads(1)
    training = TRAININGS[number]
    told: list[dict[str, Any]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, train = seeded(training, seed)
        with actlab.watch(model, on_finding=told.append) as watch:
            result = train(model, seed)
        found = [own for own in watch.findings if own["severity"] == "warning"]
        causes = [own for own in found if own["cause"] is None]
    kept = ("code", "layer", "step", "sentence", "cause")
    return {
        "number": number, "name": training.name, "half": training.half, "seed": seed,
        "score": result, "stopped": watch.stopped, "state": watch.verdict.state,
        "told": [{name: own.get(name) for name in kept} for own in told],
        "found": [{name: own.get(name) for name in kept} for own in (*causes, *[o for o in found if o["cause"]])],
    }  # fmt: skip


def judged(training: Training, result: Mapping[str, Any]) -> dict[str, bool | None]:
    """Whether there was an alarm, and whether it was right."""
    found = [*result["found"], *result["told"]]
    named = NAMED.get(training.kind, ())
    first = {own["code"] for own in (*result["found"][:1], *result["told"][:1])}
    layers = [own["layer"] for own in found if own["code"] in named]
    return {
        "alarm": bool(found),
        "kind": any(own["code"] in named for own in found),
        "first": bool(first & set(named)),
        "layer": any(layer in training.layers for layer in layers) if training.layers else None,
    }


def scores(number: int, seed: int) -> tuple[float, float | None]:
    """The score of a training, and of its twin."""
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        training = TRAININGS[number]
        model, train = seeded(training, seed)
        own = train(model, seed)
        if training.twin is None:
            return own, None
        model, train = seeded(training, seed, twin=True)
        return own, train(model, seed)


def verify(numbers: Sequence[int]) -> None:
    """Print the trainings that are not what they are called."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        pending = {number: [pool.submit(scores, number, seed) for seed in SEEDS] for number in numbers}
        for number, own in pending.items():
            training, found = TRAININGS[number], [one.result() for one in own]
            score = statistics.median(one for one, _ in found)
            if training.twin is None:
                line, right = f"{score:.2f}", score > LEARNT
            else:
                twin = statistics.median(other for _, other in found if other is not None)
                line, right = f"{score:.2f}, twin {twin:.2f}", twin - score > GAIN
            print(
                f"{'  ' if right else '??'} {training.half:8} {training.kind:22} {training.name:50} {line}", flush=True
            )


def counted(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Precision, recall and what else is counted."""
    pairs = [(TRAININGS[own["number"]], judged(TRAININGS[own["number"]], own)) for own in results]
    faulty = [own for training, own in pairs if training.kind != HEALTHY]
    healthy = [own for training, own in pairs if training.kind == HEALTHY]
    right = sum(bool(own["alarm"]) for own in faulty)
    wrong = sum(bool(own["alarm"]) for own in healthy)
    placed = [own for own in faulty if own["layer"] is not None]
    return {
        "faulty": len(faulty),
        "healthy": len(healthy),
        "precision": right / max(right + wrong, 1),
        "recall": right / max(len(faulty), 1),
        "kind": sum(bool(own["kind"]) for own in faulty) / max(len(faulty), 1),
        "first": sum(bool(own["first"]) for own in faulty) / max(len(faulty), 1),
        "layers": len(placed),
        "layer": sum(bool(own["layer"]) for own in placed) / max(len(placed), 1),
        "accused": wrong,
    }


def print_misses(results: Sequence[Mapping[str, Any]]) -> None:
    """What went wrong, with what was said."""
    for result in results:
        training = TRAININGS[result["number"]]
        own = judged(training, result)
        healthy = training.kind == HEALTHY
        if own["alarm"] if healthy else not (own["first"] and own["layer"] in (None, True)):
            what = "accused" if healthy else "missed" if not own["alarm"] else "kind" if not own["first"] else "layer"
            print(f"{what:8} {training.kind} | {training.name} | seed {result['seed']}, {result['state']}")
            for one in [*result["told"][:3], *result["found"][:3]]:
                print(f"         [{one['code']}] {one['layer']}, step {one['step']}: {one['sentence'][:150]}")
        if result["stopped"]:
            print(f"stopped  {training.name}: {result['stopped']}")


def page(results: Sequence[Mapping[str, Any]], peers: Sequence[Mapping[str, Any]]) -> str:
    """The tables as Markdown; peers stand beside what actlab says of the same trainings from the same seeds."""
    rows = {half: counted([own for own in results if TRAININGS[own["number"]].half == half]) for half in HALVES}
    titles = {
        "precision": "something is wrong: precision", "recall": "something is wrong: recall",
        "first": "right kind, as the first finding", "kind": "right kind, among the findings",
        "layer": "right layer, of those that have one",
    }  # fmt: skip
    lines = ["| | " + " | ".join(HALVES.values()) + " |", "|---" * (1 + len(HALVES)) + "|"]
    lines.append("| faulty trainings × seeds | " + " | ".join(f"{own['faulty']}" for own in rows.values()) + " |")
    lines += [
        f"| {title} | " + " | ".join(f"{own[key]:.2f}" for own in rows.values()) + " |" for key, title in titles.items()
    ]
    lines.append(
        "| healthy trainings × seeds, accused | "
        + " | ".join(f"{own['accused']} of {own['healthy']}" for own in rows.values())
        + " |"
    )
    kinds = ["| kind | trainings × seeds | alarm | named first | layer |", "|---|---|---|---|---|"]
    for kind in dict.fromkeys(TRAININGS[own["number"]].kind for own in results):
        own = [judged(TRAININGS[one["number"]], one) for one in results if TRAININGS[one["number"]].kind == kind]
        placed = [one["layer"] for one in own if one["layer"] is not None]
        first = "–" if kind == HEALTHY else f"{sum(bool(one['first']) for one in own)}"
        layer = f"{sum(map(bool, placed))} of {len(placed)}" if placed else "–"
        kinds.append(f"| {kind} | {len(own)} | {sum(bool(one['alarm']) for one in own)} | {first} | {layer} |")
    text = (__doc__ or "").split("\n\n")
    return "\n".join(
        [
            "# How often the diagnosis is right",
            "",
            "Made by `python -m benchmarks.diagnosis`. " + " ".join(text[2].split()),
            "",
            *lines,
            "",
            *kinds,
            "",
            *beside(results, peers),
        ]
    )


def beside(results: Sequence[Mapping[str, Any]], peers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines on other tools, where they were run."""
    if not peers:
        return []
    seeds = {own["seed"] for own in peers}
    halves = {half: [own for own in results if TRAININGS[own["number"]].half == half] for half in HALVES}
    asked = {half for half in HALVES if any(own["half"] == half for own in peers)}
    rows = {half: counted([own for own in halves[half] if own["seed"] in seeds]) for half in HALVES if half in asked}
    how = (peers_of_diagnosis.__doc__ or "").split("\n\n")[2]
    return [
        "## Other tools on the same trainings",
        "",
        " ".join(how.split()),
        "",
        *peers_of_diagnosis.table(peers, rows),
        "",
    ]


def run(numbers: Sequence[int], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Trainings watched, two at a time."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        pending = [pool.submit(watched, number, seed) for number in numbers for seed in seeds]
        return [one.result() for one in pending]


def read(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Results that were kept, of trainings that are still there."""
    numbers = {(own.half, own.name): number for number, own in enumerate(TRAININGS)}
    kept = [own for file in files for own in json.loads(file.read_text())]
    return [
        own | {"number": numbers[own["half"], own["name"]]} for own in kept if (own["half"], own["name"]) in numbers
    ]


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=HALVES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--only", default="", help="trainings whose name or kind holds this")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("--read", type=Path, nargs="+", default=[], help="results of --out, instead of training")
    parser.add_argument("--peers", type=Path, help="results of benchmarks.peers_of_diagnosis")
    given = parser.parse_args()
    numbers = [
        number
        for number, own in enumerate(TRAININGS)
        if given.half in (None, own.half) and given.only in f"{own.kind} {own.name}"
    ]
    if given.verify:
        verify(numbers)
        return
    results = read(given.read) if given.read else run(numbers, given.seeds)
    print_misses(results)
    present = [half for half in HALVES if any(TRAININGS[own["number"]].half == half for own in results)]
    for half in present:
        own = counted([one for one in results if TRAININGS[one["number"]].half == half])
        print(half, {name: round(value, 3) for name, value in own.items()})
    if given.out:
        given.out.write_text(json.dumps(results, indent=1))
    if len(present) == len(HALVES) and not given.only:
        PAGE.write_text(page(results, json.loads(given.peers.read_text()) if given.peers else []), encoding="utf-8")


if __name__ == "__main__":
    main()
