"""How exact every function is, in every library and type, beside the libraries' own: writes docs/exactness.md.

    python benchmarks/exactness.py                  everything, with 2¹⁶ inputs (about half an hour on two cores)
    python benchmarks/exactness.py gelu mish        these only, printed
    python benchmarks/exactness.py --four-ulp       writes tests/beyond_four_ulp.json, with the inputs of the tests

Inputs: all bit patterns of float16 and bfloat16; log-spaced float32 and float64 numbers of both signs from the smallest
normal to the largest finite one, with ±0, ±inf, NaN, kinks and their neighbours. Reference: mpmath, 40 digits.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import warnings
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"
ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import ml_dtypes  # noqa: E402
import numpy as np  # noqa: E402
from tests import accuracy  # noqa: E402

from actlab.functions import catalogue  # noqa: E402
from actlab.functions.measured.other_names import ELSEWHERE  # noqa: E402

PAGE = ROOT / "docs/exactness.md"
BEYOND = ROOT / "tests/beyond_four_ulp.json"
TYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64}
LIBRARIES = {"numpy": "NumPy", "jax": "JAX", "torch": "PyTorch", "tensorflow": "TensorFlow"}
THEIRS = {"jax": "JAX", "torch": "PyTorch", "tensorflow": "TensorFlow"}
NAMES = [name for name, activation in catalogue.items() if activation.kind != "grouping"]


@dataclass(frozen=True)
class Row:
    """Largest error in ulp and where, of one function, quantity, type and library; ours or the library's own."""

    name: str
    which: str
    dtype: str
    library: str
    ours: bool
    ulps: float
    at: float


def patterns(dtype: Any) -> np.ndarray:
    """Every number of a 16-bit type but the subnormal ones, which XLA takes as 0."""
    x = np.arange(65536, dtype=np.uint16).view(dtype)
    with np.errstate(invalid="ignore"):
        wide = np.abs(x.astype(np.float64))
    return x[~((wide < float(ml_dtypes.finfo(dtype).tiny)) & (wide > 0))]


def rows(task: tuple[str, int, bool]) -> list[dict[str, Any]]:
    """Everything about one function."""
    name, samples, brief = task
    warnings.simplefilter("ignore")
    found = []
    for type_name, dtype in TYPES.items():
        half = type_name in ("float16", "bfloat16")
        if brief and half:
            continue
        x = patterns(dtype) if half else accuracy.inputs(name, dtype, samples)
        exact = accuracy._exact(name, x.astype(np.float64).tobytes())
        for which, (high, low) in exact.items():
            for library in ("numpy", "jax") if brief else LIBRARIES:
                computed = accuracy.evaluate(name, which, x, library)
                found.append(row(name, which, type_name, library, True, x, computed, high, low))
                theirs = None if brief else own(name, which, x, library)
                if theirs is not None:
                    found.append(row(name, which, type_name, library, False, x, theirs, high, low))
    return [asdict(one) for one in found]


def row(name: str, which: str, dtype: str, library: str, ours: bool, x: Any, computed: Any, high: Any, low: Any) -> Row:
    """The worst of a set of results. What becomes of NaN is our convention: the others are not held to it."""
    if not ours:
        known = ~np.isnan(x.astype(np.float64))
        x, computed, high, low = x[known], computed[known], high[known], low[known]
    error = accuracy.errors(x, computed, high, low)
    worst = int(np.argmax(error.ulps))
    return Row(name, which, dtype, library, ours, float(error.ulps[worst]), float(x[worst]))


def own(name: str, which: str, x: np.ndarray, library: str) -> np.ndarray | None:
    """The library's own function, or its automatic derivative; None where it has none of this name or type."""
    text = ELSEWHERE.get(name, {}).get(THEIRS.get(library, ""))
    if library == "tensorflow" and text is None:
        text = ELSEWHERE.get(name, {}).get("Keras")
    if text is None:
        return None
    try:
        return {"jax": own_jax, "torch": own_torch, "tensorflow": own_tensorflow}[library](text, which, x)
    except (TypeError, RuntimeError, NotImplementedError, ValueError, AttributeError):
        return None  # not in this type


def call(text: str, names: dict[str, Any], x: Any) -> Any:
    """Evaluate an entry of `ELSEWHERE` at x."""
    result = eval(text, names | {"x": x})
    return result(x) if callable(result) else result


def own_jax(text: str, which: str, x: np.ndarray) -> np.ndarray:
    """JAX's value, or derivative by `jax.grad`."""
    import jax

    def function(x: Any) -> Any:
        return call(text, {"jax": jax}, x)

    with jax.enable_x64(x.dtype == np.float64):
        chosen = function if which == "value" else jax.vmap(jax.grad(function))
        return np.asarray(jax.jit(chosen)(jax.numpy.asarray(x)))


def own_torch(text: str, which: str, x: np.ndarray) -> np.ndarray:
    """PyTorch's value, or derivative by autograd."""
    import torch

    to, back = accuracy.transfer("torch")
    tensor = to(x).requires_grad_(which != "value")
    value = call(text, {"torch": torch}, tensor)
    if which == "value":
        return back(value)
    (slope,) = torch.autograd.grad(value, tensor, torch.ones_like(value))
    return back(slope)


def own_tensorflow(text: str, which: str, x: np.ndarray) -> np.ndarray:
    """TensorFlow's value, or Keras's on it, or the derivative by a tape."""
    import keras
    import tensorflow as tf

    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        value = call(text, {"tf": tf, "keras": keras}, tensor)
    result = value if which == "value" else tape.gradient(value, tensor)
    if result is None or result.dtype != tensor.dtype:
        raise TypeError
    return result.numpy()


def page(found: list[Row], samples: int) -> str:
    """The whole of docs/exactness.md."""
    table = {(r.name, r.which, r.dtype, r.library, r.ours): r for r in found}
    count = f"{samples:,}"
    text = f"""# How exact the functions are

Largest error in ulp (units in the last place of the result) against mpmath with 40 digits, wherever the exact result is
a normal number; ∞ where a result is NaN, infinite or finite against the truth. float16 and bfloat16: all bit patterns.
float32 and float64: {count} inputs per function, half of them log-spaced from the smallest normal to the largest finite
number, half where things happen, of both signs, with ±0, ±inf, NaN, kinks and their neighbours. "Worst at": the input
of our largest error. The last columns are the libraries' own functions on the same inputs but NaN, "–" where there is
none (for TensorFlow Keras's, where TensorFlow has none). Subnormal inputs are left out: XLA takes them as 0. Functions
of several units are held to plain formulas by the tests instead. Written by `python benchmarks/exactness.py` (PyTorch
{version("torch")}, JAX {version("jax")}, TensorFlow {version("tensorflow-cpu")}, NumPy {version("numpy")}).

"""
    text += summary(found)
    for dtype in TYPES:
        text += f"\n## {dtype}\n\n| function | | {' | '.join(LIBRARIES.values())} | worst at |"
        text += "".join(f" {label}'s own |" for label in THEIRS.values()) + "\n|---|---|" + "---:|" * 8 + "\n"
        for name in NAMES:
            for which in accuracy.WHICH:
                ours = [table.get((name, which, dtype, library, True)) for library in LIBRARIES]
                theirs = [table.get((name, which, dtype, library, False)) for library in THEIRS]
                if not any(ours):
                    continue
                worst = max((r for r in ours if r), key=lambda r: r.ulps)
                cells = (
                    [cell(r) for r in ours]
                    + [f"{worst.at:.7g}" if worst.ulps else ""]
                    + [cell(r, at=True) for r in theirs]
                )
                label = f"`{name}`" if which == "value" else ""
                text += f"| {label} | {which} | {' | '.join(cells)} |\n"
    return text


def summary(found: list[Row]) -> str:
    """How many are within 1, 4 and 100 ulp, ours and the libraries' own, where both have the function."""
    both = {(r.name, r.which, r.dtype, r.library) for r in found if not r.ours}
    text = (
        "| of | within 1 ulp | within 4 ulp | within 100 ulp | further, or wrong at ±inf |\n|---|---:|---:|---:|---:|\n"
    )
    kinds = (
        ("all of ours", [r.ulps for r in found if r.ours]),
        ("ours, where the library has its own", [r.ulps for r in found if r.ours and key(r) in both]),
        ("the libraries' own", [r.ulps for r in found if not r.ours]),
    )
    for label, ulps in kinds:
        shares = [sum(u <= bound for u in ulps) / max(len(ulps), 1) for bound in (1, 4, 100)]
        text += f"| {label} ({len(ulps):,}) | " + " | ".join(f"{100 * share:.1f} %" for share in shares)
        text += f" | {100 * (1 - shares[-1]):.1f} % |\n"
    return text


def key(r: Row) -> tuple[str, str, str, str]:
    """What is measured, without whose."""
    return r.name, r.which, r.dtype, r.library


def cell(r: Row | None, at: bool = False) -> str:
    """One number, with the input where it was found if it is a bad one."""
    if r is None:
        return "–"
    text = "∞" if math.isinf(r.ulps) else f"{r.ulps:.2g}" if r.ulps < 100 else f"{r.ulps:.1e}"
    return f"{text} ({r.at:.5g})" if at and r.ulps > 4 else text


def version(package: str) -> str:
    """Version of an installed package."""
    from importlib.metadata import version as installed

    return installed(package)


def beyond(found: Iterable[Row]) -> str:
    """What is over 4 ulp, rounded up by a tenth: processors differ in the last bits of their exponentials."""
    over = {
        f"{r.name} {r.which} {r.dtype} {r.library}": math.ceil(r.ulps * 11) / 10
        for r in found
        if r.ulps > 3.7 and math.isfinite(r.ulps)
    }
    return json.dumps({name: max(bound, 4.1) for name, bound in sorted(over.items())}, indent=1) + "\n"


def main() -> None:
    """Measure, and print or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="functions; all where left out")
    parser.add_argument("--samples", type=int, default=2**16, help="float32 and float64 inputs per function")
    parser.add_argument("--four-ulp", action="store_true", help="write the table of the tests instead")
    options = parser.parse_args()
    samples = accuracy.SAMPLES if options.four_ulp else options.samples
    tasks = [(name, samples, options.four_ulp) for name in options.names or NAMES]
    found: list[Row] = []
    with ProcessPoolExecutor() as pool:
        for done in pool.map(rows, tasks):
            found += [Row(**one) for one in done]
            print(f"\r{found[-1].name:20} {len({r.name for r in found})}/{len(tasks)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    if options.four_ulp:
        BEYOND.write_text(beyond(found), encoding="utf-8")
    elif options.names:
        for r in found:
            print(
                f"{r.name:18}{r.dtype:9}{r.which:11}{r.library:11}{'ours' if r.ours else 'own':5}"
                f"{r.ulps:12.4g} at {r.at:.9g}"
            )
    else:
        PAGE.write_text(page(found, samples), encoding="utf-8")


if __name__ == "__main__":
    main()
