"""What a function of one's own must stand before the catalogue takes it: tried on small arrays, with NumPy and JAX.

Each check raises InvalidFunction with the first input at which it fails, what was seen there, and the way out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.errors import InvalidFunction
from actlab.functions.definition import Curve

# Numbers next to which nobody puts a kink, besides 0 and 1, in an odd shape and no order.
_TRIAL = np.array([[-20.3, 1.37, -0.53], [3.3, 0.27, -2.1], [19.7, 1.0, 0.0]])
# Where a slope must be a number: ordinary inputs first, then ever larger and ever smaller ones.
_MAGNITUDES = np.array([*range(1, 11), *10.0 ** np.arange(2, 31), *10.0 ** np.arange(-1, -31, -1)])
_INPUTS = np.concatenate([[0.0], np.stack([_MAGNITUDES, -_MAGNITUDES], axis=1).ravel()])
# A network with larger inputs than these learns no more. An automatic derivative may overflow there on its way, as that
# of x³/(1 + x²) does in float32: nobody must write one by hand for that.
_AUTOMATIC_REACH = 1e6


@np.errstate(all="ignore")
def try_out(activation: Curve) -> float | None:
    """Try every rule of an elementwise function at the default parameters.

    Returns:
        the first input, of those up to ±10⁶, at which its value is not a number; None where it is one at all of them.

    Raises:
        InvalidFunction: a rule fails, branches on values, mixes its inputs, changes them or draws at random, returns
            something else than an array like its input, is finite nowhere, or has a derivative that is not a number
            where the value is one; or a written derivative is not that of the value.
    """
    settings = activation.settings({})
    value = _Rule(f"the value of {activation.name!r}", "value", activation.value_rule, settings)
    _try_rule(value)
    x = _INPUTS[np.abs(_INPUTS) <= _AUTOMATIC_REACH]
    values = [value(x.astype(dtype), np) for dtype in (np.float32, np.float64)]
    if not np.isfinite(values).any():
        raise InvalidFunction(
            f"{value.label} is finite at none of {len(x)} inputs from {x.min():g} to {x.max():g}, and is "
            f"{values[1][0]:g} at x = 0: no network learns with it."
        )
    for slope in _slopes(activation, settings):
        if isinstance(slope, _Rule):
            _try_rule(slope)
        _refuse_nan(value, slope)
        if isinstance(slope, _Rule):
            _compare_with_automatic(slope, _Automatic(slope.label, value, slope.parameter))
    missing = np.isnan(values).any(axis=0)
    return float(x[missing][0]) if missing.any() else None


@dataclass(frozen=True)
class _Rule:
    """A rule as it was written: the value, or a derivative with respect to the input or a parameter."""

    label: str
    which: str
    function: Callable[..., Any]
    settings: dict[str, Any]
    parameter: str | None = None

    def __call__(self, x: Any, xp: Any, **others: Any) -> Any:
        """What it returns; whatever it raises, an exit among it, becomes one sentence."""
        settings = {**self.settings, **others}
        call = f"{self.which}(x, xp{''.join(f', {name}=' for name in settings)})"
        return _told(self.label, f"It is called as {call}.", lambda: self.function(x, xp, **settings))


@dataclass(frozen=True)
class _Automatic:
    """JAX's automatic derivative of the value, with respect to the input or a parameter."""

    label: str
    value: _Rule
    parameter: str | None = None

    def __call__(self, x: Any) -> Any:
        """The slope at x, an array of JAX."""
        import jax

        name = self.parameter
        way_out = "Hand over derivative= (and parameter_derivatives= for parameters)."
        if name is None:
            # Backwards, as networks train: where a branch that is not taken has an infinite slope, zero times that is
            # no number there, and forwards it is not met.
            value = lambda x: self.value(x, jax.numpy)  # noqa: E731
            return _told(self.label, way_out, lambda: jax.vjp(value, x)[1](jax.numpy.ones_like(x))[0])
        at = jax.numpy.asarray(self.value.settings[name], x.dtype)
        function = lambda p: self.value(x, jax.numpy, **{name: p})  # noqa: E731
        return _told(self.label, way_out, lambda: jax.jvp(function, (at,), (jax.numpy.ones_like(at),))[1])


def _slopes(activation: Curve, settings: dict[str, Any]) -> Iterator[_Rule | _Automatic]:
    """The derivative with respect to the input, and to every parameter that is learnt or has one written."""
    value = _Rule(f"the value of {activation.name!r}", "value", activation.value_rule, settings)
    written = {None: activation.derivative_rule, **activation.parameter_derivatives}
    learnt = [p.name for p in activation.parameters if p.trainable or p.name in activation.parameter_derivatives]
    for name in (None, *learnt):
        of = f"derivative of {activation.name!r}" + (f" with respect to {name!r}" if name else "")
        rule = written.get(name)
        if rule is None:
            yield _Automatic(f"the automatic {of}", value, name)
        else:
            yield _Rule(f"the {of}", "derivative", rule, settings, name)


def _told(label: str, way_out: str, call: Callable[[], Any]) -> Any:
    import jax

    try:
        return call()
    except InvalidFunction:
        raise
    except jax.errors.TracerArrayConversionError:
        raise InvalidFunction(
            f"{label} calls NumPy itself and cannot take a JAX array: write it with the namespace `xp` that it is "
            "given."
        ) from None
    except jax.errors.ConcretizationTypeError:
        raise InvalidFunction(
            f"{label} branches on values, as `if x.sum() > 0` does, or makes a Python number of them, which are not "
            "known yet when a network is compiled: write xp.where(condition, this, that)."
        ) from None
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split())
        if "immutable" in reason or "truth value" in reason:
            reason = reason.partition(". ")[0]
            way_out = (
                "Write xp.where(condition, this, that) instead of a branch or an assignment to a part of an array."
            )
        reason = f": {reason.rstrip('.')}" if len(reason) < 200 else f": {reason[:199]}…"
        kind = type(error).__name__
        raise InvalidFunction(f"{label} failed on a small array: {kind}{reason.rstrip(': ')}. {way_out}") from error


def _try_rule(rule: _Rule) -> None:
    """Call a rule on small arrays, as NumPy users and compiled networks will, and say what is wrong with it."""
    if not callable(rule.function):
        raise InvalidFunction(f"{rule.label} is no function: it is {type(rule.function).__name__!r}.")
    for dtype in (np.float64, np.float32):
        x = _TRIAL.astype(dtype)
        given = x.copy()
        result = rule(given, np)
        _check_result(rule.label, x, result)
        _refuse_changed(rule.label, x, given)
        _refuse_random(rule.label, x, result, rule(x.copy(), np))
    _trace(rule)
    _refuse_mixed(rule)


def _check_result(label: str, x: np.ndarray, result: Any) -> None:
    if not isinstance(result, np.ndarray) or result.dtype.kind != "f":
        kind = f"an array of {result.dtype}" if isinstance(result, np.ndarray) else type(result).__name__
        raise InvalidFunction(f"{label} must return an array of real numbers; it returned {kind}.")
    if result.shape != x.shape:
        raise InvalidFunction(f"{label} must keep the shape: {x.shape} became {result.shape}.")
    if result.dtype != x.dtype:
        raise InvalidFunction(
            f"{label} must keep the type: {x.dtype} became {result.dtype}. Write constants as plain numbers, not as "
            "arrays, and make one branch of xp.where from x, as in xp.where(x > 0, x, 0.0)."
        )


def _refuse_changed(label: str, x: np.ndarray, given: np.ndarray) -> None:
    if not np.array_equal(given, x):
        at = tuple(np.argwhere(given != x)[0])
        raise InvalidFunction(
            f"{label} changes its input: what was x = {x[at]:g} is {given[at]:g} afterwards. Make a new array, as "
            "2 * x or xp.where(x < 0, 0.0, x) does, instead of `x *= 2` or `x[x < 0] = 0`."
        )


def _refuse_random(label: str, x: np.ndarray, first: np.ndarray, second: np.ndarray) -> None:
    differs = ~((first == second) | (np.isnan(first) & np.isnan(second)))
    if differs.any():
        at = tuple(np.argwhere(differs)[0])
        raise InvalidFunction(
            f"{label} is another one at every call: at x = {x[at]:g} first {first[at]:.7g}, then {second[at]:.7g}. "
            "Write it as a function of x and its parameters alone: none that draws at random can be registered."
        )


def _refuse_mixed(rule: _Rule) -> None:
    among_others = rule(_TRIAL.copy(), np)
    largest = np.max(np.abs(among_others[np.isfinite(among_others)]), initial=1.0)
    for at in np.ndindex(_TRIAL.shape):
        alone = np.asarray(rule(np.full((1, 1), _TRIAL[at]), np))
        # Vector units and the loop over what they leave differ in the last digits.
        if alone.shape != (1, 1) or not np.isclose(
            alone[0, 0], among_others[at], rtol=1e-6, atol=1e-9 * largest, equal_nan=True
        ):
            found = f"{alone[0, 0]:.7g}" if alone.shape == (1, 1) else f"an array of shape {alone.shape}"
            raise InvalidFunction(
                f"{rule.label} mixes its inputs: at x = {_TRIAL[at]:g} it is {among_others[at]:.7g} among others and "
                f"{found} alone. Write what becomes of one number, without sum, mean or sort: a function of several "
                "units cannot be registered."
            )


def _trace(rule: _Rule) -> None:
    """Let JAX read the rule, as it does to compile a network; nothing is computed."""
    import jax

    x = jax.ShapeDtypeStruct(_TRIAL.shape, np.float32)
    found = jax.eval_shape(lambda x: rule(x, jax.numpy), x)
    if getattr(found, "shape", None) != x.shape or found.dtype != x.dtype:
        raise InvalidFunction(
            f"{rule.label} must make an array of float32 and shape {x.shape} of one of JAX, too; it made {found}."
        )


def _refuse_nan(value: _Rule, slope: _Rule | _Automatic) -> None:
    """Raise InvalidFunction at the first input where a slope is not a number and the value is one."""
    for dtype, values, slopes, x in _seen(value, slope):
        wrong = np.flatnonzero(np.isnan(slopes) & ~np.isnan(values))
        if len(wrong):
            raise InvalidFunction(
                f"{slope.label} is not a number at x = {x[wrong[0]]:g} in {dtype.__name__}, where the value is "
                f"{values[wrong[0]]:g}: {_way_out(slope)}"
            )


def _seen(value: _Rule, slope: _Rule | _Automatic) -> Iterator[tuple[type, np.ndarray, np.ndarray, np.ndarray]]:
    """Value and slope at many inputs: as a compiled network has them, and where it is written, as NumPy users do."""
    import jax

    if isinstance(slope, _Automatic):
        x = _INPUTS[np.abs(_INPUTS) <= _AUTOMATIC_REACH].astype(np.float32)
        values, slopes = jax.jit(lambda x: (value(x, jax.numpy), slope(x)))(x)
        yield np.float32, np.asarray(values), np.asarray(slopes), x
        return
    x = _INPUTS.astype(np.float32)
    values, slopes = jax.jit(lambda x: (value(x, jax.numpy), slope(x, jax.numpy)))(x)
    yield np.float32, np.asarray(values), np.asarray(slopes), x
    for dtype in (np.float32, np.float64):
        x = _INPUTS.astype(dtype)
        yield dtype, value(x.copy(), np), slope(x.copy(), np), x


def _way_out(slope: _Rule | _Automatic) -> str:
    if isinstance(slope, _Rule):
        return "correct it, or leave it out."
    by_hand = "derivative" if slope.parameter is None else "parameter_derivatives"
    return (
        "write the value so that nothing overflows or divides by zero on the way, as with xp.minimum(x, 80.0) inside "
        f"exp or cosh, or hand over {by_hand}=."
    )


def _compare_with_automatic(slope: _Rule, automatic: _Automatic) -> None:
    """Raise InvalidFunction at the first input where a written derivative is not the automatic one."""
    import jax

    written = slope(_TRIAL.copy(), np)
    with jax.enable_x64(True):
        expected = np.asarray(jax.jit(automatic.__call__)(_TRIAL))
    # At 0 and 1 there may be a kink, at which both sides are right; where the value is no number, nothing is.
    known = np.isfinite(expected) & ~np.isnan(automatic.value(_TRIAL.copy(), np)) & (_TRIAL != 0) & (_TRIAL != 1)
    differs = known & ~(np.abs(written - expected) <= 1e-6 * np.maximum(np.abs(expected), 1.0))
    if differs.any():
        at = tuple(np.argwhere(differs)[0])
        raise InvalidFunction(
            f"{slope.label} is not that of its value: at x = {_TRIAL[at]:g} it returns {written[at]:.7g}, automatic "
            f"differentiation {expected[at]:.7g}. Correct it, or leave it out."
        )
