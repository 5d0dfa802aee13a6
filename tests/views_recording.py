"""A recording with everything the report shows, made up from random numbers: no training, no JAX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tests.synthetic_recording import arrays_of_test_samples, curves, members_of, study

from actlab.functions import catalogue
from actlab.recording import Recording, Writer, load

BINS = 16
GRADIENT_EDGES = [0.0, *(10.0**power for power in range(-9, 2))]


def card(name: str) -> dict[str, Any]:
    function = catalogue[name]
    x = np.linspace(-6, 6, 61)
    curve = function.kind != "grouping"
    return {
        "title": function.title,
        "formula": function.formula.plain,
        "kind": function.kind,
        "x": x.tolist() if curve else None,
        "value": function(x).tolist() if curve else None,
        "derivative": function.derivative(x).tolist() if curve else None,
    }


def random_weights(network: Any, rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Weights of `shape` copies of a network by "LAYER/PARAMETER"."""
    return {
        f"{built.name}/{parameter}": rng.normal(size=(*shape, *size)).astype(np.float32)
        for built in network.layers
        for parameter, size in built.parameter_shapes.items()
    }


def random_probes(
    rng: np.random.Generator, rows: int, members: int, weight_layers: int, act_layers: int, classes: int
) -> dict[str, np.ndarray]:
    counts = rng.integers(0, 50, (rows, members, act_layers, BINS)).astype(np.int32)
    counts[..., :3] = counts[..., -4:] = 0
    sizes = rng.integers(0, 50, (rows, members, weight_layers, len(GRADIENT_EDGES) - 1)).astype(np.int32)
    sizes[..., 1:4] = 0
    return {
        "weight_gradient_histogram": sizes,
        "activation_gradient_norm": rng.lognormal(-3, 1, (rows, members, act_layers)).astype(np.float32),
        "pre_activation_gradient_norm": rng.lognormal(-3, 1, (rows, members, act_layers)).astype(np.float32),
        "weight_gradient_norm": rng.lognormal(-3, 1, (rows, members, weight_layers)).astype(np.float32),
        "flat_share": np.full((rows, members, act_layers), 0.25, np.float32),
        "dead_share": np.zeros((rows, members, act_layers), np.float32),
        "activation_histogram": counts,
        "class_accuracy": np.full((rows, members, classes), 0.5, np.float32),
    }


def record_all(
    directory: Path,
    *,
    last_epoch: int | None = None,
    complete: bool = True,
    diverged: dict[tuple[str, float, int], tuple[int, str]] | None = None,
    classes: tuple[str, ...] = ("negative", "positive"),
    tested: int | None = None,
    **settings: Any,
) -> Recording:
    """Write a recording with random probes, weights of every epoch and 60 samples, and open it.

    `tested`: so many test samples, each class as often as any other, with random outputs for them.
    """
    made_up = study(**settings)
    rng = np.random.default_rng(5)
    ended = members_of(made_up, diverged or {})
    epochs = made_up.epochs if last_epoch is None else last_epoch
    networks = made_up.networks((2,))
    network = next(iter(networks.values()))
    facts = {
        "weight_layers": network.weight_layers,
        "act_layers": network.act_layers,
        "classes": classes,
        "class_counts": [60 // len(classes)] * len(classes),
        "input_shape": [2],
        "histogram_edges": (np.sinh(np.linspace(-6, 6, BINS + 1)) / 2).tolist(),
        "gradient_edges": GRADIENT_EDGES,
        "parameters": {name: networks[name].parameter_count for name in made_up.activations},
        "versions": {"actlab": "0", "numpy": "0"},
        "machine": "a machine <of> some kind",
        "precision": "float32",
    }
    if tested:
        facts |= {"samples": {"train": 60, "validation": 60, "test": tested}}
        facts["test_class_counts"] = np.bincount(np.arange(tested) % len(classes)).tolist()
    cards = {name: card(name) for name in made_up.activations}
    writer = Writer.create(directory, made_up, members_of(made_up, {}), cards, **facts)
    if epochs >= 0:
        sample = {"x": rng.normal(size=(1, 1, 60, 2)).astype(np.float32), "y": np.arange(60)[None, None] % len(classes)}
        writer.commit(0, {}, sample, {}, kind="sample")
        layers = len(network.weight_layers), len(network.act_layers)
        arrays = random_probes(rng, epochs + 1, len(ended), *layers, len(classes))
        for name in made_up.activations:
            shape = (epochs + 1, sum(member.activation == name for member in ended))
            weights = random_weights(networks[name], rng, shape)
            arrays |= {f"weights/{name}/{key}": array for key, array in weights.items()}
        noise = dict.fromkeys(range(len(ended)), 0.0) | {m.id: 0.02 * rng.random() for m in ended}
        finals = {
            "validation_accuracy": lambda m: 0.9 + noise[m.id],
            "test_accuracy": lambda m: 0.9 + noise[m.id],
        }
        events = {m.id: (m.diverged_epoch, m.diverged_reason) for m in ended if m.diverged_epoch is not None}
        writer.commit(0, curves(ended, epochs, finals), arrays, events)
    if tested:
        labels = np.arange(tested) % len(classes)
        outputs = rng.normal(size=(len(ended), tested, len(classes)))
        outputs[:, np.arange(tested), labels] += 1.5
        outputs[[member.diverged_epoch is not None for member in ended]] = np.nan
        writer.commit(epochs, {}, arrays_of_test_samples(outputs, labels), {}, kind="test")
    if complete:
        throughput = {"members": len(ended), "steps": 1000, "net_steps_per_second": 1e6}
        throughput |= {"samples_per_second": 1.6e7, "train_seconds": 1.0, "compile_seconds": 0.5}
        writer.finish(throughput=throughput)
    writer.close()
    return load(directory)
