"""What a traced program of JAX tells by its graph alone."""

from __future__ import annotations

from typing import Any


def connected(graph: Any) -> list[bool]:
    """Of each output of a closed jaxpr, whether it depends on any input at all.

    A gradient that does not is the zero that JAX gives where nothing leads from the loss to a parameter. Where that
    cannot be told, in loops, an output counts as one that does.

    >>> import jax
    >>> def loss(weights, x):
    ...     return (x * weights[0]).sum() + jax.lax.stop_gradient(x * weights[1]).sum()
    >>> connected(jax.make_jaxpr(jax.grad(loss))([1.0, 2.0], jax.numpy.ones(3)))
    [True, False]
    """
    return _connected(graph.jaxpr, [True] * len(graph.jaxpr.invars))


def _connected(jaxpr: Any, inputs: list[bool]) -> list[bool]:
    depends = dict(zip(jaxpr.invars, inputs, strict=True))

    def of(variable: Any) -> bool:
        return False if hasattr(variable, "val") else depends.get(variable, False)

    for equation in jaxpr.eqns:
        given = [of(variable) for variable in equation.invars]
        inner = equation.params.get("jaxpr") if equation.primitive.name in ("jit", "pjit") else None
        found = _connected(inner.jaxpr, given) if inner is not None else [any(given)] * len(equation.outvars)
        depends |= dict(zip(equation.outvars, found, strict=True))
    return [of(variable) for variable in jaxpr.outvars]
