"""How each function is called in other libraries, with the arguments that make it the same function as ours.

PyTorch, Keras, JAX and TensorFlow: an expression in `x`, or a module that takes it; `tests/test_functions_elsewhere.py`
evaluates every one of them and compares. ONNX: the operator with its attributes. timm: the name for
`timm.layers.create_act_layer`. Transformers: the key of `transformers.activations.ACT2FN`.

Looked up in PyTorch 2.13, Keras 3.15, JAX 0.10, TensorFlow 2.21, ONNX 1.23, timm 1.0 and Transformers 5.24.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: The libraries, in the order in which a card names them.
LIBRARIES = ("PyTorch", "Keras", "JAX", "TensorFlow", "ONNX", "timm", "Transformers")

# A row: the function, then its name in each of LIBRARIES; empty where it has none.
_TABLE = """
step | torch.heaviside(x, torch.ones_like(x)) | | jax.numpy.heaviside(x, 1) | tf.experimental.numpy.heaviside(x, 1.0) | | |
linear | torch.nn.Identity() | keras.activations.linear | jax.nn.identity | tf.identity | Identity | identity | linear
exponential | torch.exp | keras.activations.exponential | jax.numpy.exp | tf.exp | Exp | |
quadratic | torch.square | keras.ops.square | jax.numpy.square | tf.square | Pow | |
absolute_value | torch.abs | keras.ops.abs | jax.numpy.abs | tf.abs | Abs | |
arcsinh | torch.asinh | keras.ops.arcsinh | jax.numpy.arcsinh | tf.asinh | Asinh | |
arctan | torch.atan | keras.ops.arctan | jax.numpy.arctan | tf.atan | Atan | |
sine | torch.sin | keras.ops.sin | jax.numpy.sin | tf.sin | Sin | |
cosine | torch.cos | keras.ops.cos | jax.numpy.cos | tf.cos | Cos | |
sinc | torch.sinc(x / torch.pi) | | jax.numpy.sinc(x / jax.numpy.pi) | tf.experimental.numpy.sinc(x / 3.141592653589793) | | |
sigmoid | torch.nn.Sigmoid() | keras.activations.sigmoid | jax.nn.sigmoid | tf.nn.sigmoid | Sigmoid | sigmoid | sigmoid
tanh | torch.nn.Tanh() | keras.activations.tanh | jax.nn.tanh | tf.nn.tanh | Tanh | tanh | tanh
softsign | torch.nn.Softsign() | keras.activations.softsign | jax.nn.soft_sign | tf.nn.softsign | Softsign | |
log_sigmoid | torch.nn.LogSigmoid() | keras.activations.log_sigmoid | jax.nn.log_sigmoid | tf.math.log_sigmoid | | |
hard_sigmoid | torch.nn.Hardsigmoid() | keras.activations.hard_sigmoid | jax.nn.hard_sigmoid | | HardSigmoid(alpha=1/6) | hard_sigmoid |
hard_tanh | torch.nn.Hardtanh() | keras.activations.hard_tanh | jax.nn.hard_tanh | tf.clip_by_value(x, -1.0, 1.0) | Clip(-1, 1) | |
relu | torch.nn.ReLU() | keras.activations.relu | jax.nn.relu | tf.nn.relu | Relu | relu | relu
relu6 | torch.nn.ReLU6() | keras.activations.relu6 | jax.nn.relu6 | tf.nn.relu6 | Clip(0, 6) | relu6 | relu6
leaky_relu | torch.nn.LeakyReLU() | keras.activations.leaky_relu(x, negative_slope=0.01) | jax.nn.leaky_relu | tf.nn.leaky_relu(x, alpha=0.01) | LeakyRelu | leaky_relu | leaky_relu
prelu | torch.nn.PReLU() | keras.layers.PReLU(alpha_initializer=keras.initializers.Constant(0.25)) | | | PRelu | prelu | prelu
rrelu | torch.nn.RReLU().eval() | | | | | |
elu | torch.nn.ELU() | keras.activations.elu | jax.nn.elu | tf.nn.elu | Elu | elu |
selu | torch.nn.SELU() | keras.activations.selu | jax.nn.selu | tf.nn.selu | Selu | selu |
celu | torch.nn.CELU() | keras.activations.celu | jax.nn.celu | | Celu | celu |
softplus | torch.nn.Softplus() | keras.activations.softplus | jax.nn.softplus | tf.nn.softplus | Softplus | |
squareplus | | keras.activations.squareplus | jax.nn.squareplus | | | |
relu_squared | | | | | | | relu2
threshold | torch.nn.Threshold(1.0, 0.0) | keras.activations.threshold(x, 1.0, 0.0) | | | ThresholdedRelu | |
hard_shrink | torch.nn.Hardshrink() | keras.activations.hard_shrink | | | Shrink(bias=0, lambd=0.5) | |
soft_shrink | torch.nn.Softshrink() | keras.activations.soft_shrink | | | Shrink(bias=0.5, lambd=0.5) | |
tanh_shrink | torch.nn.Tanhshrink() | keras.activations.tanh_shrink | | | | |
smelu | | keras.activations.sparse_plus | jax.nn.sparse_plus | | | |
sparse_sigmoid | | keras.activations.sparse_sigmoid | jax.nn.sparse_sigmoid | | | |
gelu | torch.nn.GELU() | keras.activations.gelu | jax.nn.gelu(x, approximate=False) | tf.nn.gelu | Gelu | gelu | gelu
gelu_tanh | torch.nn.GELU(approximate="tanh") | keras.activations.gelu(x, approximate=True) | jax.nn.gelu | tf.nn.gelu(x, approximate=True) | Gelu(approximate="tanh") | gelu_tanh | gelu_pytorch_tanh
quick_gelu | | | | | Swish(alpha=1.702) | quick_gelu | quick_gelu
clipped_gelu | | | | | | | gelu_10
silu | torch.nn.SiLU() | keras.activations.silu | jax.nn.silu | tf.nn.silu | Swish | silu | silu
mish | torch.nn.Mish() | keras.activations.mish | jax.nn.mish | | Mish | mish | mish
hard_swish | torch.nn.Hardswish() | keras.activations.hard_swish | jax.nn.hard_swish | | HardSwish | hard_swish | hardswish
hard_mish | | | | | | hard_mish |
laplace | | | | | | | laplace
xielu | | | | | | | xielu
softmax | torch.nn.Softmax(dim=-1) | keras.activations.softmax | jax.nn.softmax | tf.nn.softmax | Softmax | |
log_softmax | torch.nn.LogSoftmax(dim=-1) | keras.activations.log_softmax | jax.nn.log_softmax | tf.nn.log_softmax | LogSoftmax | |
softmin | torch.nn.Softmin(dim=-1) | | | | | |
hardmax | | | | | Hardmax | |
glu | torch.nn.GLU() | keras.activations.glu | jax.nn.glu | | | |
crelu | | | | tf.nn.crelu | | |
"""

ELSEWHERE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        name: MappingProxyType({library: text for library, text in zip(LIBRARIES, cells, strict=True) if text})
        for name, *cells in ([cell.strip() for cell in row.split(" |")] for row in _TABLE.strip().splitlines())
    }
)


def elsewhere(name: str) -> Mapping[str, str]:
    """What the function of this name is called in other libraries: library → name.

    >>> elsewhere("hard_swish")["PyTorch"], elsewhere("leaky_relu")["TensorFlow"]
    ('torch.nn.Hardswish()', 'tf.nn.leaky_relu(x, alpha=0.01)')
    """
    return ELSEWHERE.get(name, {})
