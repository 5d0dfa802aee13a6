"""The layers of a network in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actlab.wording import counted


def layer_in_words(layer: Any) -> str:
    """A layer as it stands in a sentence, with every setting that makes a difference.

    >>> from actlab.layers import Act, Conv, Dense, MaxPool, Residual
    >>> layer_in_words(Dense(128, init="he_normal")), layer_in_words(Act())
    ('dense, 128 units, weights he_normal', 'the activation under study')
    >>> layer_in_words(Conv(16, 5, stride=2, bias=False, l2=0.01))
    'convolution, 16 filters of 5×5, stride 2, padding same, weights glorot_uniform, no bias, L2 0.01'
    >>> layer_in_words(Residual([Dense(4), Act("relu")])), layer_in_words(MaxPool(3, stride=2))
    ('residual block (dense, 4 units, weights glorot_uniform; relu)', 'maximum pooling of 3×3, stride 2, padding valid')
    """
    return WORDS[layer.layer](layer)


def _weights(layer: Any) -> str:
    told = f", weights {layer.init}" + ("" if layer.bias else ", no bias") + (f", L2 {layer.l2:g}" if layer.l2 else "")
    # A study that was never completed for a run has the function within the layer.
    own = layer.activation
    if own is None:
        return told
    return f"{told}; {own if isinstance(own, str) else layer_in_words(own)}"


def _act(layer: Any) -> str:
    shared = "" if layer.per_unit else ", its parameters shared by the layer"
    return f"{layer.function or 'the activation under study'}{shared}"


def _pooling(kind: str) -> Callable[[Any], str]:
    def told(layer: Any) -> str:
        stride = layer.stride or layer.size
        return f"{kind} pooling of {layer.size}×{layer.size}, stride {stride}, padding {layer.padding}"

    return told


def _local_response(layer: Any) -> str:
    settings = (f"{name} {getattr(layer, name):g}" for name in ("depth_radius", "bias", "alpha", "beta"))
    return f"local response normalisation ({', '.join(settings)})"


WORDS: dict[str, Callable[[Any], str]] = {
    "dense": lambda layer: f"dense, {counted(layer.units, 'unit')}{_weights(layer)}",
    "conv": lambda layer: (
        f"convolution, {counted(layer.filters, 'filter')} of {layer.kernel}×{layer.kernel}, stride {layer.stride}, "
        f"padding {layer.padding}{_weights(layer)}"
    ),
    "act": _act,
    "max_pool": _pooling("maximum"),
    "avg_pool": _pooling("average"),
    "global_pool": lambda layer: f"{'maximum' if layer.kind == 'max' else 'average'} of each channel",
    "flatten": lambda _: "flattening",
    "scale": lambda layer: f"multiplication by {layer.factor:g}",
    "dropout": lambda layer: f"dropout of {100 * layer.rate:g} %",
    "batch_norm": lambda layer: f"batch normalisation (momentum {layer.momentum:g}, epsilon {layer.epsilon:g})",
    "local_response_norm": _local_response,
    "residual": lambda layer: f"residual block ({'; '.join(map(layer_in_words, layer.layers))})",
}
