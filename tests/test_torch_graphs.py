"""What stands for a tensor: torch.fx takes modules and functions as leaves, and nothing of that kind is refused."""

import copy
import pickle

import pytest
import torch
from torch import fx, nn
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from actlab.errors import InvalidFunction, InvalidInput
from actlab.functions import catalogue
from actlab.torch import Activation, functional

UNITS = 8
WEIGHTED = [name for name in catalogue if any(parameter.shape for parameter in catalogue[name].parameters)]


def operations(traced):
    return [(node.op, node.target) for node in traced.graph.nodes if node.op not in ("placeholder", "output")]


def assert_same(traced, model, *shape):
    torch.manual_seed(3)
    x, again = torch.randn(shape).requires_grad_(), None
    again = x.detach().clone().requires_grad_()
    torch.testing.assert_close(traced(x), model(again), rtol=0, atol=0)
    traced(x).sum().backward()
    model(again).sum().backward()
    torch.testing.assert_close(x.grad, again.grad, rtol=0, atol=0)


@pytest.mark.parametrize("name", list(catalogue))
def test_a_module_is_one_node(name):
    shape = (3, 5, 5, UNITS) if name == "funnel_relu" else (3, UNITS)
    model = nn.Sequential(nn.Linear(UNITS, UNITS), Activation(name, units=UNITS)).eval()
    traced = fx.symbolic_trace(model)
    assert operations(traced) == [("call_module", "0"), ("call_module", "1")]
    assert traced.get_submodule("1") is model[1]
    assert_same(traced, model, *shape)


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(0.3))

    def forward(self, x):
        return functional.prelu(functional.softmax(x, axis=0), negative_slope=self.slope) + functional.mish(x + 1.0)


def test_a_function_is_one_node():
    model = Mixed()
    traced = fx.symbolic_trace(model)
    called = [target for op, target in operations(traced) if op == "call_function"]
    assert [functional.softmax, functional.prelu, functional.mish] == [f for f in called if "actlab" in f.__module__]
    assert_same(traced, model, 4, 6)
    traced(torch.full((2, 2), -1.0)).sum().backward()
    assert traced.slope is model.slope
    assert model.slope.grad is not None


def test_the_written_derivative_stays():
    """The value of spike_arctan is a step: no other derivative would let it learn."""
    traced = fx.symbolic_trace(nn.Sequential(Activation("spike_arctan")))
    x = torch.linspace(-2, 2, 8, requires_grad=True)
    traced(x).sum().backward()
    torch.testing.assert_close(x.grad, catalogue["spike_arctan"].derivative(x.detach()))


def test_a_traced_model_is_copied_and_pickled():
    for model in (nn.Sequential(nn.Linear(4, 4), Activation("prelu", units=4)), Mixed()):
        traced = fx.symbolic_trace(model)
        for twin in (copy.deepcopy(traced), pickle.loads(pickle.dumps(traced)), fx.symbolic_trace(traced)):
            x = torch.randn(2, 4)
            torch.testing.assert_close(twin(x), model(x), rtol=0, atol=0)


def test_noise_in_training_alone_in_a_traced_model():
    traced = fx.symbolic_trace(nn.Sequential(Activation("rrelu")))
    x = -torch.ones(500)
    assert traced(x).std() > 0.04
    assert len(traced.eval()(x).unique()) == 1


def test_the_whole_model_is_one_activation():
    traced = fx.symbolic_trace(Activation("prelu"))
    assert ("call_function", functional.prelu) in operations(traced)
    assert_same(traced, Activation("prelu"), 2, 3)
    assert operations(fx.symbolic_trace(Activation("mish"))) == [("call_function", functional.mish)]
    for module in (Activation("prelu", units=4), Activation("rrelu")):
        with pytest.raises(InvalidFunction, match=r"trace torch\.nn\.Sequential\(Activation\("):
            fx.symbolic_trace(module)


class Tagged(torch.Tensor):
    """A subclass like those that users write."""


class Wrapped:
    """No tensor, but it takes part in PyTorch's protocol; it counts what it is asked."""

    def __init__(self, inner):
        self.inner, self.asked = inner, []

    @classmethod
    def __torch_function__(cls, function, types, arguments=(), named=None):
        arguments[0].asked.append(function)
        return function(arguments[0].inner, **(named or {}))


@pytest.mark.parametrize("call", [functional.mish, Activation("mish"), Activation("prelu", units=4), functional.maxout])
def test_other_stand_ins_for_tensors(call):
    x = torch.randn(3, 4)
    torch.testing.assert_close(torch.func.vmap(call)(x), call(x))
    torch.testing.assert_close(call(x.as_subclass(Tagged)).as_subclass(torch.Tensor), call(x))
    torch.testing.assert_close(call(nn.Parameter(x)), call(x))
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        assert call(mode.from_tensor(x)).shape == call(x).shape


@pytest.mark.parametrize("name", ["gelu", "swiglu", "mish"])
def test_what_records_operations_gets_the_rule(name):
    """And not the kernels for numbers in memory, which look at the numbers they were recorded with."""
    x = torch.tensor([-11.0, 5.0, 0.0, 1.0, 2.0, -20.0, torch.inf, torch.nan])
    recorded = make_fx(lambda x: getattr(functional, name)(x))(torch.ones(8))
    torch.testing.assert_close(recorded(x), getattr(functional, name)(x), equal_nan=True)


def test_the_protocol_of_torch_function():
    x = torch.randn(3, 4)
    wrapped = Wrapped(x)
    torch.testing.assert_close(
        functional.leaky_relu(wrapped, negative_slope=0.2), functional.leaky_relu(x, negative_slope=0.2)
    )
    torch.testing.assert_close(Activation("mish")(wrapped), functional.mish(x))
    assert wrapped.asked == [functional.leaky_relu, functional.mish]
    for call in (functional.mish, Activation("mish")):
        with pytest.raises(InvalidInput, match=r"torch\.Tensor here; it was given 'list'"):
            call([1.0])
