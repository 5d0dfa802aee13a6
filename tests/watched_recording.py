"""Recordings of trainings that were watched, made from looks that are made up: no framework is needed for them."""

from __future__ import annotations

import numpy as np

from actlab.recording import load
from actlab.recording.measures import gradient_edges, histogram_edges
from actlab.study import observed
from actlab.watching.looks import Constant, FunctionLook, Look, WeightLook
from actlab.watching.recorder import Recorder

#: Counts of the bins of values and of sizes.
VALUES, SIZES = len(histogram_edges()) - 1, len(gradient_edges()) - 1


def chain(layers: int) -> dict:
    """The graph of linear layers with a ReLU after each."""
    nodes = [{"name": "input", "kind": "input", "parameters": 0}]
    for k in range(layers):
        nodes.append({"name": f"blocks.{k}.linear", "kind": "Linear", "parameters": 20})
        nodes.append({"name": f"blocks.{k}.act", "kind": "ReLU", "parameters": 0})
    return {"nodes": nodes, "edges": [[k, k + 1] for k in range(len(nodes) - 1)]}


def look_at(step: int, layers: int, *, dead: int | None = None, loss: float = 1.0, rng: np.random.Generator) -> Look:
    """A look at such a chain; the units of block `dead` are dead, and what lies before it gets no gradient."""
    functions, weights = [], []
    for k in range(layers):
        arrives = dead is None or k > dead
        functions.append(
            FunctionLook(
                name=f"blocks.{k}.act",
                function="relu",
                calls=1,
                samples=32,
                pre_activation_mean=0.0,
                pre_activation_std=1.0,
                activation_mean=0.4,
                activation_std=0.6,
                rms=0.0 if k == dead else 0.7,
                signal=0.0 if k == dead else 0.8,
                flat=1.0 if k == dead else 0.5,
                dead=np.full(5, k == dead),
                pre_activation_histogram=rng.integers(0, 9, VALUES),
                activation_histogram=rng.integers(0, 9, VALUES),
                activation_gradient_norm=0.1 * (k + 1) if arrives else 0.0,
                pre_activation_gradient_norm=0.05 if arrives else 0.0,
                activation_gradient_histogram=rng.integers(0, 9, SIZES),
            )
        )
        weights.append(
            WeightLook(
                name=f"blocks.{k}.linear",
                norm=2.0,
                gradient_norm=10.0 ** -(k % 7) * (1 + step / 1000) if arrives else 0.0,
                update_ratio=np.inf if step == 3 and k == 0 else 1e-3,
                zero_share=0.0 if arrives else 1.0,
                histogram=rng.integers(0, 9, SIZES),
            )
        )
    facts = {"loss_seen": True, "finite_input": True}
    unseen = {"rnn": "its function between steps is inside PyTorch's own code"}
    constant = Constant(loss=1.2, majority=0.5, samples=64)
    return Look(step, loss, constant, tuple(functions), tuple(weights), facts=facts, unseen=unseen)


def record_looks(directory, looks, *, graph=None, name="my_models:Net", every=10, complete=True):
    """A recording of some looks."""
    facts = {"parameters": {"as built": 1234}} | ({"graph": graph} if graph else {})
    recorder = Recorder(directory, observed(name, every=every), facts)
    for look in looks:
        recorder.add(look)
    if complete:
        recorder.finish()
    else:
        recorder.flush()
        recorder.close()
    return load(directory)


def record_watched(directory, *, layers=3, steps=(0, 1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 60), dead=1, **settings):
    """A recording of a training that learns nothing, because the units of a block are dead, or of one that learns."""
    rng = np.random.default_rng(7)
    losses = [1.3 if dead is not None else 1.3 * 0.9**k for k in range(len(steps))]
    looks = [look_at(step, layers, dead=dead, loss=loss, rng=rng) for step, loss in zip(steps, losses, strict=True)]
    return record_looks(directory, looks, graph=chain(layers), **settings)
