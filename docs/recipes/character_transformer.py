"""A small Transformer in PyTorch that reads a made-up language letter by letter, gated feed-forwards among the others.

    .venv/bin/python docs/recipes/character_transformer.py [DIRECTORY] [--small]

All networks have the same number of parameters: behind gated units, as swiglu, the hidden layer is 2/3 as wide.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

import actlab.torch

FUNCTIONS = ("relu", "gelu", "silu", "reglu", "geglu", "swiglu")
WIDTH, CONTEXT, BLOCKS, HEADS = 48, 48, 2, 4
NOUNS = ("cat", "dog", "bird", "child", "judge", "farmer")
VERBS = ("see", "like", "chase", "hear", "follow")
ADJECTIVES = ("old", "small", "red", "quiet")


def sentence(draw: random.Random) -> str:
    """A sentence of a grammar in which verbs agree with nouns that may stand far from them."""

    def noun(depth: int) -> tuple[str, bool]:
        many = draw.random() < 0.5
        words = ["the", *([draw.choice(ADJECTIVES)] if draw.random() < 0.4 else []), draw.choice(NOUNS) + "s" * many]
        if depth and draw.random() < 0.35:
            inner, inner_many = noun(depth - 1)
            words += ["that", inner, draw.choice(VERBS) + "s" * (not inner_many)]
        return " ".join(words), many

    subject, many = noun(2)
    return f"{subject} {draw.choice(VERBS)}{'s' * (not many)} {noun(1)[0]}."


def text(part: str, sentences: int) -> torch.Tensor:
    """Letters of many sentences as numbers; no part has another one's draws."""
    draw = random.Random(f"sentences of {part}")
    letters = " ".join(sentence(draw) for _ in range(sentences))
    return torch.tensor([ALPHABET.index(letter) for letter in letters])


ALPHABET = "".join(sorted({*"the that . s", *"".join((*NOUNS, *VERBS, *ADJECTIVES))}))
SENTENCES = {"train": 3000, "validation": 200, "test": 200}


class Block(nn.Module):
    """Attention to what came before, then a feed-forward layer with the function; a residual path around each."""

    def __init__(self, act: Any) -> None:
        super().__init__()
        self.before_attention, self.before_hidden = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.queries, self.mixed = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        per_unit = int(act.inputs_per_unit)
        # A gated unit takes two numbers: three matrices of 2/3 of the width instead of two.
        units = 4 * WIDTH if per_unit == 1 else 8 * WIDTH // 3
        self.hidden = nn.Sequential(
            nn.Linear(WIDTH, per_unit * units, bias=False), act(), nn.Linear(units, WIDTH, bias=False)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What it makes of its input, (batch, letters, width)."""
        batch, length, _ = x.shape
        parts = self.queries(self.before_attention(x)).reshape(batch, length, 3, HEADS, WIDTH // HEADS)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        x = x + self.mixed(attended.transpose(1, 2).reshape(batch, length, WIDTH))
        return x + self.hidden(self.before_hidden(x))


class Transformer(nn.Module):
    """What comes next after each letter."""

    def __init__(self, act: Any) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(len(ALPHABET), WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block(act) for _ in range(BLOCKS)))
        self.out = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, len(ALPHABET)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of the letter after each, (batch, letters, alphabet)."""
        return self.out(self.blocks(self.letters(x) + self.places(torch.arange(x.shape[1]))))


def loss_of(model: nn.Module, rows: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of every next letter, in nats, of rows of CONTEXT + 1 letters."""
    return functional.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())


def measured(model: nn.Module, part: str) -> dict[str, float]:
    """Loss and perplexity on a part of the text, cut into rows."""
    letters = text(part, SENTENCES[part])
    rows = letters[: len(letters) // (CONTEXT + 1) * (CONTEXT + 1)].reshape(-1, CONTEXT + 1)
    with torch.no_grad():
        loss = loss_of(model, rows)
    return {f"{part}_loss": loss.item(), f"{part}_perplexity": loss.exp().item()}


def train(model: nn.Module, seed: int, watch: Any, epochs: int = 5, steps: int = 40) -> None:
    """AdamW with a rate that warms up and falls; an epoch is a number of steps."""
    letters = text("train", SENTENCES["train"])
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=epochs * steps, pct_start=0.1)
    for _ in range(epochs):
        total = 0.0
        for _ in range(steps):
            starts = torch.randint(len(letters) - CONTEXT - 1, (32, 1))
            loss = loss_of(model, letters[starts + torch.arange(CONTEXT + 1)])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item()
        watch.epoch(train_loss=total / steps, **measured(model, "validation"), **measured(model, "test"))


def train_briefly(model: nn.Module, seed: int, watch: Any) -> None:
    """A few steps, to see that it runs."""
    train(model, seed, watch, epochs=1, steps=5)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("directory", nargs="?", type=Path, default=Path("runs/character_transformer"))
    asked.add_argument("--small", action="store_true", help="a plain and a gated function, two seeds, a few steps")
    given = asked.parse_args()
    loop, functions, seeds = (train_briefly, ("relu", "swiglu"), 2) if given.small else (train, FUNCTIONS, 6)
    recording = actlab.torch.compare(Transformer, loop, functions, seeds, given.directory)
    print(recording.summary["headline"])
