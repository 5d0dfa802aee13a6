"""What a Keras backend computes: run with KERAS_BACKEND set, in a process of its own; prints results as JSON.

python -m tests.keras_backends check DIRECTORY      everything of this backend; leaves a model in the directory
python -m tests.keras_backends load FILE.keras …    predictions of saved models, in a process that did not make them
"""

import importlib.util
import json
import sys
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

import actlab.keras
from actlab.errors import InvalidFunction, UnknownName
from actlab.functions import Activation, catalogue

BACKEND = keras.backend.backend()
# From NUMERICS: function, which, input, what is right.
KNOWN = [
    ("gelu", "value", -5.5, -1.04442593562e-7),
    ("gelu", "value", -6.0, -5.91952587e-9),
    ("gelu", "value", np.inf, np.inf),
    ("gelu", "value", -np.inf, 0.0),
    ("silu", "value", -np.inf, 0.0),
    ("mish", "value", -np.inf, 0.0),
    ("softsign", "value", -np.inf, -1.0),
    ("softsign", "value", np.inf, 1.0),
    ("elu", "derivative", -17.0, 4.13993772e-8),
    ("tanh", "derivative", 10.0, 8.24461446e-9),
    ("relu", "derivative", 0.0, 0.0),
    ("leaky_relu", "derivative", 0.0, 0.01),
    ("hard_tanh", "derivative", 1.0, 1.0),
    ("hard_tanh", "derivative", -1.0, 0.0),
    ("hard_swish", "value", -np.inf, 0.0),
    ("gelu_tanh", "derivative", 1e20, 1.0),
    ("gelu_tanh", "derivative", -1e20, 0.0),
    ("sigmoid", "derivative", 40.0, 4.248354255e-18),
    ("squareplus", "value", -1e4, 9.9999999e-5),
    ("tanh_shrink", "value", 1e-4, 3.33333308e-13),
]
SPECIAL = [0.0, -np.inf, np.inf, np.nan]


def tensor(x):
    return keras.ops.convert_to_tensor(x)


def array(x):
    return keras.ops.convert_to_numpy(x)


class Case(NamedTuple):
    """A function of the catalogue with what it is called with; Σ share·f(x) is differentiated."""

    activation: Activation
    x: np.ndarray
    parameters: dict[str, np.ndarray]
    share: np.ndarray | None

    def __call__(self, x):
        return self.activation(x, **self.parameters)


def cases(dtype):
    """One of each function."""
    found = []
    for activation in catalogue.values():
        grouping = activation.kind == "grouping"
        x = inputs(dtype, special=not grouping)
        case = Case(activation, x, weights(activation, x.shape[-1], dtype), None)
        share = np.random.default_rng(7).normal(size=case(x).shape).astype(dtype) if grouping else None
        found.append(case._replace(share=share))
    return found


def values_and_gradients(cases):
    """f(x) and the gradient of Σ share·f(x) of each case, by the automatic differentiation of the backend."""
    if BACKEND == "jax":
        return by_jax(cases)
    if BACKEND == "torch":
        return [by_torch(case) for case in cases]
    from tests.tensorflow_door import by_tensorflow

    return by_tensorflow(cases, [case.x for case in cases])


def by_jax(cases):
    """In one program for all: one for each would take twice as long to compile."""
    import jax

    def all_of_them(points):
        found = []
        for case, x in zip(cases, points, strict=True):
            value, pull = jax.vjp(case, x)
            found.append((value, pull(jax.numpy.ones_like(value) if case.share is None else case.share)[0]))
        return found

    return jax.jit(all_of_them)([jax.numpy.asarray(case.x) for case in cases])


def by_torch(case):
    import torch

    x = torch.tensor(case.x, requires_grad=True)
    value = case(x)
    share = torch.ones_like(value) if case.share is None else torch.tensor(case.share)
    return value.detach(), torch.autograd.grad(value, x, share)[0]


def inputs(dtype, *, special=True):
    """Small images of 12 channels of ordinary size, some of them far out, and what is special."""
    generator = np.random.default_rng(3)
    x = generator.normal(size=96) * np.repeat([0.3, 2.0, 8.0], 32)
    if special:
        x[:4] = SPECIAL
        x[4:8] = [-60.0, 60.0, 1e-9, -1e-9]
    return x.astype(dtype).reshape(2, 2, 2, 12)


def weights(activation, units, dtype):
    """Parameters that must be given: weights for so many units."""
    generator = np.random.default_rng(5)
    return {
        parameter.name: generator.normal(size=parameter.shape(units)).astype(dtype) * 0.5
        for parameter in activation.parameters
        if parameter.shape
    }


def disagreement(got, wanted, spread, dtype):
    """Largest difference in units of rounding errors: of the result, and of the input as far as they show in it."""
    limits = np.finfo(dtype)
    if got.dtype != dtype or got.shape != wanted.shape:
        return f"{got.dtype} {got.shape} for {wanted.shape}"
    got, wanted = got.astype(np.float64), wanted.astype(np.float64)
    with np.errstate(all="ignore"):
        unit = float(limits.eps) * (np.abs(wanted) + np.nan_to_num(spread, posinf=0.0)) + 2 * float(limits.tiny)
        difference = np.where((got == wanted) | (np.isnan(got) & np.isnan(wanted)), 0.0, np.abs(got - wanted) / unit)
    return float(np.max(np.where(np.isnan(difference), np.inf, difference)))


def spread(function, x):
    """|x·f'(x)| by a difference, so that a derivative has one, too."""
    with np.errstate(all="ignore"):
        return np.abs(function(x * (1 + 1e-4)) - function(x * (1 - 1e-4))) / 2e-4


def agreement(dtype):
    """For each function how far value, gradient and derivative are from NumPy's, in rounding errors."""
    everyone = cases(dtype)
    table = disagreements(everyone, values_and_gradients(everyone))
    # JAX's derivative is what other tests measure, and slow to compile.
    for case in everyone if BACKEND != "jax" else ():
        right, slack = expected(case)
        derivative = array(case.activation.derivative(tensor(case.x), **case.parameters))
        row = table[case.activation.name]
        row["derivative"] = disagreement(derivative, right["derivative"], slack["derivative"], dtype)
    return table


def disagreements(cases, found):
    """For each function how far its value and gradient, as they were found, are from NumPy's."""
    table = {}
    for case, (value, slope) in zip(cases, found, strict=True):
        right, slack = expected(case)
        value, slope, dtype = np.asarray(value), np.asarray(slope), case.x.dtype.type
        row = {"value": disagreement(value, right["value"], slack["value"], dtype)}
        if case.share is not None:
            row["gradient"] = transposed(case, slope, slack["derivative"])
        else:
            row["gradient"] = disagreement(slope, right["derivative"], slack["derivative"], dtype)
        table[case.activation.name] = row
    return table


def expected(case):
    """NumPy's value and derivative, and how far rounding errors of the input may move them."""
    activation, x, parameters, share = case
    right = {"value": case(x), "derivative": activation.derivative(x, **parameters)}
    if share is not None:
        return right, {which: np.max(np.abs(x)) * (1 + np.max(np.abs(right[which]))) for which in right}
    wide = {key: value.astype(np.float64) for key, value in parameters.items()}
    return right, {
        "value": spread(lambda x: activation(x, **wide), x.astype(np.float64)),
        "derivative": spread(lambda x: activation.derivative(x, **wide), x.astype(np.float64)),
    }


def transposed(case, got, slack):
    """How far share·(J·tangent), J as it is written, is from (gradient of share·f)·tangent."""
    activation, x, parameters, share = case
    generator = np.random.default_rng(9)
    wide = {key: value.astype(np.float64) for key, value in activation.settings(parameters).items() if np.ndim(value)}
    settings = {**activation.settings(parameters), **wide} | ({"noise": None} if activation.noise else {})
    worst = 0.0
    for _ in range(8):
        tangent = generator.normal(size=x.shape)
        pushed = activation.derivative_rule(x.astype(np.float64), tangent, np, -1, **settings)
        one, other = np.sum(share * pushed), np.sum(got * tangent)
        size = np.sum(np.abs(share * pushed)) + np.sum(np.abs(got * tangent)) + slack
        worst = max(worst, float(np.abs(one - other) / size / np.finfo(x.dtype).eps))
    return worst if got.dtype == x.dtype else f"{got.dtype}"


def known():
    """NUMERICS' cases, in arrays of 67 float32: computed and right."""
    rows = []
    for name, which, x, right in KNOWN:
        function = catalogue[name] if which == "value" else catalogue[name].derivative
        through = {
            "function": array(function(tensor(np.full(67, x, "float32")))),
            "layer": array(actlab.keras.Activation(name)(tensor(np.full((1, 67), x, "float32")))).ravel(),
        }
        for door, got in through.items():
            if which == "value" or door == "function":
                rows.append([f"{name} {which} {x} by {door}", [float(v) for v in np.unique(got)], right])
    half = np.array([-8.625, 1.5, -0.3], "float32")
    rows.extend(
        [
            f"{name} {x} in bfloat16",
            float(got),
            float(array(keras.ops.cast(keras.ops.cast(right, "bfloat16"), "float32"))),
        ]
        for name in ("gelu", "silu", "mish")
        for x, got, right in zip(
            half,
            array(keras.ops.cast(catalogue[name](keras.ops.cast(tensor(half), "bfloat16")), "float32")),
            # −0.3 is no number of bfloat16; this is the nearest.
            catalogue[name](np.array([-8.625, 1.5, -0.30078125])).astype("float32"),
            strict=True,
        )
    )
    rows.extend(
        [f"{name} in float16", float(got), float(np.float16(right))]
        for name in ("gelu", "silu", "mish")
        for got, right in zip(
            array(catalogue[name](tensor(half.astype("float16")))),
            catalogue[name](half.astype("float16").astype("float64")),
            strict=True,
        )
    )
    return rows


def data():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(256, 4)).astype("float32")
    return x, np.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:3]


def small_model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(16, activation=actlab.keras.get("mish")),
            keras.layers.Dense(16, activation=actlab.keras.get("leaky_relu", negative_slope=0.2)),
            keras.layers.Dense(16),
            actlab.keras.Activation("prelu"),
            keras.layers.Dense(16),
            actlab.keras.Activation("maxout", pieces=2),
            keras.layers.Dense(8),
            actlab.keras.Activation("prelu", negative_slope=0.1, per_unit=False),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def training(directory):
    """Fit a small model, save and load it."""
    model = small_model()
    x, y = data()
    shapes = [tuple(weight.shape) for layer in model.layers[3:] for weight in layer.weights if "slope" in weight.path]
    before = [array(weight).copy() for weight in model.weights if "slope" in weight.path]
    history = model.fit(x, y, epochs=8, batch_size=64, verbose=0, shuffle=False).history["loss"]
    after = [array(weight) for weight in model.weights if "slope" in weight.path]
    path = directory / f"{BACKEND}.keras"
    model.save(path)
    predictions = array(model(x[:16]))
    again = array(keras.saving.load_model(path)(x[:16]))
    return {
        "history": history,
        "slope_shapes": shapes,
        "slopes_start": [np.unique(start).tolist() for start in before],
        "slopes_moved": [float(np.min(np.abs(end - start))) for start, end in zip(before, after, strict=True)],
        "predictions": predictions.ravel().tolist(),
        "loaded": again.ravel().tolist(),
        "widths": [layer.output.shape[-1] for layer in model.layers],
    }


def layer_and_argument():
    """A Dense layer with the function as its argument, and with the layer after it: results, and after training."""
    rows = {}
    x, y = data()
    for name, settings in (("gelu", {}), ("leaky_relu", {"negative_slope": 0.3}), ("softmax", {})):
        results = []
        for form in ("argument", "layer"):
            keras.utils.set_random_seed(2)
            if form == "argument":
                hidden = [keras.layers.Dense(8, activation=actlab.keras.get(name, **settings))]
            else:
                hidden = [keras.layers.Dense(8), actlab.keras.Activation(name, **settings)]
            model = keras.Sequential([keras.Input((4,)), *hidden, keras.layers.Dense(1)])
            model.compile("sgd", "mse")
            model.fit(x, y, epochs=1, batch_size=64, verbose=0, shuffle=False)
            results.append(array(model(x[:8])))
        rows[name] = float(np.max(np.abs(results[0] - results[1])))
    return rows


def layers():
    """Shapes, axes, precision, noise and what is refused."""
    images = np.random.default_rng(1).normal(size=(2, 3, 4, 5)).astype("float32")
    by_channel = actlab.keras.Activation("prelu", axis=1)
    got = array(by_channel(images))
    slopes = np.array([0.1, 0.2, 0.3], "float32")
    by_channel.set_weights([slopes])
    mixed = actlab.keras.Activation("prelu", dtype="mixed_float16")
    half = mixed(np.full((2, 3), -6.0, "float32"))
    dense = keras.layers.Dense(3, activation=actlab.keras.get("gelu"), dtype="mixed_bfloat16")
    made_again = actlab.keras.Activation.from_config(
        actlab.keras.Activation("elu", alpha=0.5, axis=1, name="mine", dtype="mixed_float16").get_config()
    )
    maxout = actlab.keras.Activation("maxout", pieces=4, axis=1)
    symbolic = keras.Input((6,))
    return {
        "by_channel": [tuple(by_channel.weights[0].shape), float(np.abs(got - catalogue["prelu"](images)).max())],
        "by_channel_set": float(
            np.abs(array(by_channel(images)) - np.where(images > 0, images, images * slopes[:, None, None])).max()
        ),
        "mixed": [keras.backend.standardize_dtype(half.dtype), mixed.weights[0].dtype, float(array(half)[0, 0])],
        "mixed_dense": keras.backend.standardize_dtype(dense(np.ones((1, 2), "float32")).dtype),
        "config": made_again.get_config() | {"dtype": made_again.dtype_policy.name},
        "maxout": [maxout.compute_output_shape((None, 8, 3)), tuple(maxout(np.ones((2, 8, 3), "float32")).shape)],
        "symbolic": [tuple(actlab.keras.get("mish")(symbolic).shape), tuple(maxout(keras.Input((8, 3))).shape)],
        "equal": actlab.keras.get("Leaky-ReLU", negative_slope=0.2) == actlab.keras.get("lrelu", negative_slope=0.2),
        "number": float(array(actlab.keras.Activation("relu")(tensor(np.float32(2.0))))),
        "refused": {
            "unknown": refusal(lambda: actlab.keras.get("gelly"), UnknownName),
            "unknown_layer": refusal(lambda: actlab.keras.Activation("gelly"), UnknownName),
            "parameter": refusal(lambda: actlab.keras.Activation("elu", alfa=1.0), InvalidFunction),
            "range": refusal(lambda: actlab.keras.get("elu", alpha=-1.0), InvalidFunction),
            "array": refusal(lambda: actlab.keras.get("elu", alpha=[1.0, 2.0]), InvalidFunction),
            "width": refusal(lambda: actlab.keras.get("maxout"), InvalidFunction),
            "bare": refusal(lambda: actlab.keras.get("funnel_relu"), InvalidFunction),
            "axis": refusal(
                lambda: actlab.keras.Activation("prelu", axis=4)(np.ones((2, 3), "float32")), InvalidFunction
            ),
            "axis_of_softmax": refusal(
                lambda: actlab.keras.Activation("softmax", axis=4)(np.ones((2, 3), "float32")), InvalidFunction
            ),
            "axis_of_maxout": refusal(
                lambda: actlab.keras.Activation("maxout", axis=4)(np.ones((2, 3), "float32")), InvalidFunction
            ),
            "axis_is_a_word": refusal(lambda: actlab.keras.Activation("softmax", axis="last"), InvalidFunction),
            "axis_of_an_argument": refusal(lambda: actlab.keras.get("softmax", axis=True), InvalidFunction),
            "units": refusal(lambda: maxout(np.ones((2, 7, 3), "float32")), InvalidFunction),
            "unknown_units": refusal(
                lambda: actlab.keras.Activation("prelu", axis=1)(keras.Input((None, 3))), InvalidFunction
            ),
        },
    }


def refusal(call, kind):
    try:
        call()
    except kind as error:
        return str(error)
    except Exception as error:
        return f"NOT {kind.__name__} BUT {type(error).__name__}: {error}"
    return "NOT REFUSED"


def every_layer():
    """Each function as a layer: shape, weights, config round trip, noise; its value is that of the function."""
    table = {}
    x = inputs(np.float32, special=False)
    for name, activation in catalogue.items():
        keras.utils.set_random_seed(4)
        layer = actlab.keras.Activation(name, seed=3)
        still = array(layer(x))
        again = actlab.keras.Activation.from_config(layer.get_config())
        again.build((None, *x.shape[1:]))
        again.set_weights(layer.get_weights())
        table[name] = {
            "shape": list(still.shape) == [length or 2 for length in layer.compute_output_shape((None, *x.shape[1:]))],
            "again": bool(np.array_equal(array(again(x)), still)),
            "finite": bool(np.isfinite(still).all()),
            "weights": sorted(weight.name for weight in layer.weights if "seed" not in weight.path)
            == sorted(p.name for p in activation.parameters if p.trainable or p.shape),
        }
        if activation.noise:
            # A strength of noise that is learnt may start at 0.
            layer.set_weights(
                [weight + 0.5 if weight.dtype == np.float32 else weight for weight in layer.get_weights()]
            )
            first, second = (array(layer(x, training=True)) for _ in range(2))
            table[name]["noise"] = bool(np.isfinite(first).all() and not np.array_equal(first, second))
    return table


#: With a parameter for each unit, or weights of all units.
EXPORTED = ("prelu", "snake", "acon_c", "derf", "meta_acon")


def exported(directory):
    """A model written for TensorFlow with a batch of any size: what it serves for another, and what it gave here."""
    import tensorflow as tf

    inputs = keras.Input((8,))
    model = keras.Model(inputs, [actlab.keras.Activation(name)(keras.layers.Dense(8)(inputs)) for name in EXPORTED])
    with warnings.catch_warnings():
        # Keras calls JAX in a way that JAX has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        model.export(directory / "exported", verbose=False)
        loaded = tf.saved_model.load(directory / "exported")  # which is asked below for what it holds
    x = data()[0][:6].repeat(2, axis=1)
    served, wanted = loaded.serve(x), model(x)
    return {
        name: float(np.max(np.abs(array(got) - array(want))))
        for name, got, want in zip(EXPORTED, served, wanted, strict=True)
    }


def load(paths):
    """Predictions of models that another process saved."""
    x, _ = data()
    return {Path(p).stem: array(keras.saving.load_model(p)(x[:16])).ravel().tolist() for p in paths}


def check(directory):
    started = time.process_time()
    sections = {
        "agreement": lambda: agreement(np.float32),
        "known": known,
        "training": lambda: training(directory),
        "layer_and_argument": layer_and_argument,
        "layers": layers,
        "every_layer": every_layer,
    }
    if BACKEND == "jax" and importlib.util.find_spec("tensorflow") is not None:
        sections["exported"] = lambda: exported(directory)
    if BACKEND == "tensorflow":
        from tests import tensorflow_door

        sections |= {f"door_{name}": section for name, section in tensorflow_door.SECTIONS.items()}
        sections["agreement_double"] = lambda: agreement(np.float64)
    results, seconds = {}, {}
    for name, section in sections.items():
        begun = time.process_time()
        results[name] = section()
        seconds[name] = round(time.process_time() - begun, 2)
    return results | {"seconds": seconds | {"all": round(time.process_time() - started, 2)}}


if __name__ == "__main__":
    task, *rest = sys.argv[1:]
    print(json.dumps(check(Path(rest[0])) if task == "check" else load(rest)))
