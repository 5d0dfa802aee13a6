"""The engine for networks in PyTorch: against plain loops over members, and against the engine in JAX."""

from __future__ import annotations

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from tests.engine_support import in_double, small_task
from tests.torch_members import SHAPE, Net, study_of
from torch import nn

import actlab
from actlab import engine
from actlab.engine.torch import program
from actlab.plan.batches import OBSERVE, TRAIN, orders
from actlab.plan.evaluation import prepare
from actlab.plan.population import populations
from actlab.study import complete
from actlab.study.optimisers import SGD, Adam, AdamW, RMSProp

TRUE = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "prelu": lambda: nn.PReLU(8)}


class Normalised(nn.Module):
    """Running statistics, a frozen layer, tied weights."""

    def __init__(self, act):
        super().__init__()
        self.first, self.norm, self.act = nn.Linear(6, 8), nn.BatchNorm1d(8), act("hidden")
        self.frozen, self.last = nn.Linear(8, 8).requires_grad_(False), nn.Linear(8, 3)
        self.tied, self.again = nn.Linear(8, 8), nn.Linear(8, 8)
        self.again.weight = self.tied.weight

    def forward(self, x):
        x = self.act(self.norm(self.first(x)))
        return self.last(self.again(torch.tanh(self.tied(self.frozen(x)))))


@contextlib.contextmanager
def precision(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with jax.enable_x64(dtype == torch.float64):
            yield
    finally:
        torch.set_default_dtype(before)


def built(study, task):
    study = complete(study, task)
    (population,) = populations(study, task.input_shape)
    return study, program.build(study, prepare(study, task), population)


def trained(study, task):
    """The parameters of all members after the last epoch, and the program."""
    study, own = built(study, task)
    kinds = np.array([OBSERVE] + [TRAIN] * study.epochs, np.int32)
    found = own.advance(kinds, orders(study, len(task.x_train), own.seeds, range(study.epochs + 1)))
    return own, found


def loop(study, task, network, activation, seed, rate):
    """What a user would write: one network, one batch after the other."""
    torch.manual_seed(seed)
    net = network(lambda name: TRUE[activation]())
    parameters = [parameter for parameter in net.parameters() if parameter.requires_grad]
    match study.optimiser:
        case SGD(momentum=momentum):
            optimiser = torch.optim.SGD(parameters, rate, momentum=momentum)
        case Adam():
            optimiser = torch.optim.Adam(parameters, rate)
        case _:
            optimiser = torch.optim.AdamW(parameters, rate, weight_decay=study.optimiser.weight_decay)
    x, y = torch.as_tensor(task.x_train, dtype=torch.get_default_dtype()), torch.as_tensor(task.y_train).long()
    order = orders(study, len(x), (seed,), range(1, study.epochs + 1))[..., 0]
    for batch in order.reshape(-1, study.batch):
        chosen = torch.from_numpy(batch[batch >= 0].astype(np.int64))
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x[chosen]), y[chosen]).backward()
        optimiser.step()
    return net.eval()


def compare(own, study, task, network, within, names):
    parameters, samples = own.parameters(), torch.as_tensor(task.x_test, dtype=torch.get_default_dtype())
    for variant, (activation, rate) in enumerate(names):
        for place, seed in enumerate(study.seeds):
            net = loop(study, task, network, activation, seed, rate)
            for name, tensor in net.named_parameters():
                if tensor.requires_grad and not name.startswith("act."):
                    expected = tensor.detach().numpy()
                    expected = expected.T if name.endswith("weight") else expected
                    ours = parameters["network"][name][variant, place]
                    np.testing.assert_allclose(ours, expected, rtol=within, atol=within, err_msg=f"{activation} {name}")
            yield activation, variant, place, net, net(samples).detach().numpy()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "optimiser", [SGD(), SGD(momentum=0.9), Adam(), AdamW(weight_decay=0.1)], ids=["sgd", "momentum", "adam", "adamw"]
)
def test_members_are_those_of_a_loop(dtype, optimiser):
    """Weights and outputs, with a last batch that is smaller, two learning rates, and a trainable function."""
    within = 1e-5 if dtype == torch.float32 else 1e-9
    task = in_double(small_task((37, 10, 12), 3, SHAPE))
    with precision(dtype):
        study = study_of(activations=["prelu", "gelu"], learning_rates=[0.02, 0.05], optimiser=optimiser)
        own, found = trained(study, task)
        names = [(activation, rate) for activation in study.activations for rate in study.learning_rates]
        for activation, variant, place, net, outputs in compare(own, study, task, Net, within, names):
            np.testing.assert_allclose(found.outputs[0, variant, place], outputs, rtol=within, atol=within)
            if activation == "prelu":
                slopes = own.parameters()["hidden"]["prelu"]["negative_slope"][variant, place]
                np.testing.assert_allclose(slopes, net.act.weight.detach().numpy(), rtol=within, atol=within)
    start = found.weights["network"]["first.weight"]
    assert np.abs(start[-1] - start[0]).max() > 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_running_statistics_frozen_layers_and_tied_weights(dtype):
    within = 2e-5 if dtype == torch.float32 else 1e-9
    task = in_double(small_task((37, 10, 12), 3, SHAPE))
    with precision(dtype):
        study = study_of(Normalised, optimiser=SGD(momentum=0.5))
        own, found = trained(study, task)
        names = [(activation, 0.05) for activation in study.activations]
        for _, variant, place, _, outputs in compare(own, study, task, Normalised, within, names):
            np.testing.assert_allclose(found.outputs[0, variant, place], outputs, rtol=within, atol=within)


def test_rmsprop_is_that_of_optax():
    """Against Optax itself, on the gradients that PyTorch's autograd gives for one member."""
    import optax

    task = small_task((16, 8, 8), 3, SHAPE)
    study = study_of(activations="tanh", seeds=[5], batch=16, optimiser=RMSProp(decay=0.8), epochs=4)
    own, _ = trained(study, task)
    torch.manual_seed(5)
    net = Net(lambda name: nn.Tanh())
    x, y = torch.from_numpy(task.x_train), torch.from_numpy(task.y_train).long()
    rule = optax.scale_by_rms(0.8, 1e-8)
    state = rule.init([jnp.asarray(p.detach().numpy()) for p in net.parameters()])
    for _ in range(4):
        net.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        gradients = [jnp.asarray(p.grad.numpy()) for p in net.parameters()]
        updates, state = rule.update(gradients, state)
        with torch.no_grad():
            for parameter, update in zip(net.parameters(), updates, strict=True):
                parameter -= 0.05 * torch.from_numpy(np.array(update))
    for name, tensor in net.named_parameters():
        ours = own.parameters()["network"][name][0, 0]
        np.testing.assert_allclose(ours.T if ours.ndim == 2 else ours, tensor.detach().numpy(), rtol=1e-5, atol=1e-5)


SEEDS = (4, 2)


def in_jax(network, shape):
    """The network Net in JAX, whose `init` gives the arrays that PyTorch draws for a seed."""
    keys = jnp.stack([jax.random.key_data(jax.random.fold_in(jax.random.key(seed), 0)) for seed in SEEDS])
    drawn = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        net = network(lambda name: nn.Identity())
        drawn.append({name: p.detach().numpy().T for name, p in net.named_parameters()})
    table = {name: np.stack([own[name] for own in drawn]) for name in drawn[0]}

    def init(key):
        place = jnp.argmax(jnp.all(jax.random.key_data(key) == keys, axis=1))
        return {name: jnp.asarray(values)[place] for name, values in table.items()}

    def apply(params, x, act, *, training, key):
        x = act(x @ params["first.weight"] + params["first.bias"], name="hidden")
        x = jnp.tanh(x @ params["second.weight"] + params["second.bias"])
        return x @ params["last.weight"] + params["last.bias"]

    return init, apply


def sized(outputs):
    class Sized(Net):
        def __init__(self, act):
            super().__init__(act)
            self.last = nn.Linear(5, outputs)

    return Sized


CASES = {
    "classes": (lambda: small_task((37, 10, 12), 3, SHAPE), 3, {}),
    "binary": (lambda: small_task((37, 10, 12), 2, SHAPE), 1, {"optimiser": "sgd"}),
    "weighted": (lambda: small_task((37, 10, 12), 3, SHAPE), 3, {"class_weights": {"0": 3.0}, "optimiser": "rmsprop"}),
}


@pytest.mark.parametrize(
    ("case", "dtype"), [("classes", torch.float32), ("binary", torch.float64), ("weighted", torch.float64)]
)
def test_both_engines_train_the_same_network_alike(case, dtype, tmp_path):
    """All metrics, all measures, all weights of every epoch, from the same arrays over the same batches."""
    make, outputs, changes = CASES[case]
    within = 2e-5 if dtype == torch.float32 else 1e-9
    task = in_double(make()) if dtype == torch.float64 else make()
    names = ["relu", "prelu", "gelu", "softmax"]
    with precision(dtype):
        both = []
        for name, network in (("torch", sized(outputs)), ("jax", in_jax(sized(outputs), SHAPE))):
            study = study_of(network, activations=names, seeds=SEEDS, learning_rates=[0.01], **changes)
            both.append(engine.train(study, tmp_path / name, task=task))
    ours, theirs = both
    assert (ours.facts["engine"], theirs.facts["engine"]) == ("torch", "jax")
    assert ours.facts["parameters"] == theirs.facts["parameters"]
    assert sorted(ours.weight_layers) == sorted(theirs.weight_layers)
    for name, values in theirs.metrics.items():
        np.testing.assert_allclose(ours.metrics[name], values, rtol=within, atol=within, err_msg=name)
    order = [theirs.weight_layers.index(name) for name in ours.weight_layers]
    single = 1e-5  # Measures are recorded in float32.
    for name, values in theirs.probes.items():
        values = values[:, :, order] if "weight" in name or name == "update_ratio" else values
        if "histogram" in name:
            moved = np.abs(ours.probes[name] - values).sum(axis=-1)
            assert moved.max() <= (4 if dtype == torch.float32 else 0), name
        else:
            np.testing.assert_allclose(ours.probes[name], values, rtol=20 * single, atol=single, err_msg=name)
    for one, other in zip(ours.members, theirs.members, strict=True):
        mine, its = ours.weights(one, 3), theirs.weights(other, 3)
        for layer, arrays in its.items():
            for name, array in arrays.items():
                np.testing.assert_allclose(mine[layer][name], array, rtol=10 * single, atol=single, err_msg=name)
    assert set(ours.probes) == set(theirs.probes)


class Dropped(nn.Module):
    """Noise that nothing but the seed decides; the function is heard of, and has no weight."""

    def __init__(self, act):
        super().__init__()
        self.first, self.act, self.last = nn.Linear(6, 8), act("hidden"), nn.Linear(8, 3)
        self.dropout, self.also = nn.Dropout(0.4), nn.Dropout1d(0.2)

    def forward(self, x):
        x = self.first(x)
        x = self.dropout(torch.tanh(x)) + 0.1 * torch.randn_like(x) * self.training + 0 * self.act(x)
        return self.last(self.also(x[:, None])[:, 0])


def losses(study, task, directory):
    recording = engine.train(study, directory, task=task)
    return {(m.activation, m.seed): recording.metrics["train_loss"][:, m.id] for m in recording.members}


def test_dropout_is_drawn_by_seed_alike_for_every_function_and_population(tmp_path):
    task = small_task((37, 10, 12), 3, SHAPE)
    # The second draws at random itself, at a place before.
    found = losses(study_of(Dropped, activations=["relu", "rrelu"]), task, tmp_path / "two")
    for seed in (3, 1):
        np.testing.assert_array_equal(found["relu", seed], found["rrelu", seed])
    assert not np.allclose(found["relu", 3], found["relu", 1])
    alone = losses(study_of(Dropped, activations="relu", seeds=[1]), task, tmp_path / "one")
    np.testing.assert_allclose(alone["relu", 1], found["relu", 1], rtol=1e-5)


def test_a_function_that_draws_does_so_in_training_alone(tmp_path):
    task = small_task((37, 10, 12), 3, SHAPE)
    found = losses(
        study_of(activations=["rrelu", "leaky_relu(negative_slope=0.22916666666666666)"]), task, tmp_path / "r"
    )
    mean, drawn = found["leaky_relu(negative_slope=0.22916666666666666)", 3], found["rrelu", 3]
    # Before training it is its mean, (1/8 + 1/3)/2.
    np.testing.assert_allclose(mean[0], drawn[0], rtol=1e-5)
    assert not np.allclose(mean[1:], drawn[1:], rtol=1e-4)


def test_slices_over_cores_change_nothing_but_rounding():
    task = small_task((37, 10, 12), 3, SHAPE)
    study = study_of(activations="gelu", seeds=3)
    one, _ = trained(study, task)
    assert one.workers == 1
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        two, _ = trained(study, task)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert (two.workers, [len(group) for group in two.slices]) == (2, [2])
    for name, values in one.parameters()["network"].items():
        np.testing.assert_allclose(two.parameters()["network"][name], values, rtol=1e-5, atol=1e-6)
    first = two.first_parameters()["network"]["first.weight"]
    np.testing.assert_array_equal(first, two.parameters()["network"]["first.weight"][:, :1])


def test_a_member_that_diverges_is_kept_and_said_and_others_go_on(tmp_path):
    task = small_task((37, 10, 12), 3, SHAPE)
    study = study_of(activations=["relu", "tanh"], learning_rates=[0.01, 1e30], stated_rate=0.01, optimiser="sgd")
    recording = engine.train(study, tmp_path / "run", task=task)
    by_rate = {rate: [m for m in recording.members if m.learning_rate == rate] for rate in (0.01, 1e30)}
    assert all(m.diverged_epoch is None for m in by_rate[0.01])
    gone = [m for m in by_rate[1e30] if m.activation == "relu"]
    assert all(m.diverged_epoch >= 1 and "the training loss became" in m.diverged_reason for m in gone)
    assert np.isfinite(recording.metrics["test_loss"][:, [m.id for m in by_rate[0.01]]]).all()
    assert np.isnan(recording.metrics["test_loss"][-1, [m.id for m in gone]]).all()


def test_pythons_and_pytorchs_state_is_as_before(tmp_path):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    engine.train(study_of(epochs=1), tmp_path / "run", task=small_task((20, 8, 8), 3, SHAPE))
    assert torch.equal(torch.rand(3), expected)
    assert actlab.load(tmp_path / "run").facts["engine"] == "torch"
