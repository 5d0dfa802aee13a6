"""What is observed of every member at the end of an epoch: metrics on the data, probes inside the network.

The probe batch is the same few training samples at every epoch. Observation runs in a layout of its own (see
`actlab.plan.layout`), whatever that of training: with many samples at once, the samples fill the vector
lanes. All arrays come out as (variants, seeds, ...). L is the mean loss over the probe batch, z a pre-activation,
a = f(z) an activation. The network is observed as it would be used: nothing is dropped or drawn, batch normalisation
takes its running statistics.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from actlab.engine.forward import PopulationModel, forward, function_arguments
from actlab.engine.histograms import histogram
from actlab.engine.training import learning_rate_tree, penalty, transformation
from actlab.functions.measured.facts import slope_supremum
from actlab.layers import Act
from actlab.objectives import Metric, Objective, Score
from actlab.plan.population import Group
from actlab.recording.measures import FLAT, gradient_edges, histogram_edges

Array = jax.Array
Tree = Any


class Evaluated(NamedTuple):
    """What `evaluate` returns.

    Attributes:
        sums: by name of each metric of the objective (variants, seeds, 3), sums of its scores over the training,
            validation and test samples, weighted where classes weigh alike, or (variants, seeds, targets, 3).
        by_class: (variants, seeds, classes), how many training samples of each class are put into it; None where the
            targets are numbers.
        right: (variants, seeds, test samples), whether each is put into its class; likewise.
        outputs: (variants, seeds, test samples, outputs); None where they are not kept.
    """

    sums: dict[str, Array]
    by_class: Array | None
    right: Array | None
    outputs: Array | None


def evaluate(
    model: PopulationModel, params: Tree, data: dict[str, Array], tested: slice, keeps_outputs: bool
) -> Evaluated:
    """Sums over evaluation samples, and of the test samples one by one what the networks make of them.

    Args:
        model: the network, in the layout to observe in.
        params: parameters in that layout.
        data: "x" (slices, samples, ...), "y" (slices, samples) or (slices, samples, targets), "membership" (slices,
            samples, sets) of 0 and 1, and, of classes, "by_class" (slices, samples, 3), what samples weigh where
            classes weigh alike: see `plan.evaluation`.
        tested: where the test samples lie among those of all slices.
        keeps_outputs: whether the outputs for them are wanted.
    """
    decides = model.objective.decides

    def one_slice(_: Tree, part: dict[str, Array]) -> tuple[Tree, Evaluated]:
        x, y = (model.layout.place_samples(part[name][:, None]) for name in ("x", "y"))
        parts, classes = part["membership"][:, :3], part["membership"][:, 3:]
        logits, _ = forward(model, params, x)
        scores = model.scores(logits, y)
        sums, by_class = {}, None
        # What several metrics make of the same scores is one pass over them: they were a third of an observation.
        for score, own in _by_score(model.objective).items():
            given = [part["by_class"] if metric.by_class else parts for metric in own]
            given += [classes] if score is model.objective.decided else []
            found = _sums(scores[own[0].name], jnp.concatenate(given, axis=1), logits.dtype)
            for place, metric in enumerate(own):
                sums[metric.name] = found[..., 3 * place : 3 * place + 3]
            if score is model.objective.decided:
                by_class = found[..., 3 * len(own) :]
        outputs = jnp.moveaxis(logits, model.layout.unit_axis, -1) if keeps_outputs else None
        return None, Evaluated(sums, by_class, model.right(logits, y) if decides else None, outputs)

    if data["x"].shape[0] == 1:
        found = one_slice(None, {name: array[0] for name, array in data.items()})[1]
        sums, by_class, items = found.sums, found.by_class, (found.right, found.outputs)
    else:
        _, found = jax.lax.scan(one_slice, None, data)
        sums, by_class = jax.tree.map(lambda own: own.sum(axis=0), (found.sums, found.by_class))
        items = jax.tree.map(_one_after_the_other, (found.right, found.outputs))
    return Evaluated(sums, by_class, *jax.tree.map(lambda own: own[:, :, tested], items))


def _by_score(objective: Objective) -> dict[Score, list[Metric]]:
    """The metrics of an objective, those together that have the same score."""
    found: dict[Score, list[Metric]] = {}
    for metric in objective.metrics:
        found.setdefault(metric.score, []).append(metric)
    return found


def _one_after_the_other(array: Array) -> Array:
    """The samples of all slices in a row: (slices, variants, seeds, samples, …) → (variants, seeds, samples, …)."""
    array = jnp.moveaxis(array, 0, 2)
    return array.reshape(*array.shape[:2], -1, *array.shape[4:])


def _sums(scores: Array, parts: Array, dtype: Any) -> Array:
    """Sums of the scores of each part's samples."""
    if scores.dtype == bool:
        return jnp.matmul(scores.astype(dtype), parts)
    sums = jnp.matmul(scores.astype(dtype), parts)
    return jax.lax.cond(jnp.all(jnp.isfinite(sums)), lambda *_: sums, _chosen_sums, scores.astype(dtype), parts)


def _chosen_sums(losses: Array, membership: Array) -> Array:
    """What a product with the membership is as long as all losses are finite.

    Chosen, not multiplied by 0: 0 · ∞ of one test sample would break the sum over the training samples.
    """
    columns = [membership[:, i] for i in range(membership.shape[1])]
    chosen = [jnp.where(own > 0, own * losses, 0.0) for own in columns]
    return jnp.stack([jnp.sum(values, axis=-1) for values in chosen], axis=-1)


def measure(
    model: PopulationModel,
    optimiser: dict[str, Any],
    rates: Array,
    data: dict[str, Array],
    state: Tree,
) -> dict[str, Array]:
    """Gradients, activations, flatness and update size on the probe batch `data["x"]`, `data["y"]`.

    Args:
        model: the network, in the layout to observe in.
        optimiser: name and settings, as `training.transformation` takes them.
        rates: (variants,) learning rates.
        data: "x" (samples, ...), "y" (samples,) and, where they weigh differently, "w" (samples,), the same for all
            members.
        state: {"params", "optimiser"} in that layout.

    Returns:
        weight_gradient_norm (variants, seeds, weight layers): ‖∂L/∂W‖₂;
        weight_gradient_histogram (variants, seeds, weight layers, bins), int32 counts of |∂L/∂W|: see `gradient_edges`;
        activation_gradient_norm (variants, seeds, act layers): ‖∂L/∂a‖₂ over the whole batch;
        activation_gradient_histogram (variants, seeds, act layers, bins), int32 counts of |∂L/∂a|, a sample's part of
        L;
        pre_activation_gradient_norm (variants, seeds, act layers): ‖∂L/∂z‖₂ over the whole batch;
        update_ratio (variants, seeds, weight layers): ‖ΔW‖₂ / ‖W‖₂ of the update that the optimiser would make on it,
        a penalty's part in it;
        penalty (variants, seeds), only where a layer has an `l2`: see `training.penalty`; no part of L;
        flat_share, dead_share (variants, seeds, act layers): see `flatness`;
        pre_activation_mean, _std and activation_mean, _std (variants, seeds, act layers);
        pre_activation_histogram, activation_histogram (variants, seeds, act layers, BINS), int32 counts.
    """
    params = state["params"]
    gradient, tap_gradient, seen = _gradients(model, params, data)
    gradients = model.population.weights(gradient)
    carried_back = [before_function(model, params, name, z, tap_gradient[name]) for name, (z, _) in seen.items()]
    found = {
        "weight_gradient_norm": _by_layer([norm(own) for own in gradients]),
        "weight_gradient_histogram": _by_layer([histogram(jnp.abs(own), gradient_edges()) for own in gradients]),
        "activation_gradient_norm": _by_layer([norm(tap_gradient[name]) for name in seen]),
        "activation_gradient_histogram": _by_layer(
            [histogram(jnp.abs(tap_gradient[name]), gradient_edges()) for name in seen]
        ),
        "pre_activation_gradient_norm": _by_layer([norm(own) for own in carried_back]),
        "update_ratio": _update_ratio(model, optimiser, rates, gradient, state),
    }
    for which, place in (("pre_activation", 0), ("activation", 1)):
        arrays = [pair[place] for pair in seen.values()]
        found[f"{which}_mean"] = _by_layer([jnp.mean(array, axis=_within(array)) for array in arrays])
        found[f"{which}_std"] = _by_layer([jnp.std(array, axis=_within(array)) for array in arrays])
        found[f"{which}_histogram"] = _by_layer([histogram(array, histogram_edges()) for array in arrays])
    flat = [flatness(model, params, name, before) for name, (before, _) in seen.items()]
    found["flat_share"] = _by_layer([share for share, _ in flat])
    found["dead_share"] = _by_layer([dead for _, dead in flat])
    if model.network.penalised:
        found["penalty"] = penalty(model, params)
    return found


def _gradients(
    model: PopulationModel, params: Tree, data: dict[str, Array]
) -> tuple[Tree, dict[str, Array], dict[str, tuple[Array, Array]]]:
    """∂L/∂parameters, by place ∂L/∂a, and what is seen there (see `forward`)."""
    x, y = (model.layout.place_samples(data[name][:, None]) for name in ("x", "y"))
    # Their shapes are known: to trace the network for them would take a quarter of the time that tracing takes.
    seeds = model.population.weights(params)[0].shape[1]
    taps = {
        built.name: jnp.zeros(
            model.layout.observed(built, len(model.population.variants), seeds, len(data["x"])),
            # Samples may be whole numbers; what comes of them is not.
            jnp.result_type(float),
        )
        for built in model.network.layers
        if isinstance(built.layer, Act)
    }

    def loss(params: Tree, taps: Tree) -> tuple[Array, Any]:
        logits, seen = forward(model, params, x, taps=taps)
        losses = model.losses(logits, y)
        if "w" in data:
            losses = losses * model.layout.place_samples(data["w"][:, None])
        return model.mean_loss(losses, None), seen

    (gradient, tap_gradient), seen = jax.grad(loss, argnums=(0, 1), has_aux=True)(params, taps)
    return gradient, tap_gradient, seen


def _update_ratio(
    model: PopulationModel, optimiser: dict[str, Any], rates: Array, gradient: Tree, state: Tree
) -> Array:
    """‖ΔW‖₂ / ‖W‖₂ by weight layer: the optimiser follows the penalty's gradient too."""
    params, followed = state["params"], gradient
    if model.network.penalised:
        decay = jax.grad(lambda p: jnp.sum(penalty(model, p)))(params)
        followed = jax.tree.map(jnp.add, gradient, decay)
    updates: Tree = transformation(optimiser).update(followed, state["optimiser"], params)[0]
    factors = learning_rate_tree(model, params, rates)
    moves = zip(model.population.weights(factors), model.population.weights(updates), strict=True)
    moved = _by_layer([norm(factor * update) for factor, update in moves])
    return moved / _by_layer([norm(weight) for weight in model.population.weights(params)])


def _by_layer(arrays: list[Array]) -> Array:
    return jnp.stack(arrays, axis=2)


def _within(array: Array) -> tuple[int, ...]:
    """All axes but those of the members."""
    return tuple(range(2, array.ndim))


def norm(array: Array) -> Array:
    """Euclidean norm of each member's part, (variants, seeds, ...) -> (variants, seeds)."""
    return jnp.sqrt(jnp.sum(jnp.square(array), axis=_within(array)))


def before_function(model: PopulationModel, params: Tree, name: str, z: Array, gradient: Array) -> Array:
    """∂L/∂z = (∂a/∂z)ᵀ ∂L/∂a, the gradient carried back through the function of a place; of the shape of z.

    Args:
        model: the network, in the layout of all arrays.
        params: the members' parameters.
        name: of the `Act`.
        z: its pre-activations, all axes of the layout's activations.
        gradient: ∂L/∂a, of the shape of its activations.
    """
    parts = []
    for group, part, arguments in _parts(model, params, name, z):
        own = model.layout.slice_variants(gradient, group.start, group.stop)
        if group.function.kind != "grouping" and group.function.derivative_rule is not None:
            # What the written derivative makes of it, and flatness has traced already.
            parts.append(group.function.derivative(part, **arguments) * own)
            continue
        _, carried_back = jax.vjp(functools.partial(group.function, **arguments), part)
        parts.append(carried_back(own)[0])
    return jnp.concatenate(parts)


def _parts(model: PopulationModel, params: Tree, name: str, z: Array) -> Iterator[tuple[Group, Array, dict[str, Any]]]:
    """Every group at a place, the part of z that is its own, and its function's arguments."""
    built = next(built for built in model.network.layers if built.name == name)
    z = jnp.broadcast_to(z, (len(model.population.variants), *z.shape[1:]))
    for group in model.population.groups_at(built):
        part = model.layout.slice_variants(z, group.start, group.stop)
        yield group, part, function_arguments(model.layout, group.function, params.get(name, {}), part)


def flatness(model: PopulationModel, params: Tree, name: str, z: Array) -> tuple[Array, Array]:
    """Share of (sample, unit) pairs where |f'(z)| ≤ 10⁻³ sup|f'|, and share of units flat for every sample.

    A unit of an image layer is a channel. NaN for functions that mix units (softmax, maxout): they have no slope
    of their own. Both (variants, seeds).

    Args:
        model: the network, in the layout of all arrays.
        params: the members' parameters.
        name: of the `Act`.
        z: its pre-activations, all axes of the layout's activations, that of the variants of length 1 if all share
            them.
    """
    shares, dead = [], []
    for group, part, arguments in _parts(model, params, name, z):
        steepest = slope_supremum(group.function)
        if steepest is None:
            nothing = jnp.full(part.shape[:2], jnp.nan, part.dtype)
            shares.append(nothing)
            dead.append(nothing)
            continue
        slope = jnp.abs(group.function.derivative(part, **arguments))
        # Where the slope has no bound, only a slope of zero is flat.
        flat = slope <= (FLAT * steepest if math.isfinite(steepest) else 0.0)
        of_units = tuple(axis for axis in _within(flat) if axis != model.layout.unit_axis % flat.ndim)
        always = jnp.all(flat, axis=of_units)
        shares.append(jnp.mean(flat, axis=_within(flat), dtype=z.dtype))
        dead.append(jnp.mean(always, axis=-1, dtype=z.dtype))
    return jnp.concatenate(shares), jnp.concatenate(dead)
