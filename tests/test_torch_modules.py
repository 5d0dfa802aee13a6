"""PyTorch's door, modules: trainable parameters, state, copies, and swapping them in models."""

import copy
import functools
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from actlab.errors import InvalidFunction, InvalidInput, UnknownName
from actlab.functions import catalogue
from actlab.torch import Activation, swap

WEIGHTED = [name for name in catalogue if any(parameter.shape for parameter in catalogue[name].parameters)]


@pytest.mark.parametrize("name", list(catalogue))
def test_every_function_is_a_module(name):
    module = Activation(name, units=6 if name in WEIGHTED else None).eval()
    x = torch.randn(2, 2, 6)
    values = dict(module.named_parameters())
    assert set(values) == {p.name for p in catalogue[name].parameters if p.trainable or p.shape}
    torch.testing.assert_close(module(x), catalogue[name](x, **values))
    assert repr(module).startswith(f"Activation('{name}'")
    other = Activation(name, units=6 if name in WEIGHTED else None).eval()
    other.load_state_dict(module.state_dict())
    for twin in (other, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        torch.testing.assert_close(twin(x), module(x), rtol=0, atol=0)


@pytest.mark.parametrize(("axis", "shape"), [(-1, (5, 3)), (1, (2, 3, 4, 4)), (-3, (3, 4, 4)), (0, (3,))])
def test_a_parameter_for_each_unit(axis, shape):
    module = Activation("prelu", units=3, axis=axis)
    with torch.no_grad():
        module.negative_slope.copy_(torch.tensor([0.1, 0.2, 0.3]))
    result = module(-torch.ones(shape)).movedim(axis, -1)
    torch.testing.assert_close(result, torch.tensor([-0.1, -0.2, -0.3]).expand(result.shape))
    result.sum().backward()
    torch.testing.assert_close(module.negative_slope.grad, -torch.full((3,), float(np.prod(shape) / 3)))


def test_learns_like_pytorchs_own():
    x, target = torch.randn(64, 5), torch.randn(64, 5)
    ours, theirs = Activation("prelu", units=5), nn.PReLU(5)
    for module in (ours, theirs):
        optimiser = torch.optim.SGD(module.parameters(), 0.1)
        for _ in range(20):
            optimiser.zero_grad()
            ((module(x) - target) ** 2).mean().backward()
            optimiser.step()
    torch.testing.assert_close(ours.negative_slope, theirs.weight)


@pytest.mark.parametrize("name", ["relu", "silu", "mish", "prelu", "gelu", "softmax"])
def test_builders_of_other_libraries_call_it_as_any_activation(name):
    """torchvision's and timm's pass `inplace=True`; nothing is computed in place."""
    x = torch.randn(3, 4)
    before = x.clone()
    module = functools.partial(Activation, name)(inplace=True)
    torch.testing.assert_close(module(x), Activation(name, inplace=False)(x), rtol=0, atol=0)
    assert torch.equal(x, before)
    assert "inplace" not in repr(module)


def test_the_names_of_pytorch():
    x = torch.randn(2, 3, 4, 5)
    for dim in (1, -2):
        torch.testing.assert_close(Activation("softmax", dim=dim)(x), nn.Softmax(dim=dim)(x))
    for count in (1, 3):
        ours, theirs = Activation("prelu", num_parameters=count), nn.PReLU(num_parameters=count)
        torch.testing.assert_close(ours(x), theirs(x))
        assert ours.negative_slope.numel() == theirs.weight.numel() == count
    torch.testing.assert_close(Activation("prelu", num_parameters=5, dim=-1)(x), Activation("prelu", units=5)(x))
    torch.testing.assert_close(Activation("gelu", approximate="none")(x), nn.GELU(approximate="none")(x))


def test_device_and_type_of_the_parameters():
    module = Activation("prelu", units=3, device="meta", dtype=torch.float64)
    assert (module.negative_slope.device.type, module.negative_slope.dtype) == ("meta", torch.float64)
    assert Activation("meta_acon", units=3, dtype=torch.bfloat16)(torch.ones(2, 3)).dtype == torch.float32
    assert Activation("relu", device="cpu", dtype=torch.float16)(torch.ones(2)).dtype == torch.float32


def test_fixed_parameters_are_no_state():
    module = Activation("leaky_relu", negative_slope=0.3)
    assert not module.state_dict()
    assert repr(module) == "Activation('leaky_relu', negative_slope=0.3)"
    assert module(torch.tensor(-1.0)) == torch.tensor(-0.3)
    assert Activation("prelu", negative_slope=0.1)(torch.tensor([-1.0])) == torch.tensor([-0.1])


def test_noise_in_training_alone():
    module = Activation("rrelu")
    x = -torch.ones(500)
    torch.manual_seed(0)
    first = module(x)
    torch.manual_seed(0)
    torch.testing.assert_close(module(x), first, rtol=0, atol=0)
    assert first.std() > 0.04
    torch.testing.assert_close(module.eval()(x), catalogue["rrelu"](x), rtol=0, atol=0)
    drawn = [Activation("rrelu", generator=torch.Generator().manual_seed(1))(x) for _ in range(2)]
    torch.testing.assert_close(*drawn, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_types(dtype):
    module = Activation("prelu", units=4)
    x = torch.randn(3, 4, dtype=dtype)
    assert module(x).dtype == module.to(dtype)(x).dtype == dtype
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert nn.Sequential(nn.Linear(4, 4), Activation("gelu"))(torch.randn(3, 4)).dtype == torch.bfloat16


def test_compiles_in_a_model():
    torch._dynamo.reset()
    model = nn.Sequential(nn.Linear(4, 6), Activation("prelu", units=6), nn.Linear(6, 2), Activation("mish"))
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    x = torch.randn(3, 4)
    torch.testing.assert_close(compiled(x), model(x))


# Dynamo itself makes a Function, which PyTorch has deprecated.
test_compiles_in_a_model = pytest.mark.filterwarnings("ignore:.*should not be instantiated")(test_compiles_in_a_model)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"name": "mishh"}, UnknownName, "did you mean 'mish'"),
        ({"name": "prelu", "units": 0}, InvalidFunction, "units must be"),
        ({"name": "prelu", "slope": 1.0}, InvalidFunction, "no parameter 'slope'"),
        ({"name": "prelu", "units": 3, "negative_slope": [0.1, 0.2]}, InvalidFunction, "3 units"),
        ({"name": "gelu", "generator": torch.Generator()}, InvalidFunction, "no generator"),
        ({"name": "gelu", "approximate": "tanh"}, InvalidFunction, "take 'gelu_tanh'"),
        ({"name": "gelu", "approximate": "erf"}, InvalidFunction, "no parameter 'approximate'"),
        ({"name": "softmax", "axis": 1, "dim": 1}, InvalidFunction, "'dim' is another name of 'axis'"),
        ({"name": "prelu", "units": 3, "num_parameters": 3}, InvalidFunction, "'num_parameters' is another name of"),
        ({"name": "prelu", "num_parameters": 0}, InvalidFunction, "units must be"),
    ],
)
def test_wrong_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        Activation(**arguments)


def test_wrong_inputs():
    with pytest.raises(InvalidFunction, match="3 units along axis 1"):
        Activation("prelu", units=3, axis=1)(torch.ones(3, 4))
    with pytest.raises(InvalidInput, match=r"torch\.Tensor"):
        Activation("gelu")([1.0])
    for name in WEIGHTED:
        with pytest.raises(InvalidFunction, match="units="):
            Activation(name)


class Branches(nn.Module):
    """One module in two places, and modules in all kinds of containers."""

    def __init__(self):
        super().__init__()
        self.shared = nn.ReLU()
        self.block = nn.Sequential(nn.Linear(2, 2), self.shared)
        self.several = nn.ModuleList([nn.Tanh(), nn.Dropout()])
        self.named = nn.ModuleDict({"gate": nn.GELU()})
        self.ours = Activation("mish")

    def forward(self, x):
        for part in (self.block, *self.several, self.named["gate"], self.ours):
            x = part(x)
        return self.shared(x)


def test_swaps_and_puts_back():
    model = Branches()
    before = dict(model.named_modules(remove_duplicate=False))
    swapped = swap(model, "elu")
    assert list(swapped.changes) == ["shared", "block.1", "several.0", "named.gate", "ours"]
    assert model.shared is model.block[1]
    assert all(new.name == "elu" for _, new in swapped.changes.values())
    assert "several.0: Tanh() → Activation('elu', alpha=1)" in repr(swapped)
    assert model(torch.ones(1, 2)).shape == (1, 2)
    swapped.undo()
    after = dict(model.named_modules(remove_duplicate=False))
    assert before.keys() == after.keys()
    assert all(before[name] is after[name] for name in before)


@pytest.mark.parametrize(
    ("where", "places"),
    [
        (nn.Tanh, ["several.0"]),
        ((nn.Tanh, nn.GELU), ["several.0", "named.gate"]),
        ("several.*", ["several.0", "several.1"]),
        (lambda name, module: name.endswith("gate"), ["named.gate"]),
    ],
)
def test_says_which(where, places):
    model = Branches()
    with swap(model, catalogue["silu"], where=where) as swapped:
        assert list(swapped.changes) == places
        assert model.get_submodule(places[0]).name == "silu"
    assert not isinstance(model.get_submodule(places[0]), Activation)


def test_new_modules_fit_the_model():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU()).double().eval()
    swap(model, "prelu")
    assert model[1].negative_slope.dtype == torch.float64
    assert not model[1].training
    swap(model, nn.Hardswish)
    assert isinstance(model[1], nn.Hardswish)


def test_what_cannot_be_swapped():
    with pytest.raises(InvalidFunction, match="in place"):
        swap(nn.ReLU())
    with pytest.raises(InvalidFunction, match=r"nothing to swap in Linear: it has none of Activation, .*ReLU.*F\.relu"):
        swap(nn.Linear(1, 1))
    with pytest.raises(InvalidFunction, match="no module matches where='x'"):
        swap(Branches(), where="x")
    with pytest.raises(InvalidFunction, match="where is"):
        swap(Branches(), where=3)
    with pytest.raises(InvalidFunction, match=r"must return a torch\.nn\.Module"):
        swap(Branches(), lambda: 3)
    model = Branches()
    with pytest.raises(UnknownName):
        swap(model, "no such")
    assert isinstance(model.shared, nn.ReLU)
    swapped = swap(model, "elu")
    model.shared = nn.Tanh()
    with pytest.raises(InvalidFunction, match="no longer"):
        swapped.undo()
