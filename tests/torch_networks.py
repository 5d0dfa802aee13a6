"""A network of layers over PyTorch's own operations: what ours is compared with, layer by layer and step by step.

Images are channels first in here, as PyTorch has them; flattening puts the channels last again, as ours does.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional

# Beside other processes that compute, PyTorch's threads spend ten times the work waiting for each other.
torch.set_num_threads(1)

FUNCTIONS = {
    "elu": functional.elu,
    "leaky_relu": functional.leaky_relu,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "linear": lambda x: x,
}


def channels_first(x):
    """An array (batch, ..., channels) as a tensor (batch, channels, ...)."""
    return torch.tensor(np.ascontiguousarray(np.moveaxis(np.asarray(x), -1, 1)))


def channels_last(x):
    return np.moveaxis(x.detach().numpy(), 1, -1)


def padded(x, size, stride, padding, outside=0.0):
    """What TensorFlow's "SAME" adds around images (batch, channels, height, width), so that PyTorch need not."""
    if padding == "valid":
        return x
    around = []
    for length in (x.shape[3], x.shape[2]):
        total = max((math.ceil(length / stride) - 1) * stride + size - length, 0)
        around += [total // 2, total - total // 2]
    return functional.pad(x, around, value=outside)


class TorchNetwork:
    """One member: `network` with `params` as `Network.init` gives them, and its running statistics.

    Attributes:
        leaves: layer → parameter → leaf tensor, weights in our order of axes.
        statistics: layer → running statistic → tensor.
    """

    def __init__(self, network, params):
        self.network = network
        self.leaves, self.statistics = {}, {}
        for built in network.layers:
            own = {name: torch.tensor(np.array(value)) for name, value in params.get(built.name, {}).items()}
            self.leaves[built.name] = {name: own[name].requires_grad_() for name in built.parameter_shapes}
            self.statistics[built.name] = {name: own[name] for name in built.statistic_shapes}

    def parameters(self):
        return [leaf for own in self.leaves.values() for leaf in own.values()]

    def penalty(self):
        """Σ l2·½·Σw²."""
        weighted_layer = [(built.name, built.weighted_layer) for built in self.network.layers if built.weighted_layer]
        return sum(own.l2 / 2 * self.leaves[name]["weight"].square().sum() for name, own in weighted_layer)

    def __call__(self, x, training=False):
        """(batch, ..., channels) NumPy -> logits (batch, outputs)."""
        x, kept = channels_first(x), []
        for built in self.network.layers:
            layer, own = built.layer, self.leaves[built.name]
            match layer.layer:
                case "fork":
                    kept.append(x)
                case "join":
                    x = x + self._weighed(layer.projection, own, kept.pop())
                case "dense" | "conv":
                    x = self._weighed(layer, own, x)
                case "act":
                    x = self._activated(layer, own, x)
                case "batch_norm":
                    x = self._normalised(built, x, training)
                case _:
                    x = self._plain(layer, x)
        return x

    def _weighed(self, layer, own, x):
        if layer is None:
            return x
        if layer.layer == "dense":
            y = x @ own["weight"]
            return y + own["bias"] if layer.bias else y
        x = padded(x, layer.kernel, layer.stride, layer.padding)
        return functional.conv2d(x, own["weight"].permute(3, 2, 0, 1), own.get("bias"), layer.stride)

    def _activated(self, layer, own, x):
        name = layer.activation(self.network.activation).name
        if name == "prelu":
            return functional.prelu(x, own["negative_slope"])
        if name == "maxout":
            return x.unflatten(1, (-1, 2)).amax(dim=2)
        return FUNCTIONS[name](x)

    def _normalised(self, built, x, training):
        own, running = self.leaves[built.name], self.statistics[built.name]
        return functional.batch_norm(
            x, running["mean"], running["variance"], own["scale"], own["shift"], training,
            1 - built.layer.momentum, built.layer.epsilon,
        )  # fmt: skip

    def _plain(self, layer, x):
        match layer.layer:
            case "max_pool":
                stride = layer.stride or layer.size
                return functional.max_pool2d(
                    padded(x, layer.size, stride, layer.padding, -math.inf), layer.size, stride
                )
            case "avg_pool":
                stride = layer.stride or layer.size
                total, inside = (
                    functional.avg_pool2d(padded(image, layer.size, stride, layer.padding), layer.size, stride)
                    for image in (x, torch.ones_like(x))
                )
                return total / inside
            case "global_pool":
                return x.mean(dim=(2, 3)) if layer.kind == "average" else x.amax(dim=(2, 3))
            case "local_response_norm":
                window = 2 * layer.depth_radius + 1
                return functional.local_response_norm(x, window, layer.alpha * window, layer.beta, layer.bias)
            case "scale":
                return x * layer.factor
            case "flatten":
                return x.movedim(1, -1).flatten(1)
        raise ValueError(layer)
