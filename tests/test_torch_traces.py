"""`torch.jit.trace` of the functions: saved, loaded where there is no actlab, run for another batch size, trained."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from actlab.functions import catalogue
from actlab.torch import Activation, functional

UNITS = 8
#: Parameters whose written derivative is not that of the value rule, which a trace differentiates: at alpha = 0 it is a
#: branch without alpha. sigma has no part in evaluation.
NOT_LEARNT = ["soft_exponential", "prob_act"]
# Of itself, and of `torch.jit`, PyTorch says that they are deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


def shape(name, batch):
    return (batch, 5, 5, UNITS) if name == "funnel_relu" else (batch, UNITS)


def saved_and_loaded(model, x, file):
    torch.jit.trace(model, x).save(str(file))
    return torch.jit.load(str(file))


@pytest.mark.parametrize(("name", "units"), [*((name, UNITS) for name in catalogue), ("prelu", None), ("snake", None)])
def test_saves_a_trace(name, units, tmp_path):
    generator = torch.Generator().manual_seed(1)
    model = nn.Sequential(Activation(name, units=units)).eval()
    loaded = saved_and_loaded(model, torch.randn(shape(name, 3), generator=generator), tmp_path / "model.pt")
    x = 2 * torch.randn(shape(name, 7), generator=generator)
    torch.testing.assert_close(loaded(x), model(x), rtol=1e-5, atol=1e-6)
    assert set(loaded.state_dict()) == set(model.state_dict())
    if not model.state_dict() or name in NOT_LEARNT:
        return
    ours, theirs = list(model.parameters()), list(loaded.parameters())
    upstream = torch.randn(model(x).shape, generator=generator)
    wanted = torch.autograd.grad(model(x), ours, upstream)
    got = torch.autograd.grad(loaded(x), theirs, upstream)
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


LOAD = """
import sys
import torch
sys.modules["actlab"] = None
folder = sys.argv[1]
model, x = torch.jit.load(folder + "/model.pt"), torch.load(folder + "/x.pt").requires_grad_()
y = model(x)
y.sum().backward()
torch.save((y.detach(), x.grad, [p.grad for p in model.parameters()]), folder + "/found.pt")
"""


def test_a_trace_needs_no_actlab(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, UNITS), Activation("prelu", units=UNITS), nn.Linear(UNITS, 6), Activation("mish")
    )
    saved_and_loaded(model, torch.randn(2, 6), tmp_path / "model.pt")
    x = torch.randn(11, 6)
    torch.save(x, tmp_path / "x.pt")
    subprocess.run([sys.executable, "-W", "ignore", "-c", LOAD, str(tmp_path)], check=True)
    y, along_x, along_parameters = torch.load(tmp_path / "found.pt")
    x.requires_grad_()
    model(x).sum().backward()
    torch.testing.assert_close(y, model(x).detach())
    torch.testing.assert_close(along_x, x.grad)
    for found, parameter in zip(along_parameters, model.parameters(), strict=True):
        torch.testing.assert_close(found, parameter.grad)


def test_a_function_in_a_trace(tmp_path):
    def both(x):
        return functional.mish(x) + functional.maxout(x, pieces=1)

    loaded = saved_and_loaded(both, torch.randn(2, 4), tmp_path / "function.pt")
    x = torch.randn(5, 4)
    torch.testing.assert_close(loaded(x), both(x))
