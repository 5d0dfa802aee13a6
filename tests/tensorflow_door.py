"""TensorFlow's own ways of calling the catalogue; part of `keras_backends`, which runs it in a process of its own."""

import jax
import numpy as np
import tensorflow as tf
from tests.keras_backends import cases, disagreements, inputs, refusal, weights

from actlab.errors import InvalidFunction, InvalidInput
from actlab.functions import catalogue, register, unregister

ORDINARY = np.array([-6.3, -2.1, -1.2, -0.77, -0.3, 0.04, 0.9, 2.3]).reshape(1, 2, 1, 4)


def by_tensorflow(cases, points):
    """Value and gradient of each case at its point."""
    found = []
    for case, x in zip(cases, map(tf.convert_to_tensor, points), strict=True):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = case(x)
        zero = tf.UnconnectedGradients.ZERO
        found.append((value, tape.gradient(value, x, output_gradients=case.share, unconnected_gradients=zero)))
    return found


def compiled():
    """Every function inside tf.function, batch size unknown, and that by XLA, too: how far from NumPy's.

    All are in one function, which is traced once.
    """
    everyone = cases(np.float32)
    points = [tf.constant(case.x) for case in everyone]
    unknown = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in points]
    graph = tf.function(lambda points: by_tensorflow(everyone, points), input_signature=[unknown])
    xla = tf.function(graph, jit_compile=True, input_signature=[unknown])
    return {"graph": disagreements(everyone, graph(points)), "xla": disagreements(everyone, xla(points))}


def jacobians():
    """Jacobians inside tf.function, batch size unknown, which changes how they are put together."""
    table = {}
    for name, activation in catalogue.items():
        if activation.kind == "grouping":
            x = inputs(np.float64, special=False)
            parameters = weights(activation, x.shape[-1], np.float64)
            signature = [tf.TensorSpec((None, *x.shape[1:]), tf.float64)]

            def derivative(x, activation=activation, parameters=parameters):
                return activation.derivative(x, **parameters)

            got = tf.function(derivative, input_signature=signature)(x).numpy()
            table[name] = float(np.max(np.abs(got - derivative(x)))) if got.shape == derivative(x).shape else "shape"
    return table


def second():
    """Gradient of the gradient, along a direction, against differences of NumPy's derivative: relative error."""
    table = {}
    for name, activation in catalogue.items():
        parameters = weights(activation, ORDINARY.shape[-1], np.float64)
        x = tf.Variable(ORDINARY)
        generator = np.random.default_rng(1)
        outputs = activation(ORDINARY, **parameters).shape
        share, direction = generator.normal(size=outputs), generator.normal(size=ORDINARY.shape)
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                value = tf.reduce_sum(activation(x, **parameters) * share)
            along = tf.reduce_sum(inner.gradient(value, x, unconnected_gradients="zero") * direction)
        got = outer.gradient(along, x, unconnected_gradients="zero").numpy()

        def pulled(at, activation=activation, parameters=parameters, share=share, direction=direction):
            if activation.kind != "grouping":
                return np.sum(share * activation.derivative(at, **parameters) * direction)
            settings = activation.settings(parameters) | ({"noise": None} if activation.noise else {})
            return np.sum(share * activation.derivative_rule(at, direction, np, -1, **settings))

        wanted = _differences(pulled, ORDINARY)
        table[name] = float(np.max(np.abs(got - wanted) / (np.abs(wanted) + 1e-2)))
    return table


def _differences(function, x, step=1e-5):
    gradient = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        gradient[place] = (function(up) - function(down)) / (2 * step)
    return gradient


def parameters():
    """Gradients by real parameters, as one number and one per unit, against differences: relative error."""
    table = {}
    for name, activation in catalogue.items():
        fixed = weights(activation, ORDINARY.shape[-1], np.float64)
        for parameter in activation.parameters:
            if parameter.integer or not (parameter.trainable or parameter.name in activation.parameter_derivatives):
                continue
            per_unit = activation.inputs_per_unit(**fixed) == 1
            for count in (0, ORDINARY.shape[-1]) if per_unit and not parameter.shape else (0,):
                start = fixed.get(parameter.name, parameter.default)
                start = np.full(count, start) if count else np.asarray(start, np.float64)
                rest = {key: value for key, value in fixed.items() if key != parameter.name}
                variable = tf.Variable(start)
                with tf.GradientTape() as tape:
                    value = activation(tf.constant(ORDINARY), **rest, **{parameter.name: variable})
                    value = tf.reduce_sum(value * value)
                got = tape.gradient(value, variable, unconnected_gradients="zero").numpy()

                def total(at, activation=activation, rest=rest, key=parameter.name):
                    at = at if at.ndim else float(at)
                    return np.sum(activation(ORDINARY, **rest, **{key: at}) ** 2)

                wanted = _differences(total, start)
                table[f"{name}.{parameter.name}.{count}"] = float(
                    np.max(np.abs(got - wanted) / (np.abs(wanted) + 1e-2))
                )
    return table


def types():
    """Types and kinds of input and result."""
    rows = {}
    for dtype in (tf.float16, tf.bfloat16, tf.float32, tf.float64):
        x = tf.cast(tf.constant([-1.5, 0.25]), dtype)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = catalogue["gelu"](x)
        rows[dtype.name] = [value.dtype.name, tape.gradient(value, x).dtype.name]
    slope = tf.Variable(0.5)
    return {
        "types": rows,
        "variable": catalogue["relu"](tf.Variable([-1.0, 2.0])).numpy().tolist(),
        "array_with_tensor": catalogue["prelu"](np.array([-1.0, 2.0]), negative_slope=slope).numpy().tolist(),
        "list_with_tensor": catalogue["prelu"]([-1.0, 2.0], negative_slope=slope).dtype.name,
        "scalar": float(catalogue["gelu"](tf.constant(1.0))),
        "integers": refusal(lambda: catalogue["relu"](tf.constant([1, 2])), InvalidInput),
        "unsigned": refusal(lambda: catalogue["relu"](tf.constant([1, 2], tf.uint8)), InvalidInput),
        "bool": refusal(lambda: catalogue["relu"].derivative(tf.constant([True])), InvalidInput),
        "complex": refusal(lambda: catalogue["softmax"](tf.Variable([1.0 + 2.0j])), InvalidInput),
        "ragged": refusal(lambda: catalogue["relu"](tf.ragged.constant([[1.0], [2.0, 3.0]])), InvalidInput),
        "jax_parameter": refusal(
            lambda: catalogue["prelu"](tf.ones(2), negative_slope=jax.numpy.ones(2)), InvalidInput
        ),
        "jax_input": refusal(lambda: catalogue["prelu"](jax.numpy.ones(2), negative_slope=slope), InvalidInput),
        "shape": refusal(lambda: catalogue["prelu"](tf.ones((2, 3)), negative_slope=tf.ones(2)), InvalidFunction),
        "axis": refusal(lambda: catalogue["softmax"](tf.ones((2, 3)), axis=2), InvalidFunction),
        "units": refusal(lambda: catalogue["maxout"](tf.ones((2, 3))), InvalidFunction),
        "middle_axis": float(
            np.abs(
                catalogue["softmax"](tf.constant(ORDINARY), axis=1).numpy() - catalogue["softmax"](ORDINARY, axis=1)
            ).max()
        ),
        "two_unknown_lengths": unknown_lengths(),
        "unknown_rank": unknown("gelu", None),
        "unknown_rank_units": refusal(lambda: unknown("softmax", None), InvalidFunction),
        "unknown_units": refusal(lambda: unknown("softmax", (None, None)), InvalidFunction),
    }


def unknown_lengths():
    """Maxout of (None, None, 6) and its Jacobian, whose shapes are made from unknown lengths."""
    x = np.random.default_rng(0).normal(size=(2, 3, 6))

    @tf.function(input_signature=[tf.TensorSpec((None, None, 6), tf.float64)])
    def traced(x):
        return catalogue["maxout"](x), catalogue["maxout"].derivative(x)

    got = traced(x)
    wanted = catalogue["maxout"](x), catalogue["maxout"].derivative(x)
    return [bool(np.array_equal(a.numpy(), b)) for a, b in zip(got, wanted, strict=True)]


def unknown(name, shape):
    """How far a function of a tensor whose shape is not known is from NumPy's."""
    signature = [tf.TensorSpec(shape, tf.float64)]
    traced = tf.function(catalogue[name], input_signature=signature, autograph=False)
    return float(np.abs(traced(ORDINARY[0, :, 0]).numpy() - catalogue[name](ORDINARY[0, :, 0])).max())


def own():
    """A function of one's own: without a derivative it gets TensorFlow's; what the namespace lacks is said."""
    register("tests_own", lambda x, xp: xp.sinh(xp.maximum(x, -9.0)) * xp.maximum(x, 0.0) + xp.sign(x) * xp.arctan(x))
    register("tests_lacking", lambda x, xp: xp.real(xp.fft.fft(x)) * 0 + x)
    try:
        x = tf.constant([-1.0, 0.5], tf.float64)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = catalogue["tests_own"](x)
        own = catalogue["tests_own"]
        return {
            "value": float(np.abs(value.numpy() - own(x.numpy())).max()),
            "derivative": float(np.abs(own.derivative(x).numpy() - own.derivative(x.numpy())).max()),
            "gradient": float(np.abs(tape.gradient(value, x).numpy() - own.derivative(x.numpy())).max()),
            "lacking": refusal(lambda: catalogue["tests_lacking"](x), InvalidFunction),
        }
    finally:
        unregister("tests_own")
        unregister("tests_lacking")


def noise():
    """Stochastic functions with a generator: differing draws, the same from the same seed, gradient that fits."""
    table = {}
    for name, activation in catalogue.items():
        if not activation.noise:
            continue
        # A strength of noise that is learnt may start at 0.
        strength = {p.name: 0.5 for p in activation.parameters if p.trainable and not p.shape}
        parameters = weights(activation, 6, np.float32) | strength
        x = tf.random.stateless_normal((4, 6), (1, 2))

        def draw(seed, activation=activation, parameters=parameters, x=x):
            return activation(x, key=tf.random.Generator.from_seed(seed), **parameters)

        with tf.GradientTape() as tape:
            tape.watch(x)
            value = draw(1)
        slope = tape.gradient(value, x, output_gradients=value)
        written = activation.derivative(x, key=tf.random.Generator.from_seed(1), **parameters)
        pulled = tf.einsum("bo,boi->bi", value, written) if activation.kind == "grouping" else value * written
        first = value.numpy()
        table[name] = {
            "gradient": float(tf.reduce_max(tf.abs(slope - pulled))),
            "same": bool(np.array_equal(first, draw(1))),
            "different": bool(not np.array_equal(first, draw(2))),
            "finite": bool(np.isfinite(first).all()),
            "key": refusal(lambda: activation(x, key=3), InvalidFunction),  # noqa: B023
        }
    return table


SECTIONS = {
    "compiled": compiled,
    "jacobians": jacobians,
    "second": second,
    "parameters": parameters,
    "types": types,
    "own": own,
    "noise": noise,
}
