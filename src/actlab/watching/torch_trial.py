"""A PyTorch model tried on one batch before it is trained, on a copy: forward, back, and a step or two.

Nothing of the model, its optimiser or the random state is another afterwards.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from actlab.errors import InvalidData, InvalidModel, shortened
from actlab.watching.looks import Look
from actlab.watching.torch_watch import TorchWatch, check_model

# Probabilities of a sample sum to one within this.
SUMS = 1e-3
# Steps that are made with an optimiser: after three, weights that began alike and may differ do.
STEPS = 4


@dataclass
class Trial:
    """What was seen of a model on a batch.

    Attributes:
        looks: one; with an optimiser, of its first steps.
        loss: what was gone back from, in words.
        left_out: sentences, each of what could not be looked at.
    """

    looks: list[Look] = field(default_factory=list)
    loss: str = ""
    left_out: list[str] = field(default_factory=list)


def trial(
    model: nn.Module, batch: Any, loss: Callable[..., torch.Tensor] | None, optimiser: Any, watched: bool = False
) -> Trial:
    """Try a model: see `actlab.diagnose`.

    Raises:
        InvalidModel: nothing in it trains, or it lies on two devices.
        InvalidData: a batch that does not fit the model, or the loss.
    """
    check_model(model, watched=watched)
    device = _device(model)
    done = Trial()
    with kept_random():
        inputs, y = _parts(batch, device)
        try:
            own = copy.deepcopy(model)
        except Exception as error:  # Tensors that are computed cannot be copied, as with weight normalisation of old.
            raise InvalidModel(
                f"the model cannot be copied, and is not tried itself ({type(error).__name__}: {_line(error)})."
            ) from error
        own.zero_grad(set_to_none=True)
        if not own.training:
            own.train()
        steps, maker = _optimiser(own, model, optimiser, done)
        with TorchWatch(own, every=1) as watch:
            for _ in range(steps):
                maker.zero_grad()
                output = _forward(own, inputs)
                value = _loss(output, y, inputs, loss, done)
                if value.requires_grad:
                    value.backward()
                else:
                    done.left_out.append("The loss does not depend on any parameter: nothing was gone back through.")
                    break
                maker.step()
        done.looks = list(watch.looks)
        if watch.stopped:
            done.left_out.append(f"Looking ended before its end ({watch.stopped}).")
    if done.looks and not done.looks[0].functions:
        done.left_out.append("No activation function was seen: of units and signals nothing is said.")
    return done


@contextmanager
def kept_random() -> Iterator[None]:
    """The random states of PyTorch, NumPy and Python, as they were."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - that of the user.
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


def _device(model: nn.Module) -> torch.device:
    devices = sorted({str(own.device) for own in [*model.parameters(), *model.buffers()]})
    if len(devices) > 1:
        raise InvalidModel(
            f"the model lies on two devices ({', '.join(devices)}): bring it to one with model.to(device)."
        )
    if devices == ["meta"]:
        raise InvalidModel("the model has shapes and no numbers (device meta): give it weights with to_empty().")
    return torch.device(devices[0])


def _parts(batch: Any, device: torch.device) -> tuple[Any, Any]:
    """What goes into the model, a tuple or a mapping, and the targets or None."""
    if isinstance(batch, torch.utils.data.DataLoader):
        batch = next(iter(batch), None)
        if batch is None:
            raise InvalidData("batch: the data loader gives none.")
    if isinstance(batch, Mapping):
        own = {key: _moved(value, device) for key, value in batch.items()}
        return ((own["x"],), own["y"]) if set(own) == {"x", "y"} else (own, None)
    if isinstance(batch, (tuple, list)):
        if len(batch) not in (1, 2):
            raise InvalidData(
                f"batch: (x, y), x or a mapping is expected, not {len(batch)} parts: name several inputs in a mapping."
            )
        return (_moved(batch[0], device),), _moved(batch[1], device) if len(batch) == 2 else None
    own = _moved(batch, device)
    if not isinstance(own, torch.Tensor):
        raise InvalidData(f"batch: (x, y), x or a mapping is expected, got {shortened(batch)}.")
    return (own,), None


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)
    return value.to(device) if isinstance(value, torch.Tensor) else value


def _forward(model: nn.Module, inputs: Any) -> Any:
    try:
        return model(**inputs) if isinstance(inputs, Mapping) else model(*inputs)
    except Exception as error:
        raise InvalidData(f"the batch does not fit the model: x is {_shapes(inputs)} ({_line(error)}).") from error


def _loss(output: Any, y: Any, inputs: Any, loss: Callable[..., Any] | None, done: Trial) -> torch.Tensor:
    """What is gone back from: the user's loss, one that is certain, or the outputs themselves."""
    if loss is not None:
        done.loss = getattr(loss, "__name__", type(loss).__name__)
        return _of_user(output, y, inputs, loss)
    own = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
    if isinstance(own, torch.Tensor) and own.numel() == 1:
        done.loss = "the loss that the model returns"
        return own
    first = _first(output)
    if _is_of_classes(first, y):
        done.loss = "cross_entropy, for classes"
        return F.cross_entropy(first, y)
    if not done.loss:
        done.left_out.append(
            "No loss is given, and none is certain: whether outputs, loss and targets suit each other was not looked "
            "at. Give loss=, a function of the output and y."
        )
    done.loss = "the outputs"
    # A fixed pattern: a sum alone would be without a slope behind a softmax.
    pattern = torch.sin(torch.arange(1, first.numel() + 1, device=first.device, dtype=torch.float32))
    return (first.float() * pattern.reshape(first.shape)).sum() / max(len(first) if first.dim() else 1, 1)


def _of_user(output: Any, y: Any, inputs: Any, loss: Callable[..., Any]) -> torch.Tensor:
    targets = inputs if y is None and isinstance(inputs, Mapping) else y
    try:
        value = loss(output) if targets is None else loss(output, targets)
    except Exception as error:
        raise InvalidData(
            f"the loss cannot be taken: the output is {_shapes(output)} and y is {_shapes(targets)} ({_line(error)})."
        ) from error
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        raise InvalidData(f"loss: one number as a tensor is expected, got {_shapes(value)}: take its mean.")
    return value


def _first(output: Any) -> torch.Tensor:
    """The first tensor of an output that holds numbers."""
    values = [output] if isinstance(output, torch.Tensor) else None
    if values is None:
        values = output.values() if isinstance(output, Mapping) else output if isinstance(output, (tuple, list)) else []
    found = next((own for own in values if isinstance(own, torch.Tensor) and own.is_floating_point()), None)
    if found is None:
        raise InvalidData(f"the model's output is {_shapes(output)}: give loss=, a function of the output and y.")
    return found


def _is_of_classes(output: torch.Tensor, y: Any) -> bool:
    """Whether cross-entropy is certain: whole numbers that name outputs, which are no probabilities yet."""
    whole = isinstance(y, torch.Tensor) and y.dtype == torch.int64 and y.dim() == 1
    if not whole or output.dim() != 2 or len(output) != len(y) or output.shape[1] < 2:
        return False
    if not (int(y.min()) >= 0 and int(y.max()) < output.shape[1]):
        return False
    sums = output.detach().float().sum(dim=1)
    return not (bool((output >= 0).all()) and bool((sums - 1).abs().max() < SUMS))


def _optimiser(own: nn.Module, model: nn.Module, optimiser: Any, done: Trial) -> tuple[int, Any]:
    """How many steps are made, and by what: one of the user's kind on the copy, or one that does not move anything."""
    still = 1, torch.optim.SGD([one for one in own.parameters() if one.requires_grad], lr=0.0)
    if optimiser is None:
        done.left_out.append("No optimiser is given: how far a step goes was not looked at.")
        return still
    try:
        if isinstance(optimiser, torch.optim.Optimizer):
            return STEPS, _copied(own, model, optimiser)
        return STEPS, optimiser([one for one in own.parameters() if one.requires_grad])
    except Exception as error:
        done.left_out.append(f"The optimiser cannot be made anew, and was not looked at ({_line(error)}).")
        return still


def _copied(own: nn.Module, model: nn.Module, optimiser: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Another optimiser of the same kind and settings, for the copy's parameters."""
    copies = dict(zip(map(id, model.parameters()), own.parameters(), strict=True))
    groups = []
    for group in optimiser.param_groups:
        held = [copies[id(one)] for one in group["params"] if id(one) in copies]
        groups.append({**group, "params": held})
    if not any(group["params"] for group in groups):
        raise InvalidModel(
            "optimiser: it holds no parameter of this model: make it after the model, of model.parameters()."
        )
    kind: Any = type(optimiser)
    defaults = {key: value for key, value in optimiser.defaults.items() if key == "lr"}
    return kind(groups, **defaults)


def _shapes(value: Any) -> str:
    """A tensor, or several, in words.

    >>> _shapes((torch.zeros(2, 3), None))
    'float32 of shape (2, 3), None'
    """
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} of shape {tuple(value.shape)}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_shapes(own)}" for key, own in value.items())
    if isinstance(value, (tuple, list)):
        return ", ".join(map(_shapes, value))
    return shortened(value)


def _line(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())[:200]
