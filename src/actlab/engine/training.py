"""What one training step is: loss from logits, gradient, update by Optax; the same in both layouts.

Learning rates are arrays, one per variant, and the optimiser's settings are traced too: changing them compiles nothing.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from actlab.custom import TracedNetwork
from actlab.engine import initial_scale
from actlab.engine.layouts import Batch, Layout, forward_training
from actlab.functions import catalogue
from actlab.functions.numerics import polynomial
from actlab.layers import Dropout
from actlab.plan.population import Population

Array = jax.Array
Tree = Any


def sample_losses(layout: Layout, logits: Array, y: Array) -> Array:
    """Cross-entropy of every sample, from logits: binary for one output, softmax for several.

    log(1 + e^z) − y·z for one logit z, log Σ e^z_k − z_y for several.

    Args:
        layout: of the logits.
        logits: in the layout, with the outputs on its unit axis.
        y: class indices, the same axes without that of the outputs (length 1: the same for all).

    Returns:
        the losses in nats, without the axis of the outputs.
    """
    axis = layout.unit_axis % logits.ndim
    if logits.shape[axis] == 1:
        logit = jnp.squeeze(logits, axis)
        # −log σ(z) for class 1, −log σ(−z) for class 0.
        return softplus(jnp.where(y == 1, -logit, logit))
    shifted = logits - jax.lax.stop_gradient(jnp.max(logits, axis=axis, keepdims=True))
    classes = jax.lax.broadcasted_iota(jnp.int32, (logits.shape[axis],), 0)
    classes = jnp.expand_dims(classes, [i for i in range(logits.ndim) if i != axis])
    picked = jnp.sum(jnp.where(classes == jnp.expand_dims(y, axis), shifted, 0.0), axis=axis)
    return jnp.log(jnp.sum(jnp.exp(shifted), axis=axis)) - picked


@jax.custom_jvp
def softplus(x: Array) -> Array:
    """log(1 + eˣ) = max(x, 0) + 2·artanh(e/(2 + e)), e = exp(−|x|), by artanh's power series.

    A third of the time of XLA's log1p, which is most of what a small network's loss takes, and as near: within 2 ulp.
    The catalogue's rises without a step back, too, which no loss needs.

    >>> softplus(jnp.array([-jnp.inf, -20.0, 0.0, 20.0, jnp.inf])).tolist()
    [0.0, 2.06115369216775e-09, 0.6931471824645996, 20.0, inf]
    """
    e = jnp.exp(-jnp.abs(x))
    ratio = e / (2.0 + e)
    # At most 1/3: eight terms leave 1e-9 of the sum, eighteen 1e-18.
    terms = 8 if x.dtype == jnp.float32 else 18
    series = polynomial(ratio * ratio, [1 / (2 * k + 1) for k in reversed(range(terms))])
    return jnp.maximum(x, 0.0) + 2.0 * ratio * series


@softplus.defjvp
def _softplus_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (tangent,) = primals, tangents
    return softplus(x), catalogue["sigmoid"](x) * tangent


def correct(layout: Layout, logits: Array, y: Array) -> Array:
    """Whether each sample is put into its class: logit > 0 for one output, else the largest (the first of equals).

    Arguments and shape of the result as of `sample_losses`. A sample with a logit that is NaN is in no class.
    """
    axis = layout.unit_axis % logits.ndim
    if logits.shape[axis] == 1:
        logit = jnp.squeeze(logits, axis)
        return jnp.where(y == 1, logit > 0, logit <= 0)
    known = ~jnp.isnan(jnp.max(logits, axis=axis))
    return (jnp.argmax(logits, axis=axis) == y) & known


def mean_loss(layout: Layout, losses: Array, weights: Array | None) -> Array:
    """Sum over all members of each one's mean loss, so that its gradient holds every member's own gradient.

    Args:
        layout: of the losses.
        losses: what `sample_losses` returns.
        weights: (batch, seeds), 0 for the padding of an epoch's last batch, else 1; None for no padding.
    """
    if weights is None:
        return jnp.sum(jnp.mean(losses, axis=layout.sample_axis))
    weights = layout.samples(weights)
    share = weights / jnp.sum(weights, axis=layout.sample_axis, keepdims=True)
    return jnp.sum(losses * share)


def transformation(settings: dict[str, Any]) -> optax.GradientTransformation:
    """The optimiser at learning rate 1, from its name and (traced) settings.

    In all four, the learning rate is a factor of the update alone, so that each variant can have its own. Formulas and
    sources: `actlab.study.SGD`, `Adam`, `AdamW`, `RMSProp`.

    Args:
        settings: `{"name": …}` and the numbers of `optimiser_settings`, which may be traced.
    """
    own = dict(settings)
    match own.pop("name"):
        case "sgd":
            return optax.trace(own["momentum"]) if "momentum" in own else optax.identity()
        case "adam":
            return optax.scale_by_adam(own["beta1"], own["beta2"], own["epsilon"])
        case "adamw":
            adam = optax.scale_by_adam(own["beta1"], own["beta2"], own["epsilon"])
            return optax.chain(adam, optax.add_decayed_weights(own["weight_decay"]))
        case _:
            return optax.scale_by_rms(own["decay"], own["epsilon"])


def optimiser_settings(study_optimiser: Any) -> tuple[str, dict[str, float]]:
    """Name and numbers of a study's optimiser; plain SGD has no momentum, hence no state to carry.

    >>> from actlab.study import SGD, RMSProp
    >>> optimiser_settings(SGD()), optimiser_settings(RMSProp())
    (('sgd', {}), ('rmsprop', {'decay': 0.9, 'epsilon': 1e-08}))
    """
    numbers = study_optimiser.model_dump()
    name = numbers.pop("name")
    return name, {key: value for key, value in numbers.items() if key != "momentum" or value > 0}


def learning_rate_tree(population: Population, layout: Layout, params: Tree, rates: Array) -> Tree:
    """For every parameter array, its members' learning rates in a shape that broadcasts. `rates` (variants,)."""
    functions = set(population.network.act_layers)
    tree: Tree = {name: jax.tree.map(lambda _: rates, own) for name, own in params.items() if name not in functions}
    for built, group, shapes in population.acts():
        if shapes:
            own = rates[group.start : group.stop]
            tree.setdefault(built.name, {})[group.function.name] = dict.fromkeys(shapes, own)
    return jax.tree.map(lambda leaf, own: layout.broadcast_rates(own, leaf.ndim), params, tree)


def initial_parameters(population: Population, layout: Layout, keys: Array) -> Tree:
    """Parameters of all members: a seed's weights are the same for every variant. `keys` (seeds,)."""
    network = population.network
    variants = len(population.variants)
    drawn = jax.vmap(network.init)(keys)
    functions = set(network.act_layers)
    params: dict[str, Any] = {
        name: jax.tree.map(lambda value: layout.broadcast_seeds(value, variants), own)
        for name, own in drawn.items()
        if name not in functions
    }
    if any(variant.init != "stated" for variant in population.variants):
        params = initial_scale.rescaled(population, layout, params)
    for built, group, shapes in population.acts():
        if shapes:
            start = {p.name: p.default or 0.0 for p in group.function.parameters}
            count = group.stop - group.start
            params.setdefault(built.name, {})[group.function.name] = {
                name: layout.broadcast_seeds(jnp.full((len(keys), *shape), start[name]), count)
                for name, shape in shapes.items()
            }
    return params


def penalty(population: Population, layout: Layout, params: Tree) -> Array:
    """The L2 term of every member, which training adds to its loss: Σ l2·½·ΣW² over the layers with an `l2`.

    Args:
        population, layout, params: as for `layouts.forward`.

    Returns:
        (variants, seeds); zeros where no layer has an `l2`.
    """
    first, *_ = population.network.weight_layers
    total = jnp.zeros_like(_square_sums(layout, params[first]["weight"]))
    for built in population.network.layers:
        if built.weighted_layer and built.weighted_layer.l2:
            total = total + built.weighted_layer.l2 / 2 * _square_sums(layout, params[built.name]["weight"])
    return total


def _square_sums(layout: Layout, array: Array) -> Array:
    own = layout.members_first(array)
    return jnp.sum(jnp.square(own), axis=tuple(range(2, own.ndim)))


def batch_loss(
    population: Population, layout: Layout, params: Tree, data: dict[str, Array], order: Array, keys: Array | None
) -> tuple[Array, Tree]:
    """What a step on one batch goes down: each member's mean loss and its penalty, summed over members.

    Args:
        population, layout, params: as for `layouts.forward`.
        data: `x_train`, `y_train`.
        order: (batch, seeds) indices into them; −1 pads the last batch of an epoch.
        keys: (seeds,), for what is drawn; None where nothing is.

    Returns:
        the sum, and the running statistics as they are after this batch, by layer.
    """
    x, y = data["x_train"], data["y_train"]
    # Where batches fill the epoch exactly nothing is padded, which the shapes tell before anything is compiled.
    weights = (order >= 0).astype(x.dtype) if len(x) % len(order) else None
    logits, statistics = forward_training(population, layout, params, layout.samples(x[order]), Batch(keys, weights))
    loss = mean_loss(layout, sample_losses(layout, logits, layout.samples(y[order])), weights)
    if population.network.penalised:
        loss = loss + jnp.sum(penalty(population, layout, params))
    return loss, statistics


def draws(population: Population) -> bool:
    """Whether training draws random numbers: for dropout, or for a function such as rrelu."""
    # What a user's network does with its key is not known.
    if isinstance(population.network, TracedNetwork):
        return True
    dropout = any(isinstance(built.layer, Dropout) for built in population.network.layers)
    return dropout or any(group.function.noise for _, group, _ in population.acts())


def step(
    population: Population,
    layout: Layout,
    optimiser: dict[str, Any],
    rates: Array,
    data: dict[str, Array],
    state: Tree,
    order: Array,
) -> Tree:
    """One training step of all members: w ← w − learning_rate · update(gradient).

    Args:
        population, layout: whose step, and how the state lies in memory.
        optimiser: name and traced settings.
        rates: (variants,) learning rates.
        data: `x_train`, `y_train` and `keys` (seeds,), the members' random keys for dropout and for functions that
            draw.
        state: {"params", "optimiser", "steps"}.
        order: (batch, seeds) indices of the batch; −1 is padding.

    Returns:
        the next state.
    """
    params = state["params"]
    keys = None
    if draws(population):
        keys = jax.vmap(lambda key: jax.random.fold_in(key, state["steps"]))(data["keys"])
    differentiate = jax.grad(batch_loss, argnums=2, has_aux=True)
    gradient, statistics = differentiate(population, layout, params, data, order, keys)
    updates, optimiser_state = transformation(optimiser).update(gradient, state["optimiser"], params)
    factors = learning_rate_tree(population, layout, params, rates)
    params = jax.tree.map(lambda p, u, rate: p - rate * u, params, updates, factors)
    # Running statistics have no gradient, but weight decay would shrink them: what the batch made of them holds.
    if statistics:
        params = {name: {**own, **statistics.get(name, {})} for name, own in params.items()}
    return {"params": params, "optimiser": optimiser_state, "steps": state["steps"] + 1}
