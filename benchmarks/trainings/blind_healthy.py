"""Healthy trainings that look odd, written without a look at the rules."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from benchmarks.trainings.blind_faulty import stack, with_bias
from benchmarks.trainings.blind_models import (
    ActorCritic,
    Characters,
    Encoder,
    Factors,
    Forecast,
    Net,
    Plain,
    Recomputed,
    Residual1d,
    Signal,
    Tokens,
    init_all,
    shared,
)
from benchmarks.trainings.blind_pieces import (
    Trainer,
    accumulated,
    adam,
    adamw,
    blind_data,
    half_precision,
    loader,
    no_change,
    sgd,
    slices,
    validate,
    whole_batch,
)
from benchmarks.trainings.pieces import Data
from benchmarks.trainings.training import HEALTHY, Build, Train, Training
from torch import nn
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

ce, mse = nn.CrossEntropyLoss(), nn.MSELoss()


def _well(name: str, build: Build, train: Train) -> Training:
    return Training(name, HEALTHY, "blind", build, train)


def third_wrong(data: Data) -> Data:
    generator = torch.Generator().manual_seed(8)
    wrong = torch.rand(len(data.y), generator=generator) < 0.4
    return Data(data.x, torch.where(wrong, torch.randint(0, 5, data.y.shape, generator=generator), data.y))


def frozen(model: Any, name: str) -> Any:
    model.get_submodule(name).requires_grad_(False)
    return model


def followed(model: nn.Module, seed: int) -> float:
    """PyTorch's own averaged model, which is what is validated."""
    part, held_back = blind_data("clusters").part(True), blind_data("clusters").part(False)
    follower = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.95))
    optim, rng = torch.optim.NAdam(model.parameters(), lr=3e-3), np.random.default_rng(seed)
    for _ in range(250):
        own = rng.integers(0, len(part.x), 48)
        optim.zero_grad()
        ce(model(part.x[own]), part.y[own]).backward()
        optim.step()
        follower.update_parameters(model)
    return validate(follower, held_back)


def actor_critic(model: Any, seed: int) -> float:
    """A bandit with context: the loss is near 0 and no measure."""
    generator = torch.Generator().manual_seed(seed)
    optim = torch.optim.Adam(
        [
            {"params": model.trunk.parameters()},
            {"params": model.actor.parameters()},
            {"params": model.critic.parameters(), "lr": 3e-2},
        ],
        lr=1e-2,
    )
    state = torch.zeros(0)
    for _ in range(250):
        state = torch.randn(48, 4, generator=generator)
        logits, value = model(state)
        drawn = torch.distributions.Categorical(logits=logits)
        action = drawn.sample()
        reward = (action == state[:, :3].argmax(dim=1)).float()
        gain = reward - value.squeeze(1)
        loss = (
            -(drawn.log_prob(action) * gain.detach()).mean()
            + 0.5 * gain.square().mean()
            - 0.01 * drawn.entropy().mean()
        )
        optim.zero_grad()
        loss.backward()
        optim.step()
    with torch.no_grad():
        return float((model(state)[0].argmax(dim=1) == state[:, :3].argmax(dim=1)).float().mean())


def two_networks(model: Any, seed: int) -> float:
    """A generator and a critic in one module, with an optimiser each: a shifted normal distribution is learnt."""
    rng = torch.Generator().manual_seed(seed)
    critic = torch.optim.RMSprop(model["critic"].parameters(), lr=2e-3)
    maker = torch.optim.RMSprop(model["maker"].parameters(), lr=1e-3)
    for k in range(500):
        real = 2.0 + 0.5 * torch.randn(64, 1, generator=rng)
        made = model["maker"](torch.randn(64, 3, generator=rng))
        critic.zero_grad()
        (F.relu(1 - model["critic"](real)).mean() + F.relu(1 + model["critic"](made.detach())).mean()).backward()
        critic.step()
        if k % 2:
            maker.zero_grad()
            (-model["critic"](model["maker"](torch.randn(64, 3, generator=rng))).mean()).backward()
            maker.step()
    with torch.no_grad():
        return float(1 - abs(model["maker"](torch.randn(1000, 3, generator=rng)).mean() - 2.0))


def characters(steps: int, rate: float) -> Train:
    """Each character from those before it."""

    def train(model: nn.Module, seed: int) -> float:
        text, rng = blind_data("text"), np.random.default_rng(seed)
        optim = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.95))
        for _ in range(steps):
            x = text.x[rng.integers(0, 900, 16)]
            logits = model(x[:, :-1])
            loss = F.cross_entropy(logits.reshape(-1, logits.size(-1)), x[:, 1:].reshape(-1))
            optim.zero_grad(set_to_none=True)
            loss.backward()
            optim.step()
        model.eval()
        with torch.no_grad():
            x = text.x[900:]
            return float((model(x[:, :-1]).argmax(dim=-1) == x[:, 1:]).float().mean())

    return train


def distilled(model: nn.Module, seed: int) -> float:
    """A teacher without gradients, a smaller student."""
    part, held_back = blind_data("clusters").part(True), blind_data("clusters").part(False)
    teacher = stack((16, 64, 5), nn.ReLU)
    loader("clusters", adam(1e-2), ce, epochs=3)(teacher, 0)
    teacher.eval()
    optim, rng = torch.optim.Adam(model.parameters(), lr=5e-3), np.random.default_rng(seed)
    for _ in range(200):
        x = part.x[rng.integers(0, len(part.x), 64)]
        with torch.no_grad():
            soft = F.softmax(teacher(x) / 3, dim=1)
        loss = 9 * F.kl_div(F.log_softmax(model(x) / 3, dim=1), soft, reduction="batchmean")
        optim.zero_grad()
        loss.backward()
        optim.step()
    return validate(model, held_back)


def triplets(model: nn.Module, seed: int) -> float:
    """A margin between what is alike and what is not; scored by the nearest of those trained on."""
    part, held_back = blind_data("signals").part(True), blind_data("signals").part(False)
    criterion, rng = nn.TripletMarginLoss(margin=0.5), np.random.default_rng(seed)
    optim = torch.optim.Adam(model.parameters(), lr=2e-3)
    of = [np.flatnonzero(part.y.numpy() == k) for k in range(3)]
    for _ in range(200):
        kinds = rng.integers(0, 3, 32)
        anchor, alike = (part.x[[rng.choice(of[k]) for k in kinds]] for _ in range(2))
        other = part.x[[rng.choice(of[(k + rng.integers(1, 3)) % 3]) for k in kinds]]
        optim.zero_grad()
        criterion(model(anchor), model(alike), model(other)).backward()
        optim.step()
    model.eval()
    with torch.no_grad():
        near = torch.cdist(model(held_back.x), model(part.x)).argmin(dim=1)
    return float((part.y[near] == held_back.y).float().mean())


def quantile(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.maximum(0.5 * (y - out), -0.5 * (y - out)).mean()


def hinge(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.multi_margin_loss(out, y)


def probability(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy(out[:, 0], y.float())


clusters = loader("clusters", sgd(0.05, momentum=0.9), ce, epochs=8)
roll = slices("roll", adam(5e-3), mse)
_FUNCTIONS: tuple[Training, ...] = (
    _well("ReLU, most of it 0, functional", lambda: with_bias(Net(16, 5, 64), "fc1", -0.8), clusters),
    _well("CELU, biases below 0", lambda: with_bias(stack((3, 50, 50, 1), nn.CELU), "layer1", -1.0), roll),
    _well("GELU in PyTorch's own encoder", partial(Encoder, 2), slices("majority", adam(2e-3), ce, steps=200, size=32)),
    _well(
        "ReLU in PyTorch's own encoder, norm behind",
        partial(Encoder, 1, False, "relu"),
        slices("majority", adam(3e-3), ce, steps=250, size=32),
    ),
    _well(
        "ReLU6 after six normed convolutions",
        partial(Signal, nn.ReLU6, 6, True, 1),
        loader("signals", sgd(0.05, momentum=0.9), ce, epochs=4),
    ),
    _well(
        "blocks of signals whose scale begins at 0",
        lambda: nn.Sequential(
            nn.Conv1d(1, 12, 5, stride=2), *[Residual1d(12) for _ in range(3)], nn.Flatten(), nn.Linear(168, 3)
        ),
        loader("signals", adam(3e-3), ce, epochs=5),
    ),
    _well(
        "SELU with its own start",
        lambda: init_all(
            stack((4, 40, 40, 40, 1), nn.SELU), partial(nn.init.kaiming_normal_, nonlinearity="linear"), 0.0
        ),
        loader("circuit", adam(2e-3), mse),
    ),
    _well("one module of PReLU everywhere", shared, clusters),
    _well("hard swish in place", lambda: stack((16, 48, 48, 5), partial(nn.Hardswish, inplace=True)), clusters),
    _well("sine functions", partial(Net, 3, 1, 50, torch.sin), roll),
    _well("log-sigmoid gates by hand", partial(Net, 16, 5, 40, lambda x: x * torch.sigmoid(1.7 * x)), clusters),
    _well(
        "a softplus rate of counts",
        lambda: stack((5, 40, 1), nn.Tanh, nn.Softplus()),
        slices("counts", adam(1e-2), partial(F.poisson_nll_loss, log_input=False)),
    ),
    _well(
        "rectified counts",
        lambda: with_bias(stack((5, 40, 40, 1), nn.ReLU, nn.ReLU()), "layer2", 1.0),
        slices("counts", adam(3e-3), mse),
    ),
)


_LOSSES: tuple[Training, ...] = (
    _well(
        "log-softmax and its loss",
        lambda: stack((16, 40, 5), nn.ELU, nn.LogSoftmax(dim=1)),
        loader("clusters", adam(3e-3), nn.NLLLoss(), epochs=8),
    ),
    _well(
        "a sigmoid and its loss",
        lambda: stack((8, 32, 1), nn.ReLU, nn.Sigmoid()),
        loader("rare", adam(1e-2), probability, epochs=8, decide=lambda out: (out[:, 0] > 0.15).long()),
    ),
    _well(
        "volts and ohms as targets",
        partial(stack, (4, 40, 40, 1), nn.ReLU),
        slices("raw output", adam(3e-2), mse, steps=500),
    ),
    _well(
        "millions as targets",
        partial(stack, (4, 32, 1), nn.GELU),
        slices("raw output", adam(3.0), mse, steps=600, change_both=lambda data: Data(data.x, 100 * data.y)),
    ),
    _well("quantiles", partial(stack, (4, 40, 40, 1), nn.LeakyReLU), Trainer("circuit", adam(3e-3), quantile)),
    _well("margins", partial(stack, (16, 40, 5), nn.Softsign), Trainer("clusters", sgd(0.1, momentum=0.9), hinge)),
    _well("three labels of ten are wrong", partial(Net, 16, 5), slices("clusters", adam(2e-3), ce, change=third_wrong)),
    _well("one in fourteen, learnt", partial(stack, (8, 40, 2), nn.SiLU), loader("rare", adam(1e-2), ce, epochs=10)),
    _well("triplets", partial(Signal, nn.ReLU), triplets),
    _well("a student", partial(stack, (16, 24, 5), nn.ReLU), distilled),
    _well("an actor and a critic", ActorCritic, actor_critic),
    _well(
        "two networks against each other",
        lambda: nn.ModuleDict(
            {"maker": stack((3, 24, 1), nn.ReLU), "critic": stack((1, 24, 1), partial(nn.LeakyReLU, 0.2))}
        ),
        two_networks,
    ),
)


warm = lambda opt: lr_scheduler.LambdaLR(opt, lambda k: min(1.0, (k + 1) / 120) ** 3)  # noqa: E731
cosine = lambda opt: lr_scheduler.CosineAnnealingLR(opt, 300)  # noqa: E731
_LOOPS: tuple[Training, ...] = (
    _well(
        "a cubic warm-up",
        partial(Plain, 2, True),
        slices("majority", adam(3e-3), ce, steps=260, size=32, scheduler=warm),
    ),
    _well(
        "cosine down to 0",
        partial(stack, (3, 50, 50, 1), nn.SiLU),
        slices("roll", sgd(0.1, momentum=0.9), mse, scheduler=cosine),
    ),
    _well(
        "all parameters given, embedding frozen",
        lambda: frozen(Tokens(3, 3), "emb"),
        slices("majority", adam(5e-3), ce, steps=200),
    ),
    _well(
        "sparse tables of factors",
        partial(Factors, 6, True),
        slices("ratings", lambda p: torch.optim.SparseAdam(list(p), lr=5e-2), mse, steps=400),
    ),
    _well("factors, and no function", Factors, slices("ratings", adam(3e-2), mse, steps=400, size=100)),
    _well("a linear model", lambda: nn.Linear(16, 5), loader("clusters", sgd(0.1), ce, epochs=8)),
    _well(
        "layers of low rank",
        lambda: nn.Sequential(
            nn.Linear(16, 6, bias=False), nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 5, bias=False), nn.Linear(5, 5)
        ),
        loader("clusters", adam(3e-3), ce, epochs=8),
    ),
    _well(
        "batches of four", partial(Net, 4, 3, 24, torch.tanh), loader("iris", sgd(0.02), ce, epochs=12, batch_size=4)
    ),
    _well(
        "a GRU's next value",
        partial(Forecast, nn.GRU),
        loader("series", adam(5e-3), mse, epochs=6, scheduler=lambda opt: lr_scheduler.ExponentialLR(opt, 0.8)),
    ),
    _well("an LSTM both ways", partial(Tokens, 3, 3), slices("majority", adam(5e-3), ce, steps=200)),
    _well(
        "dropout of a half, twice",
        lambda: nn.Sequential(
            nn.Linear(16, 64),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(64, 64),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(64, 5),
        ),
        loader("clusters", adam(2e-3), ce),
    ),
    _well(
        "parts of a batch in bfloat16",
        partial(stack, (16, 40, 40, 5), nn.GELU),
        accumulated("clusters", adamw(3e-3, weight_decay=0.05), ce, 4, 120, clip=1.0),
    ),
    _well(
        "float16 with a scaler",
        partial(stack, (4, 48, 48, 1), nn.SiLU),
        half_precision("circuit", 2e-3, 1e-3, scale=True),
    ),
    _well("an average by PyTorch", partial(Net, 16, 5, 40, F.mish), followed),
    _well("computed again in segments", Recomputed, loader("clusters", adam(2e-3), ce, epochs=6)),
    _well(
        "not far yet, a hundred steps of SGD",
        partial(stack, (16, 40, 5), nn.ReLU),
        slices("clusters", sgd(2e-2), ce, steps=100, change_both=no_change),
    ),
    _well("characters, slowly", lambda: Characters(int(blind_data("text").x.max()) + 1), characters(200, 3e-4)),
    _well("characters", lambda: Characters(int(blind_data("text").x.max()) + 1), characters(250, 3e-3)),
    _well(
        "all samples at once, resilient",
        partial(stack, (4, 16, 3), nn.Tanh),
        whole_batch("iris", lambda p: torch.optim.Rprop(p, lr=1e-2), ce, 100),
    ),
    _well(
        "all samples at once, slowly", partial(stack, (4, 16, 3), nn.Sigmoid), whole_batch("iris", sgd(0.5), ce, 400)
    ),
    _well(
        "weight norm",
        lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(16, 40)), nn.ReLU(), nn.Linear(40, 5)),
        Trainer("clusters", adam(5e-3), ce),
    ),
)


BLIND_HEALTHY: tuple[Training, ...] = (*_FUNCTIONS, *_LOSSES, *_LOOPS)
