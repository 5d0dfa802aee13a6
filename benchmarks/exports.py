"""Write `docs/exports.md`: what becomes of the functions where PyTorch, JAX and Keras write them into files.

python benchmarks/exports.py                     the page; a few minutes
python benchmarks/exports.py gelu softplus       only print what is measured of these
"""

from __future__ import annotations

import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from tests import exporting  # noqa: E402

from actlab.functions import catalogue  # noqa: E402
from actlab.torch import Activation, functional  # noqa: E402

PAGE = ROOT / "docs" / "exports.md"
TEXT = """# What becomes of the functions on export

{versions}.
Written by `python benchmarks/exports.py`; the tests of exports, traces and graphs hold what is said here.

## Which ways there are

| way | what comes out |
|---|---|
| `torch.onnx.export` | every function, at the exporter's defaults: see below; `dynamo=False`, a dynamic batch, too |
| `torch.export` | every function, as PyTorch's operations |
| `torch.jit.trace`, `.save` | every function, as PyTorch's operations: whoever loads it needs no actlab |
| `torch.fx.symbolic_trace` | a module is one node, and so is a function: both keep the written derivative |
| `torch.jit.script` | refused by PyTorch, which cannot read the source of our modules: take `torch.jit.trace` |
| `jax.export` | every function, with a symbolic batch, and with parameters for each unit |
| Keras `model.export` | on JAX and TensorFlow, with parameters for each unit, for a batch of any size |

Stochastic functions draw in training alone. Exported in evaluation (`model.eval()`) they are deterministic; exported in
training mode they draw in ONNX, too, by the runtime's own generator.

## ONNX, in numbers

Every function is exported by `torch.onnx.export` at its defaults and run by ONNX Runtime on {count:,} float32 numbers:
−30 to 30 densely, ±1e-30 to ±1e-3, ±0, ±inf. The largest relative difference to PyTorch is **{worst:.1e}**, of
{worst_name}; half of the functions stay below {middle:.1e}. `abs_relu`, `meta_acon`, `dynamic_relu`
and `funnel_relu` take means or weighted sums, whose terms may cancel: theirs is relative to the largest input.

ONNX has neither log1p nor expm1. PyTorch writes log(1 + x) and exp(x) − 1 for them, which are 0 beside 0; in a graph
for ONNX ours are series there. So the tails of softplus, log_sigmoid, arcsinh and their relatives stay: softplus at −20
is {softplus:.4g} after export, and 2.061e-09 is right.

What is lost:

- **NaN in a row of hardmax and sparsemax.** ONNX Runtime's maximum and sorting pass NaN over: the row is that of the
  other numbers. All other functions hand NaN on.
- **A single parameter within 1e-8 of 0 or 1e-5 of 1**, where it is neither and is added or multiplied: the exporter's
  optimiser takes it for 0 or 1. With beta = 1e-9 derf is {beta:.1e} at 0; with alpha = 1.000004 snake differs by
  {snake:.1e} at most, within ±30. Parameters for each unit (`units=`) are kept, and `optimize=False` keeps all.
- **Size.** The rules are chains of operations, {nodes_mish} for mish and {nodes_gelu} for gelu, where ONNX has
  operators of its own. Who needs these exports `torch.nn.Mish()` and `torch.nn.GELU()` instead, and loses tails.

## Training what was exported

The written derivative stays in actlab. A graph of `torch.export` or of a trace is differentiated operation by
operation. For inference that changes nothing. Trained on, it learns by other slopes where the written derivative is not
that of the operations: **spike_arctan, spike_fast_sigmoid and spike_triangular have slope 0 everywhere** and do not
learn; at single inputs, where two halves of a rule meet, a slope may be wrong (softsign has −0.25 at −1, and 0.25 is
right); and soft_exponential does not learn alpha from its start, 0. `torch.compile` and `torch.fx` keep the written
derivative. Of all elementwise functions, traced and differentiated at {places} inputs from −8 to 8, these differ by
more than 1e-3 from the written derivative, at:

{differing}

## Each function in ONNX

Nodes are those that the function's output needs.

| function | largest difference, relative | nodes |
|---|---:|---:|
"""


class Row(NamedTuple):
    """What is measured of a function."""

    name: str
    difference: float
    nodes: int


def needed(graph: object, output: str) -> int:
    """Number of nodes that an output of a graph is made by."""
    makers = {made: node for node in graph.node for made in node.output}  # type: ignore[attr-defined]
    waiting, seen = [output], set()
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None and node.output[0] not in seen:
            seen.add(node.output[0])
            waiting += node.input
    return len(seen)


def measured(names: list[str]) -> list[Row]:
    """Export functions of one kind of input together, run them and compare."""
    x = exporting.grid() if names[0] not in exporting.IMAGES else exporting.grid()[:256].reshape(4, 8, 8, -1)
    model = exporting.Several(names)
    program = exporting.program(model, x)
    *got, _ = exporting.run(exporting.session(program), x)
    wanted, _ = exporting.eager(model, x)
    graph, rows = program.model_proto.graph, []
    for name, one, other, output in zip(names, got, wanted, graph.output, strict=False):
        known = slice(None) if name in exporting.IMAGES else slice(None, -1)
        size = exporting.size_of_terms(name, x)
        row = exporting.apart(one[known], other.numpy()[known], size[known] if size is not None else None)
        rows.append(Row(name, row, needed(graph, output.name)))
    return rows


def alone(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    """One exported module at x."""
    return exporting.run(exporting.session(exporting.program(torch.nn.Sequential(module), x)), x)[0]


def slopes_that_differ(places: int) -> list[str]:
    """Functions whose trace is differentiated to something else than the written derivative."""
    x, found = torch.linspace(-8, 8, places), []
    for name, activation in catalogue.items():
        if activation.kind == "grouping":
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(Activation(name).eval(), x, check_trace=False)
        leaf = x.clone().requires_grad_()
        traced(leaf).sum().backward()
        slope = leaf.grad if leaf.grad is not None else torch.zeros_like(x)
        wrong = ~torch.isclose(slope, activation.derivative(x), rtol=1e-3, atol=1e-3)
        if wrong.any():
            where = ", ".join(f"{value:g}".replace("-", "−") for value in x[wrong].tolist()[:3])
            found.append(f"- {name}: {where}{', …' if wrong.sum() > 3 else ''}")
    return found


def page(rows: list[Row]) -> str:
    """The page."""
    packages = [("PyTorch", "torch"), ("onnxscript", "onnxscript"), ("ONNX Runtime", "onnxruntime"), ("JAX", "jax")]
    worst, places = max(rows, key=lambda row: row.difference), 65
    x = np.linspace(-30, 30, 6001, dtype=np.float32)
    snake = functional.snake(torch.from_numpy(x), alpha=1.000004).numpy()
    nodes = {row.name: row.nodes for row in rows}
    text = TEXT.format(
        versions=", ".join(f"{title} {version(package)}" for title, package in packages),
        count=exporting.grid()[:-1].size,
        worst=worst.difference,
        worst_name=worst.name,
        middle=float(np.median([row.difference for row in rows])),
        softplus=float(alone(Activation("softplus"), np.array([-20.0], np.float32))[0]),
        beta=float(alone(Activation("derf", beta=1e-9), np.array([0.0], np.float32))[0]),
        snake=float(np.max(np.abs(alone(Activation("snake", alpha=1.000004), x) - snake))),
        nodes_mish=nodes["mish"],
        nodes_gelu=nodes["gelu"],
        places=places,
        differing="\n".join(slopes_that_differ(places)),
    )
    return text + "".join(f"| `{row.name}` | {row.difference:.1e} | {row.nodes} |\n" for row in rows)


def main(names: list[str]) -> None:
    """Measure, and print or write."""
    torch.set_num_threads(1)
    names_, together = names or exporting.NAMES, exporting.TOGETHER
    rows = [row for start in range(0, len(names_), together) for row in measured(names_[start : start + together])]
    if names:
        print("\n".join(f"{row.name:24}{row.difference:10.2e}{row.nodes:6}" for row in rows))
        return
    rows += measured(exporting.IMAGES)
    order = list(catalogue)
    PAGE.write_text(page(sorted(rows, key=lambda row: order.index(row.name))), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
