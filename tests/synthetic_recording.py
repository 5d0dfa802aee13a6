"""Recordings made up from numbers that a test chooses: no training, no JAX."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from actlab.layers import Act, Dense
from actlab.recording import METRICS, Claim, Member, Recording, Writer, load
from actlab.study import SGD, Study, variants

ACTIVATIONS = ("sigmoid", "tanh", "relu")
Finals = Mapping[str, float]


def study(**settings: Any) -> Study:
    """A complete study of a 2-2-1 network, which no test will train."""
    defaults = {
        "name": "made-up",
        "task": "parabolas",
        "network": (Dense(2), Act(), Dense(1)),
        "activations": ACTIVATIONS,
        "optimiser": SGD(),
        "learning_rates": (0.05,),
        "seeds": tuple(range(10)),
        "epochs": 8,
    }
    return Study(**defaults | settings)


def members_of(study: Study, diverged: Mapping[tuple[str, float, int], tuple[int, str]]) -> list[Member]:
    """All members of a study, variant by variant, seed by seed."""
    found: list[Member] = []
    for variant in variants(study):
        for seed in study.seeds:
            epoch, reason = diverged.get((variant.activation, variant.learning_rate, seed), (None, None))
            found.append(
                Member(len(found), variant.activation, variant.learning_rate, seed, variant.init, epoch, reason)
            )
    return found


def curves(members: list[Member], epochs: int, finals: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Metrics that go straight from 0.5 (accuracy) or 1 (loss) at epoch 0 to their value at the last epoch.

    `finals[metric]` is a function of the member, or what it returns: that value, or those of all epochs. NaN from the
    epoch of divergence on.
    """
    metrics = {}
    time = np.linspace(0, 1, epochs + 1)[:, None] if epochs else np.ones((1, 1))
    for name in METRICS:
        start, usual = (0.5, 0.9) if "accuracy" in name else (1.0, 0.3)
        wanted = finals.get(name, usual)
        given = [np.asarray(wanted(m) if callable(wanted) else wanted, dtype=float) for m in members]
        straight = [own if own.ndim else start + (own - start) * time[:, 0] for own in given]
        values = np.stack(straight, axis=1)
        for column, member in enumerate(members):
            if member.diverged_epoch is not None:
                values[member.diverged_epoch :, column] = np.nan
        metrics[name] = values
    return metrics


def layers(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> dict[str, list[str]]:
    """Names of weight layers and places of functions: those among the facts, else as many as the arrays are of."""
    weights = [array.shape[2] for name, array in arrays.items() if name.startswith("weight_") or name == "update_ratio"]
    starts = ("flat_", "dead_", "activation_", "pre_activation_")
    places = [array.shape[2] for name, array in arrays.items() if name.startswith(starts)]
    return {
        "weight_layers": facts.get("weight_layers", [f"dense{i + 1}" for i in range((weights or [2])[0])]),
        "act_layers": facts.get("act_layers", [f"act{i + 1}" for i in range((places or [1])[0])]),
    }


def probes(
    members: list[Member], epochs: int, arrays: Mapping[str, np.ndarray], weights: int = 2, places: int = 1
) -> dict[str, np.ndarray]:
    """The probes that the summary reads, for some weight layers and places of the function, and two classes."""
    rows, columns = epochs + 1, len(members)
    norms = np.linspace(0.2, 0.8, weights, dtype=np.float32)
    found = {
        "weight_gradient_norm": np.tile(norms, (rows, columns, 1)),
        "flat_share": np.full((rows, columns, places), 0.125, np.float32),
        "dead_share": np.full((rows, columns, places), 0.0, np.float32),
        "class_accuracy": np.full((rows, columns, 2), 0.5, np.float32),
    } | dict(arrays)
    for column, member in enumerate(members):
        if member.diverged_epoch is not None:
            for array in found.values():
                # Counts go on being counted.
                if array.dtype.kind == "f":
                    array[member.diverged_epoch :, column] = np.nan
    return found


def record(
    directory: Path,
    made_up: Study | None = None,
    *,
    metrics: Mapping[str, Any] | None = None,
    arrays: Mapping[str, np.ndarray] | None = None,
    diverged: Mapping[tuple[str, float, int], tuple[int, str]] | None = None,
    last_epoch: int | None = None,
    complete: bool = True,
    facts: Mapping[str, Any] | None = None,
    sample: Mapping[str, np.ndarray] | None = None,
    tested: tuple[np.ndarray, np.ndarray] | None = None,
    restart: bool = True,
) -> Recording:
    """Write a recording and open it.

    `metrics`: see `curves`; `arrays`: probes that replace the usual ones; `diverged`: (activation, rate,
    seed) → (epoch, reason); `last_epoch`: where the run was stopped, −1 for before its first commit; `facts`: that
    replace the usual ones; `sample`: "x" and "y" of some samples; `tested`: outputs (members, samples, classes) and
    classes of test samples; `restart`: whether it may take the place of another one.
    """
    made_up = made_up or study()
    epochs = made_up.epochs if last_epoch is None else last_epoch
    diverged = diverged or {}
    started = members_of(made_up, {})
    ended = members_of(made_up, diverged)
    named = layers(arrays or {}, facts or {})
    known = {
        **named,
        "classes": ["negative", "positive"],
        "class_counts": [100, 100],
        "input_shape": [2],
        "parameters": dict.fromkeys(made_up.activations, 9),
        "layout": dict.fromkeys(made_up.activations, "lanes"),
        "precision": "float32",
    } | dict(facts or {})
    if tested:
        known |= {"samples": {"train": 200, "validation": 50, "test": len(tested[1])}}
    cards = {name: {"title": name} for name in made_up.activations}
    with Claim(directory, made_up, restart=restart) as claim:
        writer = Writer.create(claim, made_up, started, cards, **known)
        with closing(writer):
            if sample:
                writer.commit(0, {}, {name: array[None, None] for name, array in sample.items()}, {}, kind="sample")
            if epochs >= 0:
                events = {m.id: (m.diverged_epoch, m.diverged_reason) for m in ended if m.diverged_epoch is not None}
                sizes = (len(named["weight_layers"]), len(named["act_layers"]))
                observed = probes(ended, epochs, arrays or {}, *sizes)
                writer.commit(0, curves(ended, epochs, metrics or {}), observed, events)
            if tested:
                writer.commit(epochs, {}, arrays_of_test_samples(*tested), {}, kind="test")
            if complete:
                writer.finish(throughput=throughput(len(ended)))
    return load(directory)


def arrays_of_test_samples(outputs: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """What a run leaves of its test samples, from outputs (members, samples, classes) and the samples' classes."""
    right = (outputs.argmax(axis=2) == labels) & np.isfinite(outputs).all(axis=2)
    return {
        "right": np.packbits(right, axis=-1)[None],
        "outputs": outputs[None].astype(np.float32),
        "targets": labels[None, None].astype(np.int32),
    }


def throughput(members: int) -> dict[str, float]:
    """What a run says of its speed at its end."""
    found = {"members": members, "steps": 1000, "net_steps_per_second": 1e6, "samples_per_second": 1.6e7}
    return found | {"train_seconds": 1.0, "compile_seconds": 0.5}


# What `record_conditions` holds: the rates that were chosen, by kind of initial weights, and those that were tried.
CHOSEN = {
    "stated": {"sigmoid": 0.4, "tanh": 0.1, "relu": 0.1},
    "gain": {"sigmoid": 0.2, "tanh": 0.2, "relu": 0.05},
}
TRIED = {"sigmoid": (0.1, 0.2, 0.4), "tanh": (0.05, 0.1, 0.2), "relu": (0.05, 0.1, 0.2)}


def record_conditions(directory: Path, metrics: Mapping[str, Any] | None = None, **settings: Any) -> Recording:
    """A recording of three conditions: at rate 0.1, each at its best, and each at its best from weights of its gain.

    Sigmoid's rates were sought beyond the larger end. From weights of its gain, every rate of relu diverged.
    """
    diverged = settings.pop("diverged", None)
    made_up = study(
        **{"learning_rates": (0.1, 0.2), "stated_rate": 0.1, "init": "gain", "chosen_rates": CHOSEN, "seeds": 7}
        | settings
    )
    tuning = [
        {
            "activation": name,
            "init": init,
            "learning_rate": rate,
            "validation_loss": None if (name, init) == ("relu", "gain") else abs(rate - CHOSEN[init][name]),
            "diverged": 3 if (name, init) == ("relu", "gain") else 0,
            "members": 3,
        }
        for name in made_up.activations
        for init in CHOSEN
        for rate in TRIED[name]
    ]
    return record(directory, made_up, metrics=metrics, diverged=diverged, facts={"tuning": tuning})
