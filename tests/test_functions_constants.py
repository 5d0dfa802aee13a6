"""No rule adds a number so small, or multiplies by one so near 1, that an optimiser of graphs drops it.

The optimiser that `torch.onnx.export` runs by default takes an added single number of at most 1e-8 for 0, and a factor
or divisor within 1e-5 of 1 for 1. Every rule is carried out on tensors while its operations are watched.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from actlab.functions import catalogue
from actlab.functions.backends.call import Call
from actlab.functions.backends.torch.namespace import TorchNamespace

ADDED, MULTIPLIED = {"add", "sub", "rsub"}, {"mul", "div"}
#: Operations that add or multiply in other ways; a rule that comes to use one needs its own line here.
UNWATCHED = {"addcmul", "addcdiv", "addmm", "baddbmm", "lerp", "addmv", "addr", "logaddexp", "float_power"}


class Watch(TorchDispatchMode):
    """Collects what is dropped: (operation, number)."""

    def __init__(self):
        super().__init__()
        self.dropped, self.seen = set(), set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = operation._schema.name.removeprefix("aten::").rstrip("_")
        self.seen.add(name)
        if name in ADDED | MULTIPLIED:
            for place, operand in enumerate(args[:2]):
                number = single(operand)
                neutral = 0.0 if name in ADDED else 1.0
                # x + 0 and x·1 lose nothing; the first operand of a quotient is no factor.
                if number is None or number == neutral or (name == "div" and place == 0):
                    continue
                if abs(number - neutral) <= (1e-8 if name in ADDED else 1e-5):
                    self.dropped.add((name, number))
        return operation(*args, **(kwargs or {}))


def single(operand):
    """A plain number, or that of a tensor without axes, as a trainable parameter is one; else None."""
    if isinstance(operand, torch.Tensor):
        return float(operand) if operand.ndim == 0 and operand.dtype.is_floating_point else None
    return float(operand)


def watch(call):
    with Watch() as watched:
        call()
    assert not watched.seen & UNWATCHED
    return watched.dropped


def settings(activation, dtype, units, learnt):
    """Default parameters; those that are trainable as tensors without axes, if they are learnt."""
    weights = {p.name: torch.full(p.shape(units), 0.3, dtype=dtype) for p in activation.parameters if p.shape}
    given = activation.settings(weights)
    for parameter in activation.parameters:
        if learnt and parameter.trainable and not parameter.shape:
            given[parameter.name] = torch.tensor(given[parameter.name], dtype=dtype)
    return given | ({"noise": None} if activation.noise else {})


@pytest.mark.parametrize("learnt", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", list(catalogue))
def test_no_constant_is_dropped(name, dtype, learnt):
    activation, xp = catalogue[name], TorchNamespace(torch.device("cpu"))
    x = torch.linspace(-3, 3, 3 * 4 * 4 * 8, dtype=dtype).reshape(3, 4, 4, 8)
    given = settings(activation, dtype, 8, learnt)
    call = Call(activation, -1, (), tuple(given))
    found = {"value": watch(lambda: call.value(x, xp, given))}
    if call.elementwise:
        found["derivative"] = watch(lambda: call.slope(x, xp, given))
    else:
        found["derivative"] = watch(lambda: call.push(x, torch.ones_like(x), xp, given))
    for parameter in activation.parameter_derivatives:
        found[f"by {parameter}"] = watch(lambda parameter=parameter: call.by_parameter(parameter, x, xp, given))
    assert not {which: dropped for which, dropped in found.items() if dropped}


def test_what_would_be_dropped_is_found():
    x = torch.ones(3)
    scale, shift = torch.tensor(1.0), torch.tensor(0.0)
    assert watch(lambda: x * scale + shift + 2e-8) == set()
    assert watch(lambda: 1e-9 - x) == {("rsub", 1e-9)}
    assert watch(lambda: torch.tensor(1e-9, dtype=torch.float64) + x) == {("add", 1e-9)}
    assert watch(lambda: (2.0 / x) / 1.000001) == {("div", 1.000001)}
