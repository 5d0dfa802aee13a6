"""Speed and memory of the functions beside the frameworks' own, in one run; writes docs/functions-speed.md.

    python benchmarks/functions.py                      PyTorch and JAX, every function that they have too
    python benchmarks/functions.py gelu mish            these only, printed
    python benchmarks/functions.py --device cuda        on a CUDA device; writes docs/functions-speed-cuda.md

Forward, and forward with backward, of 2²⁴ float32 numbers; ours and theirs take turns, medians are compared. Memory,
for PyTorch: what is kept for the backward pass, and the peak above the input, in units of the input.
"""

from __future__ import annotations

import argparse
import gc
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from actlab.functions import catalogue
from actlab.functions.measured.other_names import ELSEWHERE

DOCS = Path(__file__).parent.parent / "docs"
SIZE = 2**24
ROUNDS = 7
# What people write where PyTorch has no kernel of its own: `a` and `b` are the halves of x.
COMPOSED_TORCH = {
    "mish (composed)": "x * torch.tanh(torch.nn.functional.softplus(x))",
    "silu (composed)": "x * torch.sigmoid(x)",
    "gelu (composed)": "0.5 * x * (1 + torch.erf(x / 2**0.5))",
    "tanh_exp": "x * torch.tanh(torch.exp(x))",
    "quick_gelu": "x * torch.sigmoid(1.702 * x)",
    "squareplus": "0.5 * (x + torch.sqrt(x * x + 4))",
    "relu_squared": "torch.relu(x) ** 2",
    "serf": "x * torch.erf(torch.nn.functional.softplus(x))",
    "swiglu": "torch.nn.functional.silu(a) * b",
    "geglu": "torch.nn.functional.gelu(a) * b",
    "reglu": "torch.relu(a) * b",
}
COMPOSED_JAX = {
    "tanh_exp": "x * jax.numpy.tanh(jax.numpy.exp(x))",
    "quick_gelu": "x * jax.nn.sigmoid(1.702 * x)",
    "relu_squared": "jax.nn.relu(x) ** 2",
    "serf": "x * jax.scipy.special.erf(jax.nn.softplus(x))",
    "swiglu": "jax.nn.silu(a) * b",
    "geglu": "jax.nn.gelu(a, approximate=False) * b",
    "reglu": "jax.nn.relu(a) * b",
}


@dataclass(frozen=True)
class Measured:
    """Seconds, forward and with backward, ours and theirs; and for PyTorch memory in units of the input."""

    name: str
    library: str
    forward: tuple[float, float]
    backward: tuple[float, float]
    kept: tuple[float, float] | None = None
    peak: tuple[float, float] | None = None


def their_function(text: str, names: dict[str, Any]) -> Callable[[Any], Any]:
    """A function of x from an entry of `ELSEWHERE` or of the composed ones."""

    def function(x: Any) -> Any:
        half = x.shape[-1] // 2
        result = eval(text, names | {"x": x, "a": x[..., :half], "b": x[..., half:]})
        return result(x) if callable(result) else result

    return function


def alternate(ours: Callable[[], Any], theirs: Callable[[], Any]) -> tuple[float, float]:
    """Medians of the seconds that the two take, in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS + 1):
        for function, seconds in zip((ours, theirs), times, strict=True):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
    # The first round warms up.
    return statistics.median(times[0][1:]), statistics.median(times[1][1:])


def inputs() -> np.ndarray:
    """Normal numbers of standard deviation 2, as (2¹³, 2¹¹)."""
    return (2 * np.random.default_rng(0).standard_normal((2**13, SIZE // 2**13))).astype(np.float32)


def with_torch(names: Sequence[str], device: str) -> list[Measured]:
    """PyTorch, eager."""
    import torch

    x = torch.from_numpy(inputs()).to(device)
    table = {name: ELSEWHERE[name]["PyTorch"] for name in ELSEWHERE if "PyTorch" in ELSEWHERE[name]} | COMPOSED_TORCH

    def finished(result: Any) -> Any:
        if device == "cuda":
            torch.cuda.synchronize()
        return result

    def backward(function: Callable[[Any], Any]) -> Callable[[], Any]:
        def both() -> Any:
            leaf = x.detach().requires_grad_(True)
            value = function(leaf)
            return finished(torch.autograd.grad(value, leaf, torch.ones((), device=device).expand_as(value)))

        return both

    measured = []
    for label, text in chosen(table, names):
        ours = catalogue[label.split(" ")[0]]
        theirs = their_function(text, {"torch": torch})
        if ours.inputs_per_unit() != 2 and ours.kind == "grouping" and "Soft" not in text:
            continue
        try:
            backward(theirs)()
        except RuntimeError:  # heaviside has no derivative there
            continue
        forward = alternate(lambda f=ours: finished(f(x)), lambda f=theirs: finished(f(x)))
        both = alternate(backward(ours), backward(theirs))
        kept = (kept_for_backward(ours, x), kept_for_backward(theirs, x))
        peak = (peak_memory(backward(ours), device, x), peak_memory(backward(theirs), device, x))
        measured.append(Measured(label, "PyTorch", forward, both, kept, peak))
        show(measured[-1])
    return measured


def kept_for_backward(function: Callable[[Any], Any], x: Any) -> float:
    """Bytes that autograd keeps between forward and backward pass, in units of the input, the input included."""
    import torch

    kept: dict[int, int] = {}

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    leaf = x.detach().requires_grad_(True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        value = function(leaf)
    del value
    return sum(kept.values()) / (x.numel() * x.element_size())


def peak_memory(function: Callable[[], Any], device: str, x: Any) -> float:
    """Most memory in use during the call beyond that before it, in units of the input."""
    size = x.numel() * x.element_size()
    gc.collect()
    if device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        function()
        return (torch.cuda.max_memory_allocated() - before) / size
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts again from what is in use
    before = resident(status, "VmRSS")
    function()
    return (resident(status, "VmHWM") - before) / size


def resident(status: Path, field: str) -> int:
    """A field of /proc/self/status in bytes."""
    line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def with_jax(names: Sequence[str], device: str) -> list[Measured]:
    """JAX, compiled."""
    import jax

    x = jax.device_put(inputs(), jax.devices("gpu" if device == "cuda" else "cpu")[0])
    table = {name: ELSEWHERE[name]["JAX"] for name in ELSEWHERE if "JAX" in ELSEWHERE[name]} | COMPOSED_JAX
    measured = []
    for label, text in chosen(table, names):
        ours, theirs = catalogue[label], their_function(text, {"jax": jax})
        compiled = [jax.jit(function) for function in (ours, theirs)]
        slopes = [jax.jit(jax.grad(lambda x, f=function: f(x).sum())) for function in (ours, theirs)]
        forward = alternate(*((lambda f=f: f(x).block_until_ready()) for f in compiled))
        both = alternate(*((lambda f=f: f(x).block_until_ready()) for f in slopes))
        measured.append(Measured(label, "JAX", forward, both))
        show(measured[-1])
    return measured


def chosen(table: dict[str, str], names: Sequence[str]) -> list[tuple[str, str]]:
    """The rows asked for, those that the catalogue has."""
    return [
        (n, text)
        for n, text in table.items()
        if n.split(" ")[0] in catalogue and (not names or n.split(" ")[0] in names)
    ]


def pair(values: tuple[float, float], factor: float = 1.0) -> str:
    """Ours / theirs, with one decimal."""
    return f"{factor * values[0]:.1f} / {factor * values[1]:.1f}"


def timing(seconds: tuple[float, float]) -> tuple[str, str]:
    """Milliseconds of both, and the ratio."""
    return pair(seconds, 1e3), f"{seconds[0] / seconds[1]:.2f}"


def show(m: Measured) -> None:
    """Print one row as it comes."""
    cells = [*timing(m.forward), *timing(m.backward), *(pair(memory) for memory in (m.kept, m.peak) if memory)]
    print(f"{m.library:8}{m.name:18}" + "".join(f"{cell:>18}" for cell in cells), flush=True)


def page(measured: Sequence[Measured], device: str) -> str:
    """The tables of the documentation."""
    command = "python benchmarks/functions.py" + (" --device cuda" if device == "cuda" else "")
    text = HEAD.format(
        machine=machine(device), torch=version("torch"), jax=version("jax"), rounds=ROUNDS, command=command
    )
    for library in ("PyTorch", "JAX"):
        text += section(library, [m for m in measured if m.library == library])
    return text + MEMORY


def section(library: str, rows: Sequence[Measured]) -> str:
    """One library: how many are fast enough, and the table."""
    forward, backward = (sum(ours <= 1.05 * theirs for ours, theirs in parts) for parts in times(rows))
    text = f"\n## {library}\n\nWithin 5 % of {library}'s own or faster: {forward} of {len(rows)} forward, "
    text += f"{backward} of {len(rows)} with backward.\n\n"
    headers = ["function", "forward, ms", "ratio", "with backward, ms", "ratio"]
    headers += ["kept for backward", "peak memory"] if rows[0].kept else []
    text += f"| {' | '.join(headers)} |\n|---|{'---:|' * (len(headers) - 1)}\n"
    for m in rows:
        cells = [f"`{m.name}`", *timing(m.forward), *timing(m.backward)]
        cells += [pair(memory) for memory in (m.kept, m.peak) if memory]
        text += f"| {' | '.join(cells)} |\n"
    return text


def times(rows: Sequence[Measured]) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Seconds forward and with backward of all rows."""
    return [m.forward for m in rows], [m.backward for m in rows]


HEAD = """# How fast the functions are

2²⁴ float32 numbers (64 MiB), {machine}; PyTorch {torch} (eager), JAX {jax} (compiled). All pairs are ours / theirs,
which take turns in one run; medians of {rounds} rounds; a ratio below 1 means that ours is faster. "composed" is the
function as people write it where they have no kernel. Written by `{command}`.
"""
MEMORY = """
Memory is in units of the input (1.0 = 64 MiB), ours / theirs: what autograd keeps between the two passes, the input
included, and the most in use beyond the input during forward and backward pass.
"""


def machine(device: str) -> str:
    """The machine in words."""
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    import torch

    return f"{torch.get_num_threads()} cores of {platform.machine()}"


def main() -> None:
    """Measure and print, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="functions; all where left out")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    measured = with_torch(options.names, options.device) + with_jax(options.names, options.device)
    if not options.names:
        suffix = "-cuda" if options.device == "cuda" else ""
        (DOCS / f"functions-speed{suffix}.md").write_text(page(measured, options.device), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
