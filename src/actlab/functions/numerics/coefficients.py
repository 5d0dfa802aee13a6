"""The coefficients of the polynomials here, from `coefficients.json`; what each is, stands where it is used."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from actlab.functions.numerics.pieces import is_single


def table(name: str) -> dict[str, Any]:
    """Read a JSON file that lies beside this module.

    >>> sorted(table("coefficients.json"))[:2]
    ['arctan', 'arctan_gate']
    """
    return json.loads(files("actlab.functions.numerics").joinpath(name).read_text(encoding="utf-8"))


_COEFFICIENTS = {name: tuple(map(tuple, pair)) for name, pair in table("coefficients.json").items()}


def coefficients(name: str, x: Any) -> tuple[float, ...]:
    """Those of a polynomial for the type of `x`, float32 or float64; highest power first.

    >>> import numpy as np
    >>> coefficients("tanh", np.zeros(1))[-1]
    -0.3333333333333332
    """
    single, double = _COEFFICIENTS[name]
    return single if is_single(x) else double
