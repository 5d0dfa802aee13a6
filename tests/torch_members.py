"""A small network in PyTorch and a study of it, for tests of what trains and what refuses them."""

from __future__ import annotations

import torch
from torch import nn

from actlab.study import Study

SHAPE = (6,)


class Net(nn.Module):
    """Two hidden layers, of which the second has a function of its own."""

    def __init__(self, act):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(6, 8), nn.Linear(8, 5), nn.Linear(5, 3)
        self.act = act("hidden")

    def forward(self, x):
        return self.last(torch.tanh(self.second(self.act(self.first(x)))))


def study_of(network=Net, **changes):
    settings = {"activations": ["relu", "gelu"], "seeds": [3, 1], "epochs": 3, "batch": 8, "learning_rates": [0.05]}
    return Study(network=network, **(settings | {"probe_samples": 8} | changes))
