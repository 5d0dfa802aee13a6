"""What others say of the trainings that the diagnosis is counted on: torchmortem, gradsnitch, torchdiag, traintools.

    .venv/bin/python -m benchmarks.peers_of_diagnosis --out FILE [--environment FOLDER] [--half blind] [--seeds 0 1]

They run in an environment of their own, made in FOLDER where there is none, with what peers-of-diagnosis.txt names.
Each is used at its defaults, as its own first page says: torchmortem around the loop and once a step; gradsnitch and
traintools after each backward pass; torchdiag's gradients and dead units at the steps 0, 20, 100 and 300. Validation
losses, which gradsnitch can be given, are not; torchdiag's verify_step is not asked, for it takes a step of its own.
A training is trained once for each tool, which is fed by hooks of the optimiser, so that loops stay what users write.
An alarm is a finding of warning or above. `python -m benchmarks.diagnosis --peers FILE` puts them into its page.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
REQUIREMENTS = Path(__file__).with_name("peers-of-diagnosis.txt")
# What a tool says, by a part of its own words, as a family.
FAMILIES: Mapping[str, Mapping[str, str]] = {
    "torchmortem": {
        "Vanishing": "vanishing", "Exploding": "exploding", "Gradient stalling": "vanishing", "Dead units": "dead",
        "Activation saturation": "saturation", "Update ratio too low": "rate low", "Update ratio too high": "rate high",
        "Rank collapse": "rank", "Weight norm explosion": "exploding", "Stagnant weight": "rate low",
        "Training divergence": "divergence", "Loss plateau": "plateau",
    },
    "gradsnitch": {
        "GS001": "not finite", "GS002": "not finite", "GS003": "exploding", "GS005": "plateau", "GS006": "divergence",
        "GS007": "vanishing", "GS008": "rate", "GS010": "rate low",
    },
    "torchdiag": {"EXPLODE": "exploding", "VANISH": "vanishing", "no_grad": "no gradient", "dead": "dead"},
    "traintools": {
        "non-finite": "not finite", "vanished": "vanishing", "very large": "exploding", "ratio is high": "rate high",
        "ratio is tiny": "rate low", "no gradients": "no gradient", "exceeds": "scale", "dominant class": "classes",
        "dormant": "dead",
    },
}  # fmt: skip
# The families that are taken for right, by kind of fault, generously; the kinds that are missing have none.
RIGHT: Mapping[str, tuple[str, ...]] = {
    "vanishing": ("vanishing",),
    "saturation": ("saturation", "vanishing"),
    "dead units": ("dead", "vanishing"),
    "dead by rate": ("dead", "rate high", "rate", "divergence", "exploding"),
    "exploding": ("exploding", "rate high", "rate", "not finite", "divergence"),
    "rate too small": ("rate low", "rate"),
    "rate too large": ("rate high", "rate", "exploding", "divergence", "not finite"),
    "zero start": ("vanishing", "dead"),
    "constant start": ("rank", "vanishing"),
    "unscaled inputs": ("scale", "exploding"),
    "one huge feature": ("scale", "exploding"),
    "squared and saturated": ("saturation", "vanishing"),
    "ReLU before the loss": ("dead",),
    "class collapse": ("classes",),
    "missing zero_grad": ("exploding", "rate high", "rate"),
    "frozen by mistake": ("rate low", "no gradient"),
    "detached": ("no gradient",),
    "NaN in the data": ("not finite",),
    "log of zero": ("not finite",),
    "clipped": ("rate low", "vanishing", "rate"),
    "weight decay": ("rate high", "rate", "vanishing"),
    "underflow": ("vanishing", "not finite"),
}
ASKED = (0, 20, 100, 300)
Found = dict[str, Any]


class Taps:
    """What a loop has at hand at each step, and a tool would be given: the loss, inputs and targets, the optimiser."""

    def __init__(self, model: Any) -> None:
        self.model, self.step = model, 0
        self.loss, self.unscaled = float("nan"), None
        self.inputs: Any = None
        self.targets: Any = None

    @contextlib.contextmanager
    def attached(self, before: Callable[[Any], None], after: Callable[[Any], None]) -> Iterator[None]:
        """Call before and after each step of an optimiser that holds parameters of the model."""
        import torch
        import torch.nn.functional as F
        import torch.optim.optimizer as steps
        from torch.nn.modules.module import register_module_forward_pre_hook

        own = {id(one) for one in self.model.parameters()}

        def holds(optimiser: Any) -> bool:
            return any(id(one) in own for group in optimiser.param_groups for one in group["params"])

        def pre(optimiser: Any, *_: Any) -> None:
            if holds(optimiser):
                before(optimiser)

        def post(optimiser: Any, *_: Any) -> None:
            if holds(optimiser):
                after(optimiser)
                self.step += 1

        def saw(module: Any, given: Any) -> None:
            if module is self.model and torch.is_grad_enabled():
                self.inputs = given[0]

        names = ("cross_entropy", "mse_loss", "binary_cross_entropy_with_logits", "nll_loss", "binary_cross_entropy")
        kept = {name: getattr(F, name) for name in names}
        backward, scale = torch.Tensor.backward, torch.amp.GradScaler.scale
        hooks = [
            steps.register_optimizer_step_pre_hook(pre),
            steps.register_optimizer_step_post_hook(post),
            register_module_forward_pre_hook(saw),
        ]
        try:
            for name, function in kept.items():
                setattr(F, name, self._noting(function))
            torch.Tensor.backward = self._backward(backward)
            torch.amp.GradScaler.scale = self._scale(scale)  # pyright: ignore[reportAttributeAccessIssue]
            yield
        finally:
            torch.Tensor.backward, torch.amp.GradScaler.scale = backward, scale  # pyright: ignore[reportAttributeAccessIssue]
            for name, function in kept.items():
                setattr(F, name, function)
            for hook in hooks:
                hook.remove()

    def _noting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(out: Any, y: Any, *given: Any, **settings: Any) -> Any:
            if out.requires_grad:
                self.targets = y
            return function(out, y, *given, **settings)

        return call

    def _backward(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def backward(loss: Any, *given: Any, **settings: Any) -> Any:
            self.loss = float(loss.detach()) if self.unscaled is None else self.unscaled
            self.unscaled = None
            return function(loss, *given, **settings)

        return backward

    def _scale(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def scale(scaler: Any, loss: Any) -> Any:
            self.unscaled = float(loss.detach())
            return function(scaler, loss)

        return scale


def _nothing(_: Any) -> None:
    return None


def _module(parameter: str) -> str:
    return parameter.rpartition(".")[0]


def torchmortem(taps: Taps, train: Callable[[], float]) -> list[Found]:
    """Findings of a training inside an autopsy."""
    from torchmortem import Autopsy  # pyright: ignore[reportMissingImports]

    with Autopsy(taps.model) as autopsy, taps.attached(_nothing, lambda _: autopsy.step(loss=taps.loss)):
        train()
    report = autopsy.get_report()
    return [
        {"says": own.title, "layers": list(own.affected_layers), "sentence": own.summary}
        for own in report.findings
        if own.severity >= 1
    ]


def gradsnitch(taps: Taps, train: Callable[[], float]) -> list[Found]:
    """Findings of a monitor that is told of each step."""
    import gradsnitch as tool  # pyright: ignore[reportMissingImports]

    monitors: list[Any] = []

    def before(optimiser: Any) -> None:
        if not monitors:
            monitors.append(tool.watch(taps.model, optimiser, check_every=50))
        monitors[0].log(taps.step, taps.loss)

    with taps.attached(before, _nothing):
        train()
    found = monitors[0].report() if monitors else []
    return [{"says": own.code, "layers": [], "sentence": f"{own.name}: {own.evidence}"} for own in found]


def torchdiag(taps: Taps, train: Callable[[], float]) -> list[Found]:
    """Gradients and dead units, asked for four times."""
    import torch
    import torchdiag as tool  # pyright: ignore[reportMissingImports]

    found: list[Found] = []

    def before(_: Any) -> None:
        if taps.step not in ASKED:
            return
        for name, own in tool.check_gradients(taps.model).items():
            if own["status"] != "OK":
                found.append({"says": own["status"], "layers": [_module(name)], "sentence": f"{name}: {own}"})
        state = torch.get_rng_state()
        dead = tool.check_dead_neurons(copy.deepcopy(taps.model), taps.inputs)
        torch.set_rng_state(state)
        for name, own in dead.items():
            if own["dead_pct"] > 20:
                found.append({"says": "dead", "layers": [name], "sentence": f"{name}: {own}"})

    with taps.attached(before, _nothing):
        train()
    return found


def traintools(taps: Taps, train: Callable[[], float]) -> list[Found]:
    """Batches and gradients at each step, units at each two-hundredth."""
    from traintools import BatchInspector, GradientHealthMonitor, PlasticityProbe  # pyright: ignore[reportMissingImports]

    batches, gradients, probe = BatchInspector(), GradientHealthMonitor(), PlasticityProbe(taps.model)
    found: list[Found] = []

    def before(optimiser: Any) -> None:
        # Numbers are no labels, and it would count them as such.
        labels = None if taps.targets is None or taps.targets.is_floating_point() else taps.targets
        report = batches.inspect(taps.inputs, labels, step=taps.step)
        found.extend({"says": own, "layers": [], "sentence": own} for own in report.warnings)
        report = gradients.inspect(taps.model, step=taps.step, lr=optimiser.param_groups[0]["lr"])
        found.extend({"says": own, "layers": [_module(own.split()[0])], "sentence": own} for own in report.warnings)

    def after(_: Any) -> None:
        if taps.step and taps.step % 200 == 0:
            result = probe.measure(step=taps.step)
            found.extend(
                {"says": "dormant", "layers": [own], "sentence": str(result)} for own in result.critical_layers
            )
            probe.reset_buffers()

    with taps.attached(before, after):
        train()
    return found


TOOLS: Mapping[str, Callable[[Taps, Callable[[], float]], list[Found]]] = {
    "torchmortem": torchmortem,
    "gradsnitch": gradsnitch,
    "torchdiag": torchdiag,
    "traintools": traintools,
}


def one_run(tool: str, number: int, seed: int) -> dict[str, Any]:
    """What a tool says of a training; each thing that it says once."""
    import numpy as np
    import torch
    from benchmarks.trainings import TRAININGS

    torch.set_num_threads(1)
    training = TRAININGS[number]
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002  Loops of users draw from it.
    random.seed(seed)
    model, score = training.build(), [float("nan")]
    crashed, found = None, []
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            found = TOOLS[tool](Taps(model), lambda: score.append(training.train(model, seed)) or score[-1])
        except Exception as error:
            crashed = f"{type(error).__name__}: {error}"[:300]
    for own in found:
        own["family"] = next((family for part, family in FAMILIES[tool].items() if part in own["says"]), "other")
    once = {(own["family"], tuple(own["layers"])): own for own in reversed(found)}
    return {
        "tool": tool, "name": training.name, "kind": training.kind, "half": training.half, "seed": seed,
        "layers": training.layers, "score": score[-1], "crashed": crashed, "found": list(once.values())[::-1],
    }  # fmt: skip


def counted(results: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Precision, recall and what else is counted, as of actlab's own; a run that a tool ends has no finding."""
    sums: dict[str, int] = dict.fromkeys(
        ("faulty", "healthy", "right", "accused", "kind", "layers", "layer", "crashed"), 0
    )
    for own in results:
        right = [one for one in own["found"] if one["family"] in RIGHT.get(own["kind"], ())]
        sums["crashed"] += own["crashed"] is not None
        if own["kind"] == "healthy":
            sums["healthy"] += 1
            sums["accused"] += bool(own["found"])
            continue
        sums["faulty"] += 1
        sums["right"] += bool(own["found"])
        sums["kind"] += bool(right)
        if own["layers"]:
            sums["layers"] += 1
            sums["layer"] += any(layer in own["layers"] for one in right for layer in one["layers"])
    return sums


def table(results: Sequence[Mapping[str, Any]], actlab: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Lines of Markdown: each tool and each half, beside actlab's own counts by half."""
    lines = [
        "| tool | half | precision | recall | kind, among the findings | layer | healthy accused | crashed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for half, own in actlab.items():
        accused = f"{own['accused']} of {own['healthy']}"
        numbers = (own["precision"], own["recall"], own["kind"], own["layer"])
        lines.append(f"| **actlab** | {half} | " + " | ".join(f"{one:.2f}" for one in numbers) + f" | {accused} | 0 |")
    for tool in TOOLS:
        for half in actlab:
            own = counted([one for one in results if one["tool"] == tool and one["half"] == half])
            numbers = (
                own["right"] / max(1, own["right"] + own["accused"]),
                own["right"] / max(1, own["faulty"]),
                own["kind"] / max(1, own["faulty"]),
                own["layer"] / max(1, own["layers"]),
            )
            ratios = " | ".join(f"{one:.2f}" for one in numbers)
            lines.append(f"| {tool} | {half} | {ratios} | {own['accused']} of {own['healthy']} | {own['crashed']} |")
    return lines


def environment(folder: Path) -> Path:
    """The Python of an environment that has the tools; made where it is missing."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", str(REQUIREMENTS)], check=True)
    return python


def run_all(given: argparse.Namespace) -> None:
    """All tools on all trainings that are asked for, in this process' environment."""
    from benchmarks.trainings import TRAININGS

    numbers = [number for number, own in enumerate(TRAININGS) if given.half in (None, own.half)]
    random.Random(0).shuffle(numbers)  # So that what is there when it is ended is a fair part.
    start = time.monotonic()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        pending = [
            pool.submit(one_run, tool, number, seed) for seed in given.seeds for number in numbers for tool in TOOLS
        ]
        results = []
        for one in pending:
            results.append(one.result())
            # What is there so far is kept, should it be ended.
            given.out.write_text(json.dumps(results, indent=1))
    for tool in TOOLS:
        own = [one for one in results if one["tool"] == tool]
        print(tool, counted(own))
        for one in own:
            if one["crashed"]:
                print(f"    crashed: {one['name']}, seed {one['seed']}: {one['crashed'][:110]}")
    print(f"{time.monotonic() - start:.0f} s")


def main() -> None:
    """Make the environment where it is missing, and run there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--environment", type=Path, default=Path(tempfile.gettempdir()) / "peers-of-diagnosis")
    parser.add_argument("--here", action="store_true", help="this environment has the tools")
    given = parser.parse_args()
    if given.here:
        run_all(given)
        return
    line = [str(environment(given.environment)), "-m", "benchmarks.peers_of_diagnosis", "--here", *sys.argv[1:]]
    subprocess.run(line, check=True, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"})


if __name__ == "__main__":
    main()
