"""Models of the trainings that were written without a look at the rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint_sequential


def init_all(model: nn.Module, weight: Callable[[torch.Tensor], Any], bias: float | None = None) -> nn.Module:
    """Own initial weights of every layer, as `model.apply(init)` gives them."""

    def init(module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Conv1d)):
            weight(module.weight)
            if bias is not None and module.bias is not None:
                nn.init.constant_(module.bias, bias)

    return model.apply(init)


class Net(nn.Module):
    """Three layers with functional activations."""

    def __init__(self, inputs: int, outputs: int, width: int = 40, function: Any = F.relu, end: Any = None) -> None:
        super().__init__()
        self.fc1 = nn.Linear(inputs, width)
        self.fc2 = nn.Linear(width, width)
        self.out = nn.Linear(width, outputs)
        self.function, self.end = function, end

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.function(self.fc1(x))
        x = self.function(self.fc2(x))
        x = self.out(x)
        return x if self.end is None else self.end(x)


class Signal(nn.Module):
    """Convolutions over one channel of 32 values."""

    def __init__(self, function: Callable[[], nn.Module], depth: int = 2, norm: bool = False, stride: int = 2) -> None:
        super().__init__()
        self.features = nn.Sequential()
        for k in range(depth):
            self.features.add_module(f"conv{k}", nn.Conv1d(1 if k == 0 else 12, 12, 5, stride=stride, padding=2))
            if norm:
                self.features.add_module(f"norm{k}", nn.BatchNorm1d(12))
            self.features.add_module(f"act{k}", function())
        self.classifier = nn.LazyLinear(3)
        self.classifier(self.features.eval()(torch.zeros(1, 1, 32)).flatten(1))
        self.train()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).flatten(1))


class Plain(nn.Module):
    """Attention blocks one behind the other; with shortcuts and norms, or without."""

    def __init__(self, depth: int, residual: bool) -> None:
        super().__init__()
        self.tokens, self.residual = nn.Embedding(3, 24), residual
        self.attention = nn.ModuleList(nn.MultiheadAttention(24, 2, batch_first=True) for _ in range(depth))
        self.feed = nn.ModuleList(nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 24)) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(24) for _ in range(depth))
        self.head = nn.Linear(24, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.tokens(x)
        for attention, feed, norm in zip(self.attention, self.feed, self.norms, strict=True):
            if self.residual:
                n = norm(h)
                h = h + attention(n, n, n, need_weights=False)[0]
                h = h + feed(h)
            else:
                h = feed(attention(h, h, h, need_weights=False)[0])
        return self.head(h.mean(dim=1))


class Encoder(nn.Module):
    """PyTorch's own encoder."""

    def __init__(self, layers: int, norm_first: bool = True, activation: str = "gelu") -> None:
        super().__init__()
        self.embed = nn.Embedding(3, 24)
        layer = nn.TransformerEncoderLayer(24, 2, 48, 0.1, activation, batch_first=True, norm_first=norm_first)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.fc = nn.Linear(24, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.encoder(self.embed(x)).mean(dim=1))


class Forecast(nn.Module):
    """A recurrent layer over a series, and the next value."""

    def __init__(self, kind: type[nn.Module], width: int = 24, between: Any = None, end: Any = None) -> None:
        super().__init__()
        self.rnn, self.between, self.end = kind(1, width, batch_first=True), between, end
        self.linear = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.rnn(x)[0][:, -1, :]
        h = self.linear(h if self.between is None else self.between(h))
        return h if self.end is None else self.end(h)


class Tokens(nn.Module):
    """Tokens through an LSTM to classes."""

    def __init__(self, tokens: int, classes: int, width: int = 24, end: Any = None) -> None:
        super().__init__()
        self.emb, self.end = nn.Embedding(tokens, width), end
        self.lstm = nn.LSTM(width, width, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.fc(self.lstm(self.emb(x))[0].mean(dim=1))
        return out if self.end is None else self.end(out)


class Factors(nn.Module):
    """Ratings as products of factors: no function, and none is missing."""

    def __init__(self, rank: int = 6, sparse: bool = False) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(40, rank, sparse=sparse), nn.Embedding(30, rank, sparse=sparse)
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.user(x[:, 0]) * self.item(x[:, 1])).sum(dim=1, keepdim=True)


class Head(nn.Module):
    """A backbone and a head; the backbone without gradients, or with them."""

    def __init__(self, backbone: nn.Module, head: nn.Module, how: str = "") -> None:
        super().__init__()
        self.backbone, self.head, self.how = backbone, head, how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.how == "no_grad":
            with torch.no_grad():
                h = self.backbone(x)
        else:
            h = self.backbone(x)
        return self.head(h.data if self.how == "data" else h)


class Residual1d(nn.Module):
    """A signal's block whose last scale begins at 0."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv1d(channels, channels, 3, padding=1), nn.BatchNorm1d(channels), nn.SiLU(inplace=True)),
            *(nn.Conv1d(channels, channels, 3, padding=1), nn.BatchNorm1d(channels)),
        )
        nn.init.zeros_(self.body[4].weight)  # pyright: ignore[reportArgumentType]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.silu(x + self.body(x))


class Recomputed(nn.Module):
    """Segments that are computed again on the way back."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(16, 40)
        self.trunk = nn.Sequential(*[k for _ in range(4) for k in (nn.Linear(40, 40), nn.Mish())])
        self.top = nn.Linear(40, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.top(checkpoint_sequential(self.trunk, 2, self.stem(x).tanh(), use_reentrant=False))


class ActorCritic(nn.Module):
    """One trunk with two heads."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 32), nn.Tanh())
        self.actor, self.critic = nn.Linear(32, 3), nn.Linear(32, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.trunk(x)
        return self.actor(h), self.critic(h)


class Characters(nn.Module):
    """A decoder over characters, causal, that tells each next one."""

    def __init__(self, letters: int, width: int = 32) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(letters, width), nn.Embedding(16, width)
        self.norm, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.lm_head = nn.Linear(width, letters, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.wte(x) + self.wpe(torch.arange(x.shape[1]))
        q, k, v = self.qkv(self.norm(h)).chunk(3, dim=-1)
        h = h + self.proj(F.scaled_dot_product_attention(q, k, v, is_causal=True))
        return self.lm_head(h + self.mlp(self.norm2(h)))


def pooled() -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv1d(1, 12, 9, stride=4), nn.ReLU(), nn.AdaptiveAvgPool1d(2), nn.BatchNorm1d(12)),
        *(nn.Flatten(), nn.Linear(24, 3)),
    )


def normalised() -> nn.Sequential:
    """A net whose first layer brings inputs to scale."""
    return nn.Sequential(
        *(nn.BatchNorm1d(4), nn.Linear(4, 32), nn.BatchNorm1d(32), nn.ReLU()),
        *(nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 1)),
    )


def shared() -> nn.Sequential:
    function = nn.PReLU()
    return nn.Sequential(nn.Linear(16, 40), function, nn.Linear(40, 40), function, nn.Linear(40, 5))
