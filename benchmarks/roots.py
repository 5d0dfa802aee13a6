"""Compute `numerics/roots.json`: the polynomials beside the roots of derivatives, from the tests' formulas.

python benchmarks/roots.py gelu silu mish        derivatives of these; gelu.value for the value
python benchmarks/roots.py                       all that are in the file, anew
"""

from __future__ import annotations

import fcntl
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp, mpf

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from tests.references import REFERENCES  # noqa: E402

FILE = ROOT / "src/actlab/functions/numerics/roots.json"
DIGITS = 60
# For each type: aim for the relative error, the longest polynomial.
TYPES = ((np.float32, mpf("3e-9"), 12), (np.float64, mpf("1e-18"), 22))
REACH = 0.5
# Where the usual formula still loses more than two bits at REACH: how far the polynomial goes instead.
WIDER = {"logish": 0.8, "smish": 0.8}
# How far out to look, if not to ±40: oscillating functions have roots without end, but rounding reaches only the first.
WITHIN = {"gcu": 2.0}


def function(name: str) -> Callable[[Any], Any]:
    """The derivative called `name`, or the value for "name.value", from mpf to mpf."""
    reference = REFERENCES[name.removesuffix(".value")]
    part = "value" if name.endswith(".value") else "first"
    return lambda x: getattr(reference.jet(x), part)


def roots(name: str) -> list[Any]:
    """Positions where the function changes its sign without a jump, away from 0 and from kinks, within ±40."""
    end = WITHIN.get(name, 40.0)
    f, kinks = function(name), (0.0, *REFERENCES[name.removesuffix(".value")].kinks)
    grid = np.sinh(np.linspace(-np.arcsinh(end), np.arcsinh(end), 2000))
    values = [f(mpf(x)) for x in grid]
    found = []
    for low, high, at_low, at_high in zip(grid, grid[1:], values, values[1:], strict=False):
        if at_low * at_high >= 0 or any(low <= kink <= high for kink in kinks):
            continue
        found.append(bisect(f, mpf(low), mpf(high)))
    return found


def bisect(f: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """The root between low and high to 60 digits: halve, then use the secant."""
    rising = f(high) > 0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if (f(middle) > 0) == rising else (middle, high)
    return mp.findroot(f, (low, high), solver="secant", tol=mpf(10) ** -100)


def expansion(
    f: Callable[[Any], Any], root: Any, others: list[Any], reach: float, dtype: type, aim: Any, longest: int
) -> list[Any]:
    """Position, reach, value there, and coefficients, for one type: as long as needed, at most as wide as `reach`.

    It ends well before `others`, the other roots, where its relative error would be large, and the kinks.
    """
    position = mpf(float(dtype(float(root))))
    while any(reach > 0.4 * abs(other - root) for other in others if other != root):
        reach /= 2
    while True:
        for count in range(3, longest + 1):
            coefficients, error = interpolate(f, position, mpf(reach), count)
            if error < aim:
                # What is left of a coefficient that is 0 is rounding of the sixty digits.
                return [
                    float(position),
                    reach,
                    float(f(position)),
                    [float(c) if abs(c) > 1e-40 else 0.0 for c in coefficients],
                ]
        reach /= 2


def interpolate(f: Callable[[Any], Any], position: Any, reach: Any, count: int) -> tuple[list[Any], Any]:
    """Coefficients of (f(x) − f(position))/d at Chebyshev's nodes, and the largest relative error of f between."""
    nodes = [reach * mp.cos(mp.pi * (2 * k + 1) / (2 * count)) for k in range(count)]
    base = f(position)
    matrix = mp.matrix([[node ** (count - 1 - power) for power in range(count)] for node in nodes])
    wanted = mp.matrix([(f(position + node) - base) / node if node else mp.diff(f, position) for node in nodes])
    coefficients = list(mp.lu_solve(matrix, wanted))
    places = [reach * mpf(k) / 20 for k in range(-20, 21) if k]
    errors = [abs((base + d * mp.polyval(coefficients, d)) / f(position + d) - 1) for d in places]
    return coefficients, max(errors)


def main(names: list[str]) -> None:
    """Compute the named entries and put them into the file."""
    chosen = names or sorted(json.loads(FILE.read_text(encoding="utf-8")))
    computed = {}
    for name in chosen:
        with mp.workdps(DIGITS):
            object.__setattr__(REFERENCES[name.removesuffix(".value")], "digits", DIGITS)
            f = function(name)
            found = roots(name)
            ends = [*found, *map(mpf, REFERENCES[name.removesuffix(".value")].kinks)]
            reach = WIDER.get(name, REACH)
            computed[name] = [[expansion(f, root, ends, reach, *kind) for kind in TYPES] for root in found]
        places = ", ".join(f"{pair[1][0]:.6g} (±{pair[0][1]}, ±{pair[1][1]})" for pair in computed[name])
        print(f"{name}: {places or 'no root'}")
    with FILE.open("r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        table = json.load(file) | computed
        lines = (f"{json.dumps(key)}: {json.dumps(table[key])}" for key in sorted(table))
        file.seek(0)
        file.truncate()
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
