"""PyTorch's door, every function of the catalogue: values, gradients of all orders, types, compilation."""

import pickle
import sys

import numpy as np
import pytest
import torch
from tests.accuracy import errors, evaluate, exact, inputs
from torch.autograd import gradcheck, gradgradcheck

from actlab.errors import InvalidFunction, InvalidInput
from actlab.functions import catalogue, register, unregister
from actlab.functions.backends.torch import autograd
from actlab.functions.backends.torch.blocks import block_size
from actlab.functions.backends.torch.kernels import KERNELS

# PyTorch does itself what it has deprecated: its forward mode compiles some derivatives, Dynamo makes a Function.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*should not be instantiated.*:DeprecationWarning"),
]

NAMES = list(catalogue)
ORDINARY = np.array([[-3.21, -2.37, -1.31, -0.83, -0.37, -0.11], [0.23, 0.71, 1.63, 2.29, 0.057, 3.41]])
# Their gradient is a stand-in for that of a step, and not the derivative of the value.
SURROGATES = {name for name in NAMES if catalogue[name].family == "spiking"}
EXTREME = [-np.inf, np.inf, np.nan, 0.0, -1e30, 1e30, -200.0, 200.0, -30.0, 30.0, -5.5, 5.5]
FLOATS = [torch.float32, torch.float64]


def ordinary(name, size=12):
    """Points of a shape that the function takes: for the one on images, rows, columns and units."""
    points = ORDINARY[:, : size // 2]
    return points.reshape(2, 2, -1) if name == "funnel_relu" else points


def trainable(name, units, seed=0):
    """Tensors for the weights and trainable parameters, near the defaults."""
    generator = np.random.default_rng(seed)
    return {
        parameter.name: generator.uniform(-0.5, 0.5, parameter.shape(units))
        if parameter.shape
        else np.array(parameter.default * 1.07 + 0.013)
        for parameter in catalogue[name].parameters
        if parameter.shape or parameter.trainable
    }


def weights(name, units):
    """What must be given."""
    return {key: value for key, value in trainable(name, units).items() if np.ndim(value)}


def tensors(arrays, dtype=torch.float64):
    return {name: torch.tensor(value, dtype=dtype) for name, value in arrays.items()}


@pytest.mark.parametrize("which", ["value", "derivative"])
@pytest.mark.parametrize("name", NAMES)
def test_equals_numpy(name, which):
    function = catalogue[name] if which == "value" else catalogue[name].derivative
    grouping = catalogue[name].kind == "grouping"
    points = ordinary(name) if grouping else np.array([*ORDINARY.flat, *EXTREME])
    given = weights(name, points.shape[-1])
    for dtype, few in ((np.float64, 2e-14), (np.float32, 3e-6)):
        x = points.astype(dtype)
        computed = function(torch.from_numpy(x.copy()), **tensors(given))
        wanted = function(x, **given)
        assert computed.dtype == torch.from_numpy(x).dtype
        np.testing.assert_allclose(computed.numpy(), wanted, rtol=few, atol=few * 1e-6 if not grouping else few)


@pytest.mark.parametrize("name", NAMES)
def test_gradients(name):
    activation = catalogue[name]
    x = torch.tensor(ordinary(name), requires_grad=True)
    own = {key: value.requires_grad_() for key, value in tensors(trainable(name, x.shape[-1])).items()}

    def function(x, *values):
        return activation(x, **dict(zip(own, values, strict=True)))

    if name not in SURROGATES:
        assert gradcheck(function, (x, *own.values()), check_forward_ad=True)
    elementwise = activation.kind != "grouping"
    slope = (
        activation.derivative(x, **own) if elementwise else torch.func.jacrev(lambda z: function(z, *own.values()))(x)
    )
    gradient = torch.autograd.grad(function(x, *own.values()).sum(), x)[0]
    wanted = slope if elementwise else slope.sum(dim=tuple(range(slope.ndim - x.ndim)))
    torch.testing.assert_close(gradient, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_gradients(name):
    activation = catalogue[name]
    x = torch.tensor(ordinary(name, 8), requires_grad=True)
    own = {key: value.requires_grad_() for key, value in tensors(trainable(name, x.shape[-1])).items()}

    def slope(x, *values):
        outputs = activation(x, **dict(zip(own, values, strict=True)))
        return torch.autograd.grad(outputs.sum(), (x, *values), create_graph=True, materialize_grads=True)

    differentiable = [s for s in slope(x, *own.values()) if s.requires_grad]
    if name in SURROGATES or not differentiable:
        assert torch.autograd.grad(activation(x, **own).sum(), x)[0].isfinite().all()
        return
    assert gradgradcheck(
        lambda x, *v: activation(x, **dict(zip(own, v, strict=True))), (x, *own.values()), fast_mode=True
    )


@pytest.mark.parametrize("name", [n for n in NAMES if catalogue[n].kind == "elementwise"])
def test_second_derivatives_are_finite_in_the_tails(name):
    x = torch.tensor([-1e30, -200.0, -90.0, -20.0, 0.0, 20.0, 90.0, 200.0, 1e30], requires_grad=True)
    own = tensors(weights(name, len(x)), torch.float32)
    (first,) = torch.autograd.grad(catalogue[name](x, **own).sum(), x, create_graph=True)
    if first.requires_grad:
        (second,) = torch.autograd.grad(first.sum(), x)
        assert not second.isnan().any()


def through_autograd(name, which, x):
    tensor = x.detach().requires_grad_()
    value = catalogue[name](tensor)
    computed = value if which == "value" else torch.autograd.grad(value, tensor, torch.ones_like(value))[0]
    return computed.detach()


@pytest.mark.parametrize(("name", "which"), list(KERNELS))
def test_accuracy_where_pytorch_is_used(name, which):
    for dtype, floor in ((np.float32, KERNELS[name, which].limit), (np.float64, 1e-12)):
        x = inputs(name, dtype)
        # PyTorch has other code for what does not lie side by side.
        apart = torch.from_numpy(np.stack((x, x), 1))[:, 0]
        for computed in (
            through_autograd(name, which, torch.from_numpy(x.copy())),
            through_autograd(name, which, apart),
            evaluate(name, which, x, "torch"),
        ):
            worst = errors(x, np.asarray(computed), *exact(name, dtype)[which])
            beside_root = np.abs(exact(name, dtype)[which][0]) < 1e-3
            assert worst.relative.max() <= floor, worst.worst
            assert worst.ulps[~beside_root].max() <= max(6, floor * 2**24), worst.worst


@pytest.mark.parametrize(("name", "which"), list(KERNELS))
def test_signs_beside_the_root_where_pytorch_is_used(name, which):
    root = KERNELS[name, which].root
    if not root:
        pytest.skip("no root")
    x = torch.linspace(root - 3e-5, root + 3e-5, 20_001)
    x = x.unique()
    assert torch.equal(through_autograd(name, which, x).sign(), through_autograd(name, which, x.double()).sign())


@pytest.mark.parametrize(("name", "which"), list(KERNELS))
def test_every_block_where_pytorch_is_used(name, which):
    size = 131_072 * torch.get_num_threads()
    special = inputs(name, np.float32)
    repeated = torch.from_numpy(np.resize(special, 2 * size + 17))
    few = through_autograd(name, which, torch.from_numpy(special.copy()))
    wanted = torch.from_numpy(np.resize(few.numpy(), repeated.numel()))
    limit = {"rtol": 1e-5, "atol": 1e-37, "equal_nan": True}
    torch.testing.assert_close(through_autograd(name, which, repeated), wanted, **limit)
    strided = torch.stack((repeated, repeated), 1)[:, 0]
    torch.testing.assert_close(through_autograd(name, which, strided), wanted, **limit)
    table = repeated[: size // 2].view(-1, 512).T
    gradient = through_autograd(name, which, table)
    torch.testing.assert_close(gradient, wanted[: size // 2].view(-1, 512).T, **limit)
    sliced = repeated[: size // 2].view(-1, 512)[:, 3:490]
    torch.testing.assert_close(
        through_autograd(name, which, sliced), wanted[: size // 2].view(-1, 512)[:, 3:490], **limit
    )


GATED = ["glu", "swiglu", "geglu", "reglu", "bilinear"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("name", GATED)
def test_gated_units_in_blocks_equal_the_rule(name, axis, dtype):
    function, few = catalogue[name], {torch.float32: 1e-5, torch.float64: 1e-13, torch.bfloat16: 1e-2}[dtype]
    generator = torch.Generator().manual_seed(1)
    wide = 4 * torch.randn((70, 6, 700 * torch.get_num_threads()), generator=generator)
    special = torch.tensor([torch.inf, -torch.inf, 0.0, torch.nan, -0.0, 50.0, -50.0])
    odd = torch.cartesian_prod(special, special).repeat(1, 2)[:, :2]
    ends = torch.stack([odd[:, 0], odd[:, 1]], -1).repeat(2, 1).reshape(14, 14)
    for x in (wide, wide.movedim(0, -1), wide[:, :, ::2], ends):
        x = x.to(dtype).detach().requires_grad_()
        value = function(x, axis=axis)
        wanted = function(x.detach().double().numpy(), axis=axis)
        rule = torch.from_numpy(wanted).to(dtype)
        torch.testing.assert_close(value, rule, rtol=few, atol=1e-30, equal_nan=True)
        upstream = torch.randn(value.shape, generator=generator).to(dtype)
        (gradient,) = torch.autograd.grad(value, x, upstream)
        double = x.detach().double().requires_grad_()
        (slow,) = torch.autograd.grad(function(double, axis=axis), double, upstream.double(), create_graph=True)
        # Infinities stand for the largest number, which is another one in every type.
        compared = slow.abs() < 1e30
        torch.testing.assert_close(
            gradient[compared], slow.detach()[compared].to(dtype), rtol=few, atol=1e-6, equal_nan=True
        )
        assert torch.equal(gradient.isnan(), slow.isnan())


@pytest.mark.parametrize(
    ("name", "key"), [("hard_sigmoid", "slope"), ("tanh_soft", "alpha"), ("eis", "theta"), ("prelu", "negative_slope")]
)
@pytest.mark.parametrize("shape", [(1,), (), (1, 1), (4,), (3, 1)])
def test_gradients_of_parameters_of_every_shape(name, key, shape):
    x = torch.tensor(ORDINARY).reshape(3, 4)
    default = next(p.default for p in catalogue[name].parameters if p.name == key)
    value = torch.full(shape, default * 1.07 + 0.013, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda v: catalogue[name](x, **{key: v}), (value,))


KNOWN = [
    ("gelu", "value", torch.float32, -5.5, -1.0444e-7),
    ("gelu", "value", torch.float32, -6.0, -5.9195e-9),
    ("gelu", "value", torch.float32, torch.inf, torch.inf),
    ("gelu", "value", torch.float32, -torch.inf, 0.0),
    ("silu", "value", torch.float32, -torch.inf, 0.0),
    ("mish", "value", torch.float32, -torch.inf, 0.0),
    ("softsign", "value", torch.float32, torch.inf, 1.0),
    ("softsign", "value", torch.float32, -torch.inf, -1.0),
    ("elu", "derivative", torch.float32, -17.0, 4.14e-8),
    ("sigmoid", "derivative", torch.float64, 40.0, 4.248354255291589e-18),
    ("tanh", "derivative", torch.float32, 10.0, 8.2446e-9),
    ("hard_swish", "value", torch.float32, -torch.inf, 0.0),
    ("gelu_tanh", "derivative", torch.float32, 1e20, 1.0),
    ("gelu_tanh", "derivative", torch.float32, -1e20, 0.0),
    ("squareplus", "value", torch.float32, -1e4, 1e-4),
    ("tanh_shrink", "value", torch.float32, 1e-4, 3.3333e-13),
]


@pytest.mark.parametrize(("name", "which", "dtype", "at", "right"), KNOWN)
@pytest.mark.parametrize("size", [1, 67])
def test_where_pytorch_is_wrong(name, which, dtype, at, right, size):
    if name not in catalogue:
        pytest.skip(f"{name} is not in the catalogue")
    x = torch.full((size,), at, dtype=dtype, requires_grad=True)
    value = catalogue[name](x)
    (gradient,) = torch.autograd.grad(value.sum(), x)
    for computed in (value, catalogue[name](x)) if which == "value" else (gradient, catalogue[name].derivative(x)):
        torch.testing.assert_close(computed, torch.full_like(x, right), rtol=1e-4, atol=0.0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "sigmoid", "tanh", "softplus", "softmax", "prelu"])
def test_half_types_are_rounded_once(name, dtype):
    x = torch.arange(-32768, 32768, dtype=torch.int32).to(torch.int16).view(dtype)
    x = x[x.isfinite()][: 2 * (x.isfinite().sum() // 2)]
    for function in (catalogue[name],) + ((catalogue[name].derivative,) if name != "softmax" else ()):
        computed, wanted = function(x), function(x.double()).to(dtype)
        assert computed.dtype == dtype
        apart = (computed.view(torch.int16).int() - wanted.view(torch.int16).int()).abs()
        tiny = wanted.abs() < torch.finfo(dtype).tiny
        assert apart[~tiny & (computed != wanted)].max() <= 1 if (~tiny & (computed != wanted)).any() else True
    z = x.clone().requires_grad_()
    catalogue[name](z).sum().backward()
    assert z.grad.dtype == dtype


@pytest.mark.parametrize("name", ["gelu", "mish", "prelu", "softmax"])
def test_follows_the_type_of_the_input_under_autocast(name):
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.randn(6, 4, dtype=dtype)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            computed = catalogue[name](x)
        assert computed.dtype == dtype
        torch.testing.assert_close(computed, catalogue[name](x), rtol=0, atol=0)


@pytest.mark.parametrize("x", [torch.arange(3), torch.ones(2, dtype=torch.bool), torch.ones(2, dtype=torch.complex64)])
def test_other_types_are_refused(x):
    with pytest.raises(InvalidInput, match="convert it"):
        catalogue["gelu"](x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_quick_changes_nothing_but_the_time(name, dtype, monkeypatch):
    """Without kernels, blocks and gates: the same bits where none serves, else within the kernel's limits."""
    if weights(name, 8):
        pytest.skip("is computed as a whole in any case")
    points = torch.cat([torch.linspace(-8, 8, 4000), torch.tensor([0.0, -0.0, 30.0, -30.0])]).to(dtype)
    x = points[torch.randperm(len(points), generator=torch.Generator().manual_seed(0))][:3984]
    x = x.reshape(2, 2, -1, 8) if name == "funnel_relu" else x.reshape(-1, 8)
    quick = [through_autograd(name, which, x) for which in ("value", "derivative")]
    monkeypatch.setattr(autograd, "takes_blocks", lambda *_: False)
    monkeypatch.setattr(autograd, "takes_gate", lambda *_: False)
    plain = [through_autograd(name, which, x) for which in ("value", "derivative")]
    for which, found, wanted in zip(("value", "derivative"), quick, plain, strict=True):
        if name not in GATED and (name, which) not in KERNELS:
            assert torch.equal(found, wanted), which
            continue
        # A gate has the kernel of another function: of them the derivative of gelu is the least accurate.
        kernel = KERNELS["gelu", "derivative"] if name in GATED else KERNELS[name, which]
        limit = 2 * kernel.limit if dtype == torch.float32 else 1e-14
        torch.testing.assert_close(found, wanted, rtol=limit, atol=1e-38)


def test_gelu_without_a_far_tail():
    x = np.linspace(-5.499, 40, 4001, dtype=np.float32)
    for function in (catalogue["gelu"], catalogue["gelu"].derivative):
        np.testing.assert_allclose(function(torch.from_numpy(x)).numpy(), function(x.astype(float)), rtol=4e-6)


def test_blocks_equal_the_whole():
    size = 131_072 * torch.get_num_threads()
    x = torch.randn(2 * size + 17) * 4
    for name in ("gelu", "softsign", "prelu", "hard_sigmoid"):
        z = x.clone().requires_grad_()
        value = catalogue[name](z)
        value.backward(torch.ones_like(x))
        some = slice(size - 5, size + 5)
        torch.testing.assert_close(value[some], catalogue[name](x[some]), rtol=0, atol=0)
        torch.testing.assert_close(z.grad[-9:], catalogue[name].derivative(x[-9:]), rtol=1e-6, atol=0)


@pytest.mark.parametrize("shape", [(2, 1), (1, 300), (), (400, 300)])
def test_gradients_of_parameters_in_blocks(shape):
    x = torch.randn(400, 300, dtype=torch.float64)
    for name, key in (("prelu", "negative_slope"), ("trainable_swish", "beta")):
        if name not in catalogue:
            continue
        value = torch.rand(shape if shape != (2, 1) else (400, 1), dtype=torch.float64).requires_grad_()
        upstream = torch.randn_like(x)
        (quick,) = torch.autograd.grad(catalogue[name](x, **{key: value}), value, upstream)
        (slow,) = torch.autograd.grad(catalogue[name](x, **{key: value}), value, upstream, create_graph=True)
        assert quick.shape == value.shape
        torch.testing.assert_close(quick, slow)


def test_layouts_of_memory():
    images = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last).requires_grad_()
    slope = torch.rand(3, 1, 1, requires_grad=True)
    for given in ({}, {"negative_slope": slope}):
        images.grad = None
        value = catalogue["prelu"](images, **given)
        value.sum().backward()
        assert value.stride() == images.stride() == images.grad.stride()
        torch.testing.assert_close(value, catalogue["prelu"](images.contiguous(), **given))
    for x in (torch.randn(10)[::2], torch.randn(3, 1).expand(3, 4), torch.randn(3, 4).T, torch.zeros(0, 3)):
        leaf = x.clone().requires_grad_()
        torch.testing.assert_close(catalogue["mish"](x), catalogue["mish"](x.contiguous()))
        catalogue["mish"](leaf).sum().backward()
        torch.testing.assert_close(leaf.grad, catalogue["mish"].derivative(x.contiguous()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["relu", "gelu", "mish", "softplus"])
def test_a_gradient_that_lies_otherwise_than_the_input(name, dtype):
    """As where a transposed input meets the gradient of a product: of float32 beyond a block, of float64 always."""
    x = torch.randn(2, 700, 900, dtype=dtype, generator=torch.Generator().manual_seed(1)).transpose(1, 2)
    gradient = torch.randn(x.shape, dtype=dtype, generator=torch.Generator().manual_seed(2))
    assert gradient.is_contiguous()
    for rows in (slice(None), slice(0, 3)):
        leaf, own = x[:, rows].detach().requires_grad_(), gradient[:, rows].contiguous()
        catalogue[name](leaf).backward(own)
        expected = own * catalogue[name].derivative(x[:, rows].contiguous())
        torch.testing.assert_close(leaf.grad, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["gelu", "silu", "mish"])
def test_large_tensors_without_an_element_to_be_mended(name):
    """All values lie away from where a kernel is not exact, as before a network is trained."""
    x = torch.linspace(-0.1, 0.1, 2 * block_size()).requires_grad_()
    catalogue[name](x).sum().backward()
    torch.testing.assert_close(x.grad, catalogue[name].derivative(x.detach().double()).float())


def test_saves_the_input_alone():
    saved = []
    x = torch.randn(5, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor):
        catalogue["gelu"](x)
    assert [tensor.data_ptr() for tensor in saved] == [x.data_ptr()]


@pytest.mark.parametrize("name", ["gelu", "relu", "prelu", "softmax", "maxout", "rrelu"])
def test_transformations(name):
    function = catalogue[name]
    x = torch.tensor(ORDINARY)
    torch.testing.assert_close(torch.func.vmap(function)(x), function(x))
    torch.testing.assert_close(torch.func.vmap(function.derivative)(x), function.derivative(x))
    slope = function.derivative(x[0])
    slope = slope if slope.ndim == 2 else torch.diag(slope)
    torch.testing.assert_close(torch.func.jacrev(function)(x[0]), slope)
    torch.testing.assert_close(torch.func.jacfwd(function)(x[0]), slope)

    def loss(x):
        return (function(x) ** 2).sum()

    per_row = torch.func.vmap(torch.func.grad(loss))(x)
    torch.testing.assert_close(per_row[1], torch.func.grad(loss)(x[1]))
    hessian = torch.autograd.functional.hessian(loss, x[0])
    torch.testing.assert_close(torch.func.hessian(loss)(x[0]), hessian)
    torch.testing.assert_close(torch.func.jacrev(torch.func.grad(loss))(x[0]), hessian)


def test_many_values_of_a_parameter_at_once():
    x, slopes = torch.tensor(ORDINARY), torch.tensor([0.1, 0.3], dtype=torch.float64)

    def loss(slope):
        return catalogue["prelu"](x, negative_slope=slope).sum()

    torch.testing.assert_close(torch.func.vmap(loss)(slopes), torch.stack([loss(slope) for slope in slopes]))
    left = x[x < 0].sum()
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(loss))(slopes), torch.stack([left, left]))


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("name", ["gelu", "relu", "elu", "prelu", "softmax", "rrelu"])
def test_compiles_as_one_graph(name, backend):
    torch._dynamo.reset()
    compiled = torch.compile(lambda x: catalogue[name](x), fullgraph=True, backend=backend)
    x = torch.tensor(ORDINARY, dtype=torch.float32)
    torch.testing.assert_close(compiled(x), catalogue[name](x))
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    compiled(a).square().sum().backward()
    catalogue[name](b).square().sum().backward()
    torch.testing.assert_close(a.grad, b.grad)


def test_noise_comes_from_the_generator():
    x = -torch.ones(1000, requires_grad=True)
    first, second = (catalogue["rrelu"](x, key=torch.Generator().manual_seed(3)) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert first.std() > 0.04
    (gradient,) = torch.autograd.grad(first.sum(), x)
    torch.testing.assert_close(gradient, -first)
    with pytest.raises(InvalidFunction, match=r"torch\.Generator"):
        catalogue["rrelu"](x, key=3)


def test_own_functions():
    register("mine", lambda x, xp: xp.where(x > 0, x, 0.3 * xp.tanh(x)), source="me")
    register("odd_one", lambda x, xp: xp.cbrt(x), source="me")
    try:
        x = torch.tensor(ORDINARY, requires_grad=True)
        assert gradcheck(catalogue["mine"], (x,))
        assert gradgradcheck(catalogue["mine"], (x,))
        torch.testing.assert_close(catalogue["mine"].derivative(x)[1], torch.ones(6, dtype=torch.float64))
        with pytest.raises(InvalidFunction, match="namespace for PyTorch has no 'cbrt'"):
            catalogue["odd_one"](x)
    finally:
        unregister("mine")
        unregister("odd_one")


def test_numbers_and_lists_beside_tensors():
    result = catalogue["prelu"]([-1.0, 2.0], negative_slope=torch.tensor(0.5))
    assert result.dtype == torch.float64
    assert result.tolist() == [-0.5, 2.0]
    with pytest.raises(InvalidFunction, match="does not broadcast"):
        catalogue["prelu"](torch.ones(2, 3), negative_slope=torch.ones(2))


def test_functions_by_name(monkeypatch):
    import actlab.torch.functional as functional
    from actlab.torch.functional import swish

    x = torch.tensor(ORDINARY)
    torch.testing.assert_close(swish(x), catalogue["silu"](x))
    torch.testing.assert_close(
        functional.leaky_relu(x, negative_slope=0.2), catalogue["leaky_relu"](x, negative_slope=0.2)
    )
    assert pickle.loads(pickle.dumps(functional.mish)) is functional.mish
    assert {"mish", "swish"} <= set(dir(functional))
    with pytest.raises(AttributeError, match="did you mean 'mish'"):
        _ = functional.mishh
    with pytest.raises(InvalidInput, match=r"torch\.Tensor"):
        functional.mish([1.0])
    with pytest.raises(ImportError):
        from actlab.torch.functional import no_such_function  # noqa: F401


def test_without_pytorch(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("actlab.torch")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'pip install "actlab\[torch\]"'):
        import actlab.torch  # noqa: F401
