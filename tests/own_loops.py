"""Models and loops as users have them: the comparison of functions is tested with these, in other processes too."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

RATE, EPOCHS = 0.05, 3
# The seed of each call of `train` in this process.
CALLS: list[int] = []


def rings(samples: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points within and around a circle."""
    drawn = torch.randn(samples, 2, generator=torch.Generator().manual_seed(seed))
    return drawn, (drawn.norm(dim=1) > 1.2).long()


PARTS = {"train": rings(64, 1), "validation": rings(40, 2), "test": rings(40, 3)}


def build(act):
    return nn.Sequential(nn.Linear(2, 8), act("first"), nn.Linear(8, 8), act("second"), nn.Linear(8, 2))


def build_plain():
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2), nn.Dropout(0.1))


def measured(model, part):
    x, y = PARTS[part]
    with torch.no_grad():
        outputs = model(x)
    right = (outputs.argmax(1) == y).float().mean()
    return {f"{part}_loss": functional.cross_entropy(outputs, y).item(), f"{part}_accuracy": right.item()}


def epoch(model, optimiser):
    x, y = PARTS["train"]
    losses = []
    for rows in torch.randperm(len(x)).split(16):
        optimiser.zero_grad()
        loss = functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def train(model, seed, watch):
    CALLS.append(seed)
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    for _ in range(EPOCHS):
        loss = epoch(model, optimiser)
        watch.epoch(train_loss=loss, **measured(model, "validation"), **measured(model, "test"))


def train_longer(model, seed, watch):
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(25):
        loss = epoch(model, optimiser)
        watch.epoch(train_loss=loss, **measured(model, "validation"), **measured(model, "test"))


def train_with_schedule(model, seed, watch, rate=0.01):
    optimiser = torch.optim.SGD(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 1, 0.5)
    for _ in range(EPOCHS):
        loss = epoch(model, optimiser)
        schedule.step()
        watch.epoch(train_loss=loss, **measured(model, "validation"), **measured(model, "test"))


def train_raising(model, seed, watch):
    """As `train`, but with tanh and seed 1 it ends with an error after the first epoch, with seed 2 in NaN."""
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    tanh = "tanh" in str(model)
    for number in range(EPOCHS):
        loss = epoch(model, optimiser)
        if tanh and seed == 1 and number == 1:
            raise ValueError("the data   are\ngone")
        if tanh and seed == 2 and number == 1:
            loss = float("nan")
        watch.epoch(train_loss=loss, **measured(model, "validation"), **measured(model, "test"))


def train_always_raising(model, seed, watch):
    raise RuntimeError("no such file")


def train_for_a_score(model, seed):
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    for _ in range(EPOCHS):
        epoch(model, optimiser)
    return measured(model, "test")["test_accuracy"]


def train_until_good(model, seed, watch):
    """With seed 1 it ends after one epoch, of three; it tells of validation data alone, and first of no training."""
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    watch.epoch(**measured(model, "validation"))
    for _ in range(1 if seed == 1 else EPOCHS):
        epoch(model, optimiser)
        watch.epoch(**measured(model, "validation"))
    return {"validation_bleu": 10.0 + seed}


def build_drawing(act):
    """A model whose weights depend on the function."""
    torch.randn(len(act.name))
    return build(act)


def build_gated(act):
    """A feed-forward block that a gated unit fits into."""
    return nn.Sequential(nn.Linear(2, int(8 * act.inputs_per_unit)), act(), nn.Linear(8, 2))


def build_dead(act):
    """A model whose rectifiers never fire, and whose tanhs do well."""
    model = nn.Sequential(nn.Linear(2, 8), act(), nn.Linear(8, 2))
    if act.name == "relu":
        model[0].bias.data -= 30.0
    return model


def train_raising_with_one_part(model, seed, watch):
    """As `train_raising`, but it tells nothing of test data."""

    class Without:
        @staticmethod
        def epoch(**metrics):
            watch.epoch(**{name: value for name, value in metrics.items() if not name.startswith("test")})

    train_raising(model, seed, Without)
