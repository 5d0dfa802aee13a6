"""What becomes of the functions in the files of other formats: each is written, loaded by its own runtime and run."""

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import onnxruntime
import pytest
import torch
from tests import exporting
from tests.exporting import NAMES, Several, apart, both, eager, exported, grid, run, size_of_terms, together
from torch import nn

from actlab.errors import InvalidFunction
from actlab.functions import catalogue
from actlab.functions.backends import call as rules
from actlab.functions.backends.torch.namespace import OnnxNamespace
from actlab.torch import Activation

#: Difference to eager, relative, from −30 to 30.
LIMIT = 1e-5
#: ONNX Runtime's ReduceMax and TopK pass NaN over: of a row with NaN they are those of the other numbers.
LOSE_NAN = ["hardmax", "sparsemax"]


@pytest.mark.parametrize("name", NAMES)
def test_every_function_in_onnx(name):
    """At the exporter's defaults, which optimise. Stochastic functions do not draw in evaluation."""
    got, wanted = both(name)
    assert got.shape == wanted.shape
    assert apart(got[:-5], wanted[:-5], size_of_terms(name, grid()[:-5])) <= LIMIT
    zeros_and_infinities, row_with_nan = slice(-5, -1), slice(-1, None)
    assert apart(got[zeros_and_infinities], wanted[zeros_and_infinities]) <= LIMIT
    if name in LOSE_NAN:
        assert not np.all(np.isnan(got[row_with_nan]))
    else:
        assert apart(got[row_with_nan], wanted[row_with_nan]) <= LIMIT


def test_images_in_onnx():
    x = grid()[:256].reshape(4, 8, 8, exporting.UNITS)
    model = Several(["funnel_relu"])
    (got, _), ((wanted,), _) = run(exported(model, x), x), eager(model, x)
    assert apart(got, wanted.numpy(), size_of_terms("funnel_relu", x)) <= LIMIT


def test_the_exporter_optimises():
    """Else the tests above would show nothing: what it drops of a sum is gone."""
    x = grid()
    np.testing.assert_array_equal(together(0)[1], x)
    assert x[-5, 2] + np.float32(exporting.DROPPED) != x[-5, 2]


@pytest.mark.parametrize("name", ["gelu", "laplace", "smu1"])
def test_alone_it_is_exported_as_among_others(name):
    x = grid()
    (alone,) = run(exported(nn.Sequential(exporting.module(name)), x), x)
    np.testing.assert_array_equal(alone, both(name)[0])


def chain():
    """A network whose activations have parameters, log1p, expm1 and the normal distribution inside."""
    torch.manual_seed(1)
    names = [("prelu", 6), ("gelu", None), ("softplus", None), ("pdelu", None)]
    layers = (nn.Sequential(nn.Linear(6, 6), Activation(name, units=units)) for name, units in names)
    return nn.Sequential(*layers, Activation("swiglu"))


@pytest.mark.parametrize("name", [name for name, function in catalogue.items() if function.noise])
def test_what_draws_in_training_draws_in_onnx(name):
    x = -np.ones((2, 8), np.float32)
    model = nn.Sequential(Activation(name))
    with torch.no_grad():
        for parameter in model.parameters():  # a strength of noise that is learnt starts at 0
            parameter.fill_(0.5)
    session = exported(model, x, training=True)
    first, second = run(session, x)[0], run(session, x)[0]
    assert np.all(np.isfinite(first))
    assert not np.array_equal(first, second)


def test_an_exported_graph_is_trained_by_the_derivative_of_its_operations():
    """Which is not the written one where that is no derivative of the value, or where two halves meet; docs say so."""
    x = torch.tensor([-1.0, 0.5, 2.0])
    for name, slopes in (("spike_arctan", [0.0, 0.0, 0.0]), ("softsign", [-0.25, 1 / 2.25, 1 / 9])):
        graph = torch.export.export(nn.Sequential(Activation(name)), (x,)).module()
        leaf = x.clone().requires_grad_()
        graph(leaf).sum().backward()
        torch.testing.assert_close(leaf.grad, torch.tensor(slopes))
    assert catalogue["softsign"].derivative(-1.0) == 0.25
    assert catalogue["spike_arctan"].derivative(0.5) > 0


def test_another_batch_size_in_onnx():
    model = chain()
    session = exported(model, np.ones((4, 6), np.float32), dynamic_shapes=({0: torch.export.Dim("batch")},))
    x = np.random.default_rng(2).normal(size=(11, 6)).astype(np.float32)
    (got,) = run(session, x)
    np.testing.assert_allclose(got, eager(model, x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["softplus", "pdelu"])
# PyTorch says of it that it is deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tails_by_the_older_exporter_too(name, tmp_path):
    x = grid()[:-5]
    model = nn.Sequential(Activation(name)).eval()
    file = tmp_path / "model.onnx"
    torch.onnx.export(model, (torch.from_numpy(x),), file, dynamo=False)
    (got,) = run(onnxruntime.InferenceSession(file.read_bytes()), x)
    assert apart(got, eager(model, x).numpy()) <= LIMIT


@pytest.mark.parametrize(("name", "operation"), [("softplus", "log1p"), ("pdelu", "expm1")])
def test_log1p_and_expm1_are_written_otherwise_for_onnx_alone(name, operation):
    graph = torch.export.export(nn.Sequential(Activation(name)), (torch.linspace(-2.0, 2.0, 8),)).graph
    assert any(operation in str(node.target) for node in graph.nodes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["log1p", "expm1"])
def test_log1p_and_expm1_for_onnx(name, dtype):
    sizes = torch.logspace(-37, 38, 4001, dtype=torch.float64)
    x = torch.cat([sizes, -sizes, torch.linspace(-2, 2, 4001, dtype=torch.float64)]).to(dtype)
    x = torch.cat([x, torch.tensor([torch.inf, -torch.inf, torch.nan, 0.0, -1.0], dtype=dtype)])
    wanted = getattr(torch, name)(x.double()).to(dtype)
    few = 4 * torch.finfo(dtype).eps
    torch.testing.assert_close(getattr(OnnxNamespace(x.device), name)(x), wanted, rtol=few, atol=0.0, equal_nan=True)


PER_UNIT = [name for name, function in catalogue.items() if any(p.trainable or p.shape for p in function.parameters)]


def serialised(function, *shapes):
    symbols = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    return jax.export.deserialize(jax.export.export(jax.jit(function))(*symbols).serialize())


@pytest.mark.parametrize("name", PER_UNIT)
def test_a_symbolic_batch_in_jax_with_parameters_for_each_unit(name):
    activation, units = catalogue[name], 8
    learnt = [p for p in activation.parameters if p.trainable or p.shape]
    names = [p.name for p in learnt]
    starts = [np.full(p.shape(units), 0.3) if p.shape else np.full(units, p.default) for p in learnt]
    images = (3, 3) if name in exporting.IMAGES else ()
    x = np.random.default_rng(0).normal(size=(5, *images, units)).astype(np.float32)

    def call(x, *values):
        return activation(x, **dict(zip(names, values, strict=True)))

    batch = jax.export.symbolic_shape("batch")
    loaded = serialised(call, (*batch, *x.shape[1:]), *(start.shape for start in starts))
    values = [start.astype(np.float32) for start in starts]
    np.testing.assert_allclose(loaded.call(x, *values), call(jnp.asarray(x), *values), rtol=1e-6, atol=1e-7)


def test_wrong_shapes_beside_a_symbolic_batch_are_told():
    shape = jax.export.symbolic_shape("batch, 8")
    with pytest.raises(InvalidFunction, match=r"of shape \(7,\) does not broadcast against .* \(batch, 8\)"):
        serialised(lambda x, slope: catalogue["prelu"](x, negative_slope=slope), shape, (7,))
    with pytest.raises(InvalidFunction, match=r"multiple of 3 units along axis -1; .* \(batch, 8\)"):
        serialised(lambda x: catalogue["maxout"](x, pieces=3), shape)


@pytest.mark.parametrize("target", [(), (1,), (3,), (0,), (2, 3), (1, 3), (2, 1, 3)])
def test_what_broadcasts_is_what_numpy_says(target):
    for shape in ((), (1,), (3,), (2,), (0,), (1, 3), (2, 1), (2, 3), (1, 1, 3), (2, 1, 3), (1, 1, 1, 1)):
        try:
            fits = np.broadcast_shapes(shape, target) == target
        except ValueError:
            fits = False
        assert rules._broadcasts(shape, target) is fits


def test_nothing_is_missing():
    assert set(NAMES) | set(exporting.IMAGES) == set(catalogue)
