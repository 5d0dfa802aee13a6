"""Which modules `swap` takes for activation functions, which it leaves, and where it refuses."""

import math
import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from actlab.errors import InvalidFunction
from actlab.torch import Activation, functional, swap

# ---- modules as other libraries and users write them: no type that anybody knows


class GELUActivation(nn.Module):
    """As Transformers writes them: the function is an attribute."""

    def __init__(self):
        super().__init__()
        self.act = nn.functional.gelu

    def forward(self, input):
        return self.act(input)


class NewGELUActivation(nn.Module):
    def forward(self, input):
        return 0.5 * input * (1 + torch.tanh(math.sqrt(2 / math.pi) * (input + 0.044715 * torch.pow(input, 3.0))))


class QuickGELU(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class ClippedGELU(nn.Module):
    def __init__(self, low=-10.0, high=10.0):
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x):
        return torch.clip(F.gelu(x), self.low, self.high)


class Swish(nn.Module):
    """As timm writes them, with `inplace`."""

    def __init__(self, inplace=True):
        super().__init__()
        self.inplace = inplace

    def forward(self, x):
        return x.mul_(x.sigmoid()) if self.inplace else x * x.sigmoid()


class HardSwishOfParts(nn.Module):
    """Made of an activation module: the whole is the function, not the part."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU6(inplace=True)

    def forward(self, x):
        return x * self.relu(x + 3) / 6


class SlopePerChannel(nn.Module):
    def __init__(self, channels=3, shape=(1, 3, 1, 1)):
        super().__init__()
        self.slope = nn.Parameter(torch.full(shape, 0.1))

    def forward(self, x):
        return torch.where(x > 0, x, self.slope * x)


class WithBuffers(nn.Module):
    """As xIELU: learnt numbers in half precision, and fixed ones as buffers."""

    def __init__(self):
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor([0.8], dtype=torch.bfloat16))
        self.register_buffer("beta", torch.tensor(0.5, dtype=torch.bfloat16))

    def forward(self, x):
        return torch.where(x > 0, self.alpha * x * x + self.beta * x, self.alpha * torch.expm1(x) + self.beta * x)


KNOWN = {
    GELUActivation: "gelu",
    NewGELUActivation: "gelu_tanh",
    QuickGELU: "quick_gelu",
    ClippedGELU: "clipped_gelu",
    Swish: "silu",
    HardSwishOfParts: "hard_swish",
}


@pytest.mark.parametrize("kind", [*KNOWN, SlopePerChannel, WithBuffers])
def test_a_module_of_an_unknown_type_is_recognised_by_what_it_does(kind):
    model = nn.Sequential(nn.Linear(3, 3), kind(), nn.Linear(3, 3))
    swapped = swap(model, "mish")
    assert list(swapped.changes) == ["1"]
    assert swapped.left == {}
    x = torch.randn(4, 3)
    torch.testing.assert_close(model(x), model[2](F.mish(model[0](x))))
    said = f"({KNOWN[kind]}) → Activation('mish')" if kind in KNOWN else ") → Activation('mish')"
    assert said in repr(swapped)
    swapped.undo()
    assert isinstance(model[1], kind)


def test_slopes_may_be_shaped_as_users_shape_them():
    for shape in [(1,), (3,), (3, 1, 1), (1, 3, 1, 1), (1, 1, 3)]:
        swapped = swap(nn.Sequential(nn.Linear(3, 3), SlopePerChannel(shape=shape)), "relu")
        assert list(swapped.changes) == ["1"]


# ---- modules that are none


class RMSNorm(nn.Module):
    def __init__(self, units=6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(units))

    def forward(self, x):
        return self.weight * x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6)


class LayerScale(nn.Module):
    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((6,), 1e-5))

    def forward(self, x):
        return self.gamma * x


class DropPath(nn.Module):
    def forward(self, x):
        return x * torch.bernoulli(torch.full((len(x), 1), 0.9)) if self.training else x


class Noise(nn.Module):
    def forward(self, x):
        return F.relu(x + torch.randn_like(x))


class Cumulative(nn.Module):
    def forward(self, x):
        return F.relu(torch.cumsum(x, 0))


class OfAllUnits(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x.mean(-1, keepdim=True))


class Halves(nn.Module):
    def forward(self, x):
        return x[..., ::2] * torch.sigmoid(x[..., 1::2])


class Logarithm(nn.Module):
    def forward(self, x):
        return torch.log(x)


class TwoInputs(nn.Module):
    def forward(self, x, gate):
        return x * torch.sigmoid(gate)


class Several(nn.Module):
    def forward(self, x):
        return F.relu(x), x


class Exploding(nn.Module):
    def forward(self, x):
        raise RuntimeError("only ever called with my own data")


class Mixed(nn.Module):
    """Weights in a matrix, so that what it does is no matter."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(6))

    def forward(self, x):
        return F.relu(x)


class Block(nn.Module):
    """An activation and what is none: the activation alone is replaced."""

    def __init__(self):
        super().__init__()
        self.act, self.drop = QuickGELU(), nn.Dropout()

    def forward(self, x):
        return self.drop(self.act(x))


class HandsOn(nn.Module):
    """It does what the module in it does, which is replaced there."""

    def __init__(self):
        super().__init__()
        self.inner = QuickGELU()

    def forward(self, x):
        return self.inner(x)


NONE = [
    *(RMSNorm, LayerScale, DropPath, Noise, Cumulative, OfAllUnits, Halves, Logarithm, TwoInputs, Several, Exploding),
    *(Mixed, nn.Identity, nn.Dropout, nn.Flatten, lambda: nn.LayerNorm(6), lambda: nn.MaxPool1d(3, 1, 1)),
]


@pytest.mark.parametrize("make", NONE)
def test_what_is_no_activation_stays(make):
    model = nn.Sequential(nn.Linear(6, 6), make(), nn.ReLU())
    before = model[1]
    swapped = swap(model, "mish")
    assert list(swapped.changes) == ["2"]
    assert swapped.left == {}
    assert model[1] is before


def test_it_looks_into_modules_that_do_more_than_the_function_in_them():
    model = nn.Sequential(nn.Linear(6, 6), Block(), nn.Sequential(QuickGELU(), nn.Sequential(nn.ReLU())), HandsOn())
    assert list(swap(model, "mish").changes) == ["1.act", "2.0", "2.1.0", "3.inner"]


def test_looking_leaves_no_trace():
    class Watching(nn.Module):
        def __init__(self):
            super().__init__()
            self.seen, self.calls = [], 0
            self.register_buffer("count", torch.zeros(1))

        def forward(self, x):
            self.seen.append(x)
            self.calls += 1
            self.count += 1
            return F.relu(x) if self.training else F.relu(x) + torch.rand_like(x)

    watching, gelu, called = Watching(), GELUActivation(), []
    for module in (watching, gelu):
        module.register_forward_hook(lambda *_: called.append(1))
        module.register_forward_pre_hook(lambda *_: called.append(1))
    model = nn.Sequential(nn.Linear(2, 2), watching, gelu, nn.Linear(2, 2))
    state = torch.random.get_rng_state()
    assert list(swap(model, "mish").changes) == ["2"]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (watching.seen, watching.calls, float(watching.count), called) == ([], 0, 0.0, [])
    assert watching.training
    assert gelu.training


def test_modules_without_numbers_and_in_half_precision_are_looked_at_too():
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(2, 2), GELUActivation())
    assert list(swap(model, "mish").changes) == ["1"]
    assert list(swap(nn.Sequential(nn.Linear(2, 2), SlopePerChannel()).half(), "mish").changes) == ["1"]


# ---- what is left alone, and listed


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense, self.intermediate_act_fn, self.out = nn.Linear(4, 8), GELUActivation(), nn.Linear(8, 4)

    def forward(self, x):
        return x + self.out(self.intermediate_act_fn(self.dense(x)))


class Pooler(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense, self.activation = nn.Linear(4, 4), nn.Tanh()

    def forward(self, x):
        return self.activation(self.dense(x))


class LikeBert(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.pooler = nn.ModuleList([FeedForward(), FeedForward()]), Pooler()

    def forward(self, x):
        for layer in self.layer:
            x = layer(x)
        return self.pooler(x)


def test_the_feed_forward_blocks_of_a_transformer_and_not_its_pooler():
    model = LikeBert()
    before = dict(model.named_modules())
    swapped = swap(model, "mish")
    assert list(swapped.changes) == ["layer.0.intermediate_act_fn", "layer.1.intermediate_act_fn"]
    assert dict(swapped.left) == {"pooler.activation": "Tanh(), the output: it comes last, and stays within ±1"}
    assert repr(swapped) == (
        "<swapped 2 in LikeBert:\n"
        "  layer.0.intermediate_act_fn: GELUActivation() (gelu) → Activation('mish')\n"
        "  layer.1.intermediate_act_fn: GELUActivation() (gelu) → Activation('mish')\n"
        "left 1 as they are:\n"
        "  pooler.activation: Tanh(), the output: it comes last, and stays within ±1>"
    )
    swapped.undo()
    assert before == dict(model.named_modules())


@pytest.mark.parametrize(
    "output",
    [
        *(nn.Softmax(-1), nn.LogSoftmax(-1), nn.Softmin(-1), nn.Softmax2d(), Activation("softmax")),
        *(nn.Sigmoid(), nn.Hardsigmoid(), nn.Tanh(), nn.Hardtanh(), Activation("sigmoid"), Activation("tanh")),
    ],
    ids=str,
)
def test_outputs_are_left_unless_they_are_named(output):
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2), output)
    swapped = swap(model, "mish")
    assert list(swapped.changes) == ["1"]
    assert list(swapped.left) == ["3"]
    assert model[3] is output
    assert list(swap(model, "mish", where="3").changes) == ["3"]


@pytest.mark.parametrize("last", [nn.ReLU(), nn.GELU(), nn.Softplus(), nn.ReLU6()], ids=str)
def test_a_last_function_that_is_no_output_is_replaced(last):
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 2), last)
    assert list(swap(model, "mish").changes) == ["1", "3"]


def test_outputs_are_told_from_what_is_only_made_last():
    class Between(nn.Module):
        def __init__(self, layers):
            super().__init__()
            self.layers = layers
            self.act = nn.Tanh()

        def forward(self, x):
            for layer in self.layers:
                x = self.act(layer(x))
            return x

    class Separate(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.sigmoid = nn.Linear(2, 2), nn.Linear(2, 2), nn.Sigmoid()

        def forward(self, x):
            return self.second(self.sigmoid(self.first(x)))

    two = [nn.Linear(2, 2), nn.Linear(2, 2)]
    for model, name in [
        (Between(nn.ModuleList(two)), "act"),
        (Between(nn.Sequential(*two)), "act"),
        (Separate(), "sigmoid"),
    ]:
        assert list(swap(model, "mish").changes) == [name]
    shared = nn.Sigmoid()
    model = nn.Sequential(nn.Linear(2, 2), shared, nn.Linear(2, 2), shared, nn.Flatten(), nn.Dropout())
    swapped = swap(model, "mish")
    assert (list(swapped.changes), list(swapped.left)) == (["1"], ["3"])


def test_gates_are_left():
    class SqueezeExcite(nn.Module):
        def __init__(self, gate):
            super().__init__()
            self.reduce, self.act, self.expand, self.gate = nn.Conv2d(4, 2, 1), nn.ReLU(), nn.Conv2d(2, 4, 1), gate

    model = nn.Sequential(
        SqueezeExcite(nn.Sigmoid()), SqueezeExcite(nn.Hardsigmoid()), SqueezeExcite(nn.SiLU()), nn.Linear(2, 2)
    )
    swapped = swap(model, "mish")
    assert list(swapped.changes) == ["0.act", "1.act", "2.act", "2.gate"]
    assert dict(swapped.left) == {
        "0.gate": "Sigmoid(), a gate: it is called so, and stays between 0 and 1",
        "1.gate": "Hardsigmoid(), a gate: it is called so, and stays between 0 and 1",
    }


def test_what_rounds_is_left():
    class Quantiser(nn.Module):
        def __init__(self):
            super().__init__()
            self.step = nn.Parameter(torch.tensor(0.25))

        def forward(self, x):
            return torch.round(x / self.step) * self.step

    swapped = swap(nn.Sequential(nn.Linear(2, 2), Quantiser(), nn.ReLU()), "mish")
    assert list(swapped.changes) == ["2"]
    assert dict(swapped.left) == {"1": "Quantiser(), which is constant in pieces, as what rounds or counts"}


def test_functions_that_are_no_modules_are_listed():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.activation_fn, self.squash, self.add = F.gelu, torch.tanh, torch.add
            self.block = nn.TransformerEncoderLayer(4, 2, 4)
            self.memory, self.simple = nn.LSTM(4, 4), nn.RNN(4, 4, nonlinearity="relu")
            self.act = nn.ReLU()

    swapped = swap(Net(), "mish")
    assert list(swapped.changes) == ["act"]
    by_hand = "a function and no module: set it by hand"
    assert dict(swapped.left) == {
        "activation_fn": f"gelu, {by_hand}",
        "squash": f"tanh, {by_hand}",
        "block.activation": f"relu, {by_hand}, and activation_relu_or_gelu beside it to 0, or eval() goes on with relu",
        "memory": "LSTM(4, 4), which computes its tanh and sigmoid itself",
        "simple": "RNN(4, 4), which computes its relu itself",
    }


def test_nothing_to_swap_says_what_was_left():
    model = nn.Sequential(nn.Linear(2, 2), nn.Softmax(-1))
    with pytest.raises(
        InvalidFunction, match=r"nothing to swap .* is left as it is \(1: Softmax\(dim=-1\), which .*where="
    ):
        swap(model)


@pytest.mark.parametrize(
    "model", [GELUActivation(), HardSwishOfParts(), Activation("mish"), nn.ReLU(), nn.Softmax(-1)], ids=str
)
def test_a_model_that_is_nothing_else(model):
    with pytest.raises(InvalidFunction, match=r"swap takes a torch.nn.Module .* it was given 3"):
        swap(3, to="gelu")
    with pytest.raises(InvalidFunction, match="is itself the module to replace"):
        swap(model)


def test_a_model_without_weights_is_looked_into():
    assert list(swap(HandsOn()).changes) == ["inner"]


# ---- where eval() goes on with the old function


def encoder(activation, batch_first=True):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation=activation, batch_first=batch_first)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()


def by_hand(model, x, act):
    """The layers' own formula (Vaswani and others, 2017, with the norms last), by other functions of PyTorch."""
    for layer in model.layers:
        attention, _ = layer.self_attn(x, x, x, need_weights=True)
        x = layer.norm1(x + attention)
        x = layer.norm2(x + layer.linear2(act(layer.linear1(x))))
    return x


@pytest.mark.parametrize(("old", "name"), [(nn.ReLU(), "ReLU"), (nn.GELU(), "GELU")])
def test_an_encoder_layer_that_would_go_on_in_evaluation_is_refused(old, name):
    x = torch.randn(3, 5, 8)
    with torch.no_grad():
        silently = encoder(old)
        expected = silently(x)
        for layer in silently.layers:
            layer.activation = Activation("sine")
        # Why it is refused: this is what PyTorch does.
        torch.testing.assert_close(silently(x), expected)
        model = encoder(old)
        before = dict(model.named_modules(remove_duplicate=False))
        for where in (None, type(old), "*.activation"):
            with pytest.raises(
                InvalidFunction, match=rf"^layers\.0\.activation is not replaced.* computing {name} by"
            ) as said:
                swap(model, "sine", where=where)
        assert before == dict(model.named_modules(remove_duplicate=False))
        setting = re.search(r"Set (\w+) = (\d)", str(said.value))
        assert setting is not None
        for layer in model.layers:
            setattr(layer, setting[1], int(setting[2]))
        swap(model, "sine")
        torch.testing.assert_close(model(x), by_hand(model, x, torch.sin))
        padding = torch.zeros(3, 5, dtype=torch.bool)
        padding[0, 3:] = True
        inner = model(x, src_key_padding_mask=padding)
    outer = model(x, src_key_padding_mask=padding)  # With gradients no fused path is taken.
    torch.testing.assert_close(inner, outer.detach())


def test_encoder_layers_that_compute_what_they_hold_are_swapped():
    x = torch.randn(5, 3, 8)
    for model in (encoder(nn.ReLU(), batch_first=False), encoder(nn.Mish())):
        swap(model, "sine")
        with torch.no_grad():
            torch.testing.assert_close(model(x), by_hand(model, x, functional.sine))
