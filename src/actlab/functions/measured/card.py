"""How a function presents itself: its curves, what there is to say about it in words, and a card with a picture.

Terminals, figures, documentation and notebooks all show what this module says.
"""

from __future__ import annotations

import html as markup
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from actlab.functions.definition import Curve, Parameter
from actlab.functions.measured.facts import Facts
from actlab.functions.measured.other_names import elsewhere

Line = tuple[str, np.ndarray]
REACH = 5.0
# A line steeper than this is taken for a jump.
STEEPEST = 12.0
ABSENT = "–"


def curves(activation: Curve) -> tuple[np.ndarray, list[Line]]:
    """What is drawn: x, and labelled lines over it, the value or values first and the derivative last.

    Grouping functions are drawn for two units, (x, 0): all outputs, and the first one's derivative.
    Nothing is drawn of functions that need weights.

    >>> from actlab.functions import catalogue
    >>> x, lines = curves(catalogue["relu"])
    >>> [label for label, _ in lines]
    ['f(x)', 'f′(x)']
    """
    # An even number of points: none lies on a kink at zero, where a step would be drawn as a slope.
    x = np.linspace(-REACH, REACH, 1000)
    if any(parameter.shape for parameter in activation.parameters):
        return x, []
    if activation.kind != "grouping":
        return x, [("f(x)", activation(x)), ("f′(x)", activation.derivative(x))]
    if activation.family == "gated_units":
        return x, _gate(activation, x)
    pairs = np.stack([x, np.zeros_like(x)], axis=-1)
    values = activation(pairs)
    count = values.shape[-1]
    labels = ["f(x, 0)"] if count == 1 else [f"f{'₁₂₃₄'[i]}(x, 0)" for i in range(count)]
    lines = [(label, values[:, i]) for i, label in enumerate(labels)]
    return x, [*lines, (f"∂{labels[0].split('(')[0]}/∂x", activation.derivative(pairs)[:, 0, 0])]


def _gate(activation: Curve, x: np.ndarray) -> list[Line]:
    """A gated unit over the half that gates, with 1 in the other, so that the gate's shape is seen."""
    gate = 1 if any(p.name == "gate_half" and p.default == 2 for p in activation.parameters) else 0
    pairs = np.ones((len(x), 2))
    pairs[:, gate] = x
    label = "f(1, x)" if gate else "f(x, 1)"
    return [(label, activation(pairs)[:, 0]), ("∂f/∂x", activation.derivative(pairs)[:, 0, gate])]


def height_of(lines: Sequence[Line]) -> tuple[float, float]:
    """Range of the vertical axis: everything, but no further than makes the bend at the origin plain."""
    values = np.concatenate([y[np.isfinite(y)] for _, y in lines])
    if not values.size:  # It is a number nowhere in sight.
        return -1.0, 1.0
    low, high = max(float(values.min()), -3.0), min(float(values.max()), 4.0)
    room = 0.1 * max(high - low, 1.0)
    return low - room, high + room


@np.errstate(invalid="ignore")
def with_gaps(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A line broken where it jumps, so that a step is not drawn as a slope: much further than just before and after."""
    steps = np.abs(np.diff(y, prepend=y[0], append=y[-1]))
    here, around = steps[:-1], np.maximum(np.concatenate([[0.0], steps[:-2]]), steps[1:])
    return np.where((here > STEEPEST * (x[1] - x[0])) & (here > 5 * around), np.nan, y)


def description(activation: Curve) -> list[tuple[str, str]]:
    """What is known without measuring: name and text of each point, an empty text where there is nothing to say."""
    family, kind = activation.family, activation.kind
    return [
        ("formula", f"f(x) = {activation.formula.plain}"),
        ("parameters", "\n".join(map(_parameter, activation.parameters))),
        ("family", family if kind == family else f"{family}, {kind}"),
        ("also called", ", ".join(activation.aliases)),
        ("source", activation.source),
        ("notes", activation.notes),
        ("elsewhere", "\n".join(f"{library}: {name}" for library, name in elsewhere(activation.name).items())),
    ]


def _parameter(parameter: Parameter) -> str:
    trainable = ", trainable" if parameter.trainable else ""
    if parameter.shape:
        return f"{parameter.name}: weights of shape {parameter.shape(64)} for 64 units{trainable}"
    bounds = interval((parameter.low, parameter.high))
    return f"{parameter.name} = {parameter.default:.6g}{trainable}, in {bounds}"


def facts_in_words(facts: Facts) -> list[tuple[str, str]]:
    """Name and text of every fact; an empty text where a fact makes no sense."""
    if facts.range is None:
        return [("facts", "none: the function mixes units, it has no single curve")]
    saturation = facts.saturation or (None, None)
    bands = [f"x {sign} {real(x)}" for sign, x in zip("<>", saturation, strict=True) if x is not None]
    critical = facts.critical
    return [
        ("range", between(facts.range)),
        ("slope", f"|f'| ≤ {real(facts.slope_supremum)}" if facts.slope_supremum != math.inf else "|f'| unbounded"),
        ("Lipschitz", real(facts.lipschitz)),
        ("monotone", facts.monotone or "no"),
        ("mean", f"{real(facts.mean_under_unit_normal)} under a unit normal"),
        ("kinks at", positions(facts.kinks)),
        ("jumps at", positions(facts.jumps)),
        ("flat on", ", ".join(interval(region) for region in facts.flat or ())),
        ("saturated", f"{' and '.join(bands)} (|f'| below 0.1 % of its supremum)" if bands else "nowhere"),
        ("gain", f"{real(facts.gain)} keeps a unit variance" if facts.gain is not None else ""),
        ("critical", f"σ_w = {real(critical.weight_std)}, σ_b = {real(critical.bias_std)}" if critical else ""),
        ("equals", ", ".join(facts.equals)),
    ]


def positions(places: Sequence[float] | None) -> str:
    """Numbers in a row."""
    return ", ".join(map(real, places or ()))


def real(value: float | None) -> str:
    """Four significant digits.

    >>> [real(v) for v in (0.25, 1.0998392194, float("inf"), -0.0, None)]
    ['0.25', '1.1', '∞', '0', '–']
    """
    if value is None:
        return ABSENT
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value + 0.0:.4g}".replace("-", "−")


def between(ends: tuple[float, float] | None) -> str:
    """Infimum and supremum, which need not be reached.

    >>> between((0.0, float("inf"))), between(None)
    ('0 to ∞', '–')
    """
    return ABSENT if ends is None else " to ".join(map(real, ends))


def interval(ends: tuple[float, float]) -> str:
    """An interval with its ends, open where it has none.

    >>> interval((0.0, float("inf")))
    '[0, ∞)'
    """
    low, high = ends
    return f"{'(' if math.isinf(low) else '['}{real(low)}, {real(high)}{')' if math.isinf(high) else ']'}"


def svg(activation: Curve, width: int = 300, height: int = 200, *, axes: bool = True) -> str:
    """A small picture of value and derivative that follows the light or dark theme of where it is shown.

    Args:
        activation: the function.
        width, height: in pixels.
        axes: whether there are numbers at the axes.
    """
    x, lines = curves(activation)
    label = markup.escape(f"{activation.title} and its derivative for x from −{REACH:g} to {REACH:g}", quote=True)
    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{label}"><style>.a{{stroke:#8a8880;stroke-width:.8}}.v,.w,.d{{fill:none;'
        "stroke-linejoin:round;stroke-linecap:round}.v{stroke:#0172d2;stroke-width:2.4}.w{stroke:#0172d2;stroke-width:"
        "1.6;stroke-dasharray:5 4}.d{stroke:#be4c00;stroke-width:1.6}text{font:11px system-ui,sans-serif;fill:#6a6862}"
        "@media (prefers-color-scheme:dark){.v,.w{stroke:#4aa5e4}.d{stroke:#e8833a}text{fill:#b5b2a8}}</style>"
    )
    if not lines:
        return (
            f'{text}<text x="{width / 2:g}" y="{height / 2:g}" text-anchor="middle">depends on its weights</text></svg>'
        )
    low, high = height_of(lines)

    def across(value: Any) -> Any:
        return (value + REACH) / (2 * REACH) * width

    def down(value: Any) -> Any:
        return (high - value) / (high - low) * height

    text += f'<path class="a" d="M0 {down(0):.1f}H{width}M{across(0):.1f} 0V{height}"/>'
    if axes:
        text += _numbers(across, down, low, high)
    for number, (_, y) in reversed(list(enumerate(lines))):
        kind = "d" if number == len(lines) - 1 else "v" if number == 0 else "w"
        text += f'<path class="{kind}" d="{_path(across(x), down(with_gaps(x, y)), height)}"/>'
    return f"{text}</svg>"


def _numbers(across: Callable[[Any], Any], down: Callable[[Any], Any], low: float, high: float) -> str:
    places = [(f"{n:g}".replace("-", "−"), across(n) + 3, down(0) - 4) for n in (-4, -2, 2, 4)]
    ticks = [n for n in (-3, -2, -1, 1, 2, 3, 4) if low < n < high]
    places += [(f"{n:g}".replace("-", "−"), across(0) + 4, down(n) + 4) for n in ticks]
    return "".join(f'<text x="{x:.1f}" y="{y:.1f}">{text}</text>' for text, x, y in places)


def _path(x: np.ndarray, y: np.ndarray, height: float) -> str:
    """Path through the points, a new piece after each gap; every fourth point will do, but for those beside gaps."""
    inside = np.isfinite(y) & (y > -height) & (y < 2 * height)
    text, drawing = "", False
    for i in range(len(x)):
        if not inside[i]:
            drawing = False
            continue
        last = i + 1 == len(x) or not inside[i + 1]
        if not drawing or last or i % 4 == 0:
            text += f"{'L' if drawing else 'M'}{x[i]:.1f} {y[i]:.1f}"
            drawing = True
    return text


def html(activation: Curve, facts: Facts) -> str:
    """A card for a notebook: picture, formula, parameters, facts, source, names elsewhere.

    >>> from actlab.functions import catalogue
    >>> relu = catalogue["relu"]
    >>> "max(x, 0)" in html(relu, relu.facts())
    True
    """
    points = [*description(activation), *facts_in_words(facts)]
    rows = "".join(
        f'<tr><th style="text-align:left;vertical-align:top;padding-right:1em">{markup.escape(name)}</th>'
        f'<td style="text-align:left">{markup.escape(text).replace(chr(10), "<br>")}</td></tr>'
        for name, text in points
        if text
    )
    heading = f"{markup.escape(activation.title)} <code>{markup.escape(activation.name)}</code>"
    return f"<div><strong>{heading}</strong><br>{svg(activation)}<table>{rows}</table></div>"
