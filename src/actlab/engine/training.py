"""What one training step is: gradient of the loss, update by Optax; the same in all layouts.

Learning rates are arrays, one per variant, and the optimiser's settings are traced too: changing them compiles nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from actlab.custom import TracedNetwork
from actlab.engine import initial_scale
from actlab.engine.forward import Batch, PopulationModel, forward_training
from actlab.engine.layouts import Layout
from actlab.layers import Dropout

Array = jax.Array
Tree = Any


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


def learning_rate_tree(model: PopulationModel, params: Tree, rates: Array) -> Tree:
    """For every parameter array, its members' learning rates in a shape that broadcasts. `rates` (variants,)."""
    functions = set(model.network.act_layers)
    tree: Tree = {name: jax.tree.map(lambda _: rates, own) for name, own in params.items() if name not in functions}
    for built, group, shapes in model.population.acts():
        if shapes:
            own = rates[group.start : group.stop]
            tree.setdefault(built.name, {})[group.function.name] = dict.fromkeys(shapes, own)
    return jax.tree.map(lambda leaf, own: model.layout.broadcast_rates(own, leaf.ndim), params, tree)


def initial_parameters(model: PopulationModel, keys: Array) -> Tree:
    """Parameters of all members: a seed's weights are the same for every variant. `keys` (seeds,)."""
    network = model.network
    variants = len(model.population.variants)
    drawn = jax.vmap(network.init)(keys)
    functions = set(network.act_layers)
    params: dict[str, Any] = {
        name: jax.tree.map(lambda value: model.layout.broadcast_seeds(value, variants), own)
        for name, own in drawn.items()
        if name not in functions
    }
    if any(variant.init != "stated" for variant in model.population.variants):
        params = initial_scale.rescaled(model, params)
    for built, group, shapes in model.population.acts():
        if shapes:
            start = {p.name: p.default or 0.0 for p in group.function.parameters}
            count = group.stop - group.start
            params.setdefault(built.name, {})[group.function.name] = {
                name: model.layout.broadcast_seeds(jnp.full((len(keys), *shape), start[name]), count)
                for name, shape in shapes.items()
            }
    return params


def penalty(model: PopulationModel, params: Tree) -> Array:
    """The L2 term of every member, which training adds to its loss: Σ l2·½·ΣW² over the layers with an `l2`.

    Args:
        model, params: as for `forward.forward`.

    Returns:
        (variants, seeds); zeros where no layer has an `l2`.
    """
    first, *_ = model.network.weight_layers
    total = jnp.zeros_like(_square_sums(model.layout, params[first]["weight"]))
    for built in model.network.layers:
        if built.weighted_layer and built.weighted_layer.l2:
            total = total + built.weighted_layer.l2 / 2 * _square_sums(model.layout, params[built.name]["weight"])
    return total


def _square_sums(layout: Layout, array: Array) -> Array:
    own = layout.members_first(array)
    return jnp.sum(jnp.square(own), axis=tuple(range(2, own.ndim)))


class Samples(NamedTuple):
    """What a step trains on.

    Attributes:
        x: (batch, seeds, ...).
        y: (batch, seeds), or (batch, seeds, targets).
        weight: (batch, seeds), what each one's loss weighs; None where all weigh alike.
        counts: (batch, seeds), 0 for what pads the last batch of an epoch, else 1; None where nothing is padded.
    """

    x: Any
    y: Any
    weight: Any = None
    counts: Any = None


def chosen(data: dict[str, Any], order: Any, dtype: Any = None) -> Samples:
    """The samples of a batch, or of several.

    Args:
        data: `x_train`, `y_train`, and `w_train` where samples weigh differently.
        order: (..., batch, seeds) indices into them; −1 pads the last batch of an epoch.
        dtype: of `counts`; JAX's own where None.
    """
    samples, batch = len(data["x_train"]), order.shape[-2]
    # Where batches fill the epoch exactly nothing is padded, which the shapes tell before anything is compiled.
    counts = (order >= 0).astype(dtype or jnp.result_type(float)) if samples % batch else None

    def taken(array: Any) -> Any:
        # In NumPy six times as fast as by indexing.
        return np.take(array, order, axis=0, mode="wrap") if isinstance(order, np.ndarray) else array[order]

    weight = taken(data["w_train"]) if "w_train" in data else None
    return Samples(taken(data["x_train"]), taken(data["y_train"]), weight, counts)


def batch_loss(model: PopulationModel, params: Tree, samples: Samples, keys: Array | None) -> tuple[Array, Tree]:
    """What a step on one batch goes down: each member's mean loss and its penalty, summed over members.

    Args:
        model, params: as for `forward.forward`.
        samples: of the batch.
        keys: (seeds,), for what is drawn; None where nothing is.

    Returns:
        the sum, and the running statistics as they are after this batch, by layer.
    """
    place, counts = model.layout.place_samples, samples.counts
    logits, statistics = forward_training(model, params, place(samples.x), Batch(keys, counts))
    losses = model.losses(logits, place(samples.y))
    if samples.weight is not None:
        losses = losses * place(samples.weight)
    loss = model.mean_loss(losses, counts)
    if model.network.penalised:
        loss = loss + jnp.sum(penalty(model, params))
    return loss, statistics


def draws_noise(model: PopulationModel) -> bool:
    """Whether training draws random numbers: for dropout, or for a function such as rrelu."""
    # What a user's network does with its key is not known.
    if isinstance(model.network, TracedNetwork):
        return True
    dropout = any(isinstance(built.layer, Dropout) for built in model.network.layers)
    return dropout or any(group.function.noise for _, group, _ in model.population.acts())


def step(
    model: PopulationModel,
    optimiser: dict[str, Any],
    rates: Array,
    samples: Samples,
    keys: Array,
    state: Tree,
) -> Tree:
    """One training step of all members: w ← w − learning_rate · update(gradient).

    Args:
        model: whose step, and how the state lies in memory.
        optimiser: name and traced settings.
        rates: (variants,) learning rates.
        samples: of the batch.
        keys: (seeds,), the members' random keys for dropout and for functions that draw.
        state: {"params", "optimiser", "steps"}.

    Returns:
        the next state.
    """
    params = state["params"]
    drawn = None
    if draws_noise(model):
        drawn = jax.vmap(lambda key: jax.random.fold_in(key, state["steps"]))(keys)
    differentiate = jax.grad(batch_loss, argnums=1, has_aux=True)
    gradient, statistics = differentiate(model, params, samples, drawn)
    updates, optimiser_state = transformation(optimiser).update(gradient, state["optimiser"], params)
    factors = learning_rate_tree(model, params, rates)
    params = jax.tree.map(lambda p, u, rate: p - rate * u, params, updates, factors)
    # Running statistics have no gradient, but weight decay would shrink them: what the batch made of them holds.
    if statistics:
        params = {name: {**own, **statistics.get(name, {})} for name, own in params.items()}
    return {"params": params, "optimiser": optimiser_state, "steps": state["steps"] + 1}
