"""A member trained in a PyTorch model and loop of a user's own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from actlab.diagnosis import Judge
from actlab.errors import ActlabError, InvalidModel
from actlab.functions import activation_named
from actlab.laboratory.own_loop.job import (
    Clock,
    Job,
    outcome,
    python_randomness,
    reason_of,
    seed_python,
    takes_act,
    trained,
)
from actlab.laboratory.own_loop.kept import Outcome
from actlab.laboratory.own_loop.telling import MemberWatch, Misused
from actlab.statistics.summary import json_safe
from actlab.torch import Activation, swap
from actlab.torch.recognition import one_line
from actlab.watching.looks import Look
from actlab.watching.torch_watch import TorchWatch


class Act:
    """Gives the activation function under study to `build`.

    Attributes:
        name: of the function.
        inputs_per_unit: how many inputs make one unit: 1, or 2 of gated units as swiglu, before which a layer is twice
            as wide as behind them.
        made: how many modules it has given.
    """

    def __init__(self, name: str, seed: int) -> None:
        self._function = activation_named(name)
        self._seed = seed
        self.name = self._function.name
        self.inputs_per_unit = self._function.inputs_per_unit()
        self.made = 0

    def __call__(self, place: str = "", **settings: Any) -> Activation:
        """A new module of the function.

        Args:
            place: what the place is for; it is for who reads the code.
            **settings: of `actlab.torch.Activation`: `units` and `axis`.
        """
        self.made += 1
        # Functions that draw weights must not shift what the layers after them draw: all start alike.
        with torch.random.fork_rng():
            torch.manual_seed((self._seed * 1_000_003 + self.made) % 2**63)
            return Activation(self._function, **settings)


def train_member(job: Job) -> Outcome:
    """Build and train a member, and tell what it left; randomness of this process is as it was."""
    with python_randomness(), torch.random.fork_rng():
        _seed(job.seed)
        model, told = _built(job)
        clock = Clock()
        first: list[Look] = []
        latest: list[Look] = []
        judge = Judge()

        def note(look: Look) -> None:
            if not first:
                first.append(look)
            latest[:] = [look]
            # Trainings may be long: what is not asked for again is let go.
            del watching.looks[:-1]
            judge.add(look)

        watching = TorchWatch(model, every=job.every, on_look=note)
        watch = MemberWatch(
            job.better,
            lambda: watching.steps,
            lambda: latest[-1] if latest and watching.stopped is None else None,
        )
        with watching, _factor(model, job.factor) as scaled:
            _seed(job.seed)
            result, raised = trained(job, model, watch)
        if job.factor != 1.0 and not scaled and raised is None:
            raise Misused(
                f"learning_rates: no optimiser of torch.optim stepped on the model's parameters, so that the factor "
                f"{job.factor:g} was never applied: leave learning_rates out."
            )
        told |= {"seconds": clock.seconds(), "stopped": watching.stopped}
        if latest:
            verdict = judge.verdict()
            told["judged"] = {"state": verdict.state, "findings": json_safe(verdict.findings)}
        return outcome(job, watch, result, raised, first[0] if first else None, told)


def check(jobs: Sequence[Job]) -> None:
    """Build one model with each activation, to find what is wrong before anything is trained.

    Args:
        jobs: one for each activation.

    Raises:
        InvalidModel: `build` raises, returns no module, or the same one twice; nothing in it can be exchanged.
    """
    with python_randomness(), torch.random.fork_rng():
        before: nn.Module | None = None
        for job in (*jobs, jobs[0]) if len(jobs) == 1 else jobs:
            _seed(job.seed)
            model, _ = _built(job)
            if not any(own.requires_grad for own in model.parameters()):
                raise InvalidModel("build returns a model without parameters that train: there is nothing to compare.")
            if before is not None:
                _refuse_shared(before, model)
            before = model


def _refuse_shared(before: nn.Module, model: nn.Module) -> None:
    own = {id(parameter) for parameter in model.parameters()}
    shared = [name for name, parameter in before.named_parameters() if id(parameter) in own]
    if before is model or shared:
        what = "the same model twice" if before is model else f"models that share {shared[0]!r}"
        raise InvalidModel(
            f"build returns {what}: make everything new at each call, for each is trained from its start."
        )


def _built(job: Job) -> tuple[nn.Module, dict[str, Any]]:
    """A model with the activation, and what is known of it."""
    told: dict[str, Any] = {}
    given = takes_act(job.build)
    act = Act(job.activation, job.seed)
    try:
        model = job.build(act) if given else job.build()
    except ActlabError:
        raise
    except Exception as error:
        raise InvalidModel(f"build raised {reason_of(error)} (with {job.activation}).") from error
    if not isinstance(model, nn.Module):
        raise InvalidModel(f"build returned {type(model).__name__}: a torch.nn.Module is expected.")
    if given and not act.made:
        raise InvalidModel(
            "build(act) never called act(): all functions would be in the same network. Put act() where the function "
            "goes; or take no argument, and the functions that are in the model are exchanged."
        )
    if not given:
        told = _exchanged(model, job)
    own = {id(p) for m in model.modules() if isinstance(m, Activation) for p in m.parameters()}
    parameters = [p for p in model.parameters() if not isinstance(p, UninitializedParameter)]
    start = [p for p in parameters if id(p) not in own]
    told |= {
        "parameters": sum(p.numel() for p in parameters if p.requires_grad),
        "shapes": _digest([str(tuple(p.shape)).encode() for p in start]),
        "start": _digest([p.detach().cpu().float().numpy().tobytes() for p in start]),
    }
    return model, told


def _exchanged(model: nn.Module, job: Job) -> dict[str, Any]:
    with torch.random.fork_rng():
        torch.manual_seed((job.seed * 1_000_003) % 2**63)
        swapped = swap(model, activation_named(job.activation))
    return {
        "swapped": {name: one_line(old) for name, (old, _) in swapped.changes.items()},
        "left": dict(swapped.left),
    }


def _digest(parts: Sequence[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()[:16]


def _seed(seed: int) -> None:
    seed_python(seed)
    torch.manual_seed(seed)


@contextmanager
def _factor(model: nn.Module, factor: float) -> Iterator[list[bool]]:
    """Multiply learning rates by a factor at each step of an optimiser of the model's; between steps they are as asked.

    Gives a list that holds something once that was done.
    """
    own = {id(parameter) for parameter in model.parameters()}
    done: list[bool] = []
    asked: dict[int, list[tuple[dict[str, Any], Any]]] = {}

    def after(optimiser: torch.optim.Optimizer, *_: Any) -> None:
        for group, rate in asked.pop(id(optimiser), ()):
            group["lr"] = rate

    def before(optimiser: torch.optim.Optimizer, *_: Any) -> None:
        after(optimiser)  # A step that raised something left them multiplied.
        groups = [group for group in optimiser.param_groups if "lr" in group]
        if any(id(parameter) in own for group in groups for parameter in group["params"]):
            asked[id(optimiser)] = [(group, group["lr"]) for group in groups]
            for group in groups:
                group["lr"] = group["lr"] * factor
            done[:] = [True]

    if factor == 1.0:
        yield done
        return
    hooks = [register_optimizer_step_pre_hook(before), register_optimizer_step_post_hook(after)]
    try:
        yield done
    finally:
        for hook in hooks:
            hook.remove()
