"""What a watch sees of Keras models on one backend: run with KERAS_BACKEND set; prints results as JSON.

python -m tests.keras_watching
"""

import json
import sys
import warnings

import keras
import numpy as np
from keras import layers, ops

import actlab
import actlab.keras
from actlab.errors import ActlabWarning, InvalidModel

BACKEND = keras.backend.backend()
SAMPLES = 64


def data(samples=SAMPLES, seed=0):
    x = np.random.default_rng(seed).normal(size=(samples, 3)).astype("float32")
    return x, (x[:, 0] > 0) + 2 * (x[:, 1] > 0).astype("int64")


def sequential(*stack, inputs=(3,)):
    return keras.Sequential([keras.Input(inputs), *stack])


def trained(model, *, steps=1, loss="sparse_categorical_crossentropy", xy=None, optimiser=None, probe=None, **settings):
    """A watch on a model after some steps, each of the whole data."""
    x, y = xy or data()
    compiled = {name: settings.pop(name) for name in ("steps_per_execution", "run_eagerly") if name in settings}
    model.compile(optimiser or keras.optimizers.SGD(0.5), loss, **compiled)
    seen = actlab.watch(model, probe=probe or (x, y), **settings)
    model.fit(x, y, batch_size=len(keras.tree.flatten(x)[0]), epochs=steps, verbose=0, shuffle=False, callbacks=[seen])
    assert seen.stopped is None, seen.stopped
    seen.remove()
    return seen


def looked(model, *, steps=1, loss="sparse_categorical_crossentropy", xy=None, optimiser=None, probe=None):
    """A watch on a model after looks at it, without any training between them: nothing else is compiled."""
    model.compile(optimiser or "sgd", loss)
    seen = actlab.watch(model, probe=probe or xy or data())
    seen.set_model(model)
    seen.on_train_begin()
    for step in range(steps):
        seen.on_train_batch_begin(step)
        seen.on_train_batch_end(step)
    assert seen.stopped is None, seen.stopped
    seen.remove()
    return seen


class Subclassed(keras.Model):
    """The same network, its function called by name."""

    def __init__(self):
        super().__init__()
        self.first, self.last = layers.Dense(6), layers.Dense(4, activation="softmax")

    def call(self, x):
        return self.last(keras.activations.tanh(self.first(x)))


def network(kind):
    """One network, written in four ways."""
    keras.utils.set_random_seed(1)
    if kind == "subclassed":
        model = Subclassed()
        model(np.zeros((2, 3), "float32"))
        return model
    if kind == "argument":
        return sequential(layers.Dense(6, activation="tanh"), layers.Dense(4, activation="softmax"))
    if kind == "layer":
        return sequential(layers.Dense(6), layers.Activation("tanh"), layers.Dense(4), layers.Softmax())
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(6, activation="tanh", name="deep")], name="inner")
    inputs = keras.Input((3,))
    return keras.Model(inputs, layers.Dense(4, activation="softmax")(inner(inputs)))


def numbers(look):
    """What a look holds, for JSON."""
    functions = [
        {
            **{key: own for key, own in vars(one).items() if isinstance(own, (int, float, str))},
            "dead": one.dead.tolist(),
            "z": one.pre_activation_histogram.tolist(),
            "a": one.activation_histogram.tolist(),
            "gradient": one.activation_gradient_histogram.tolist(),
        }
        for one in look.functions
    ]
    weights = [{**vars(one), "histogram": one.histogram.tolist()} for one in look.weights]
    facts = {key: own for key, own in look.facts.items() if key != "framework"}
    constant = [look.constant.loss, look.constant.majority, look.constant.samples]
    return {
        "step": look.step, "loss": look.loss, "constant": constant, "functions": functions, "weights": weights,
        "facts": facts, "unseen": dict(look.unseen),
    }  # fmt: skip


def measures():
    """Each way of writing one network: its look, and its weights before and after the step."""
    found = {}
    for kind in ("argument", "layer", "subclassed", "nested"):
        model = network(kind)
        before = [own.tolist() for own in model.get_weights()]
        seen = trained(model)
        look = numbers(seen.looks[0])
        found[kind] = look | {"weights_seen": look["weights"], "weights": before}
        found[kind]["after"] = [own.tolist() for own in model.get_weights()]
    return found


def places():
    """Functions of every kind in their places, by name."""
    model = sequential(
        layers.Dense(6, name="a"),
        layers.ReLU(name="relu"),
        layers.Dense(6, name="b"),
        layers.PReLU(name="prelu"),
        layers.Dense(6, name="c", activation=actlab.keras.get("mish")),
        layers.Dense(6, name="d"),
        actlab.keras.Activation("elu", alpha=0.5, name="ours"),
        layers.Dense(6, name="e", activation=lambda x: x * ops.sigmoid(x)),
        layers.Dense(6, name="f", activation=lambda x: x / (1 + ops.sum(ops.abs(x), -1, keepdims=True))),
        layers.Dense(6, name="g", activation=layers.LeakyReLU(negative_slope=0.3, name="leaky")),
        layers.Dropout(0.25, name="drop"),
        layers.Dense(4, activation="softmax"),
    )
    seen = looked(model)
    chosen = trained(network("argument"), include="nothing*")
    return numbers(seen.looks[0]) | {"chosen": [own.name for own in chosen.looks[0].functions]}


def hidden():
    """A recurrent layer, a layer that does not run, and one behind a cut."""

    class Hiding(keras.Model):
        def __init__(self):
            super().__init__()
            self.rnn, self.cut, self.idle = (
                layers.LSTM(5, name="rnn"),
                layers.Dense(5, name="cut"),
                layers.Dense(2, name="idle"),
            )
            self.idle.build((None, 3))
            self.out = layers.Dense(4, activation="softmax", name="out")

        def call(self, x):
            steps = ops.expand_dims(x, 1)
            return self.out(self.rnn(steps) + ops.relu(ops.stop_gradient(self.cut(x))) + ops.gelu(steps[:, 0, :1]))

    keras.utils.set_random_seed(0)
    model = Hiding()
    model(np.zeros((2, 3), "float32"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seen = looked(model)
    return numbers(seen.looks[0]) | {"codes": [own["code"] for own in seen.findings]}


def dead():
    """Two of six units never fire."""
    model = sequential(layers.Dense(6, activation="relu"), layers.Dense(4, activation="softmax"))
    kernel, bias, *rest = model.get_weights()
    bias[:2] = -100
    model.set_weights([kernel, bias, *rest])
    return numbers(looked(model).looks[0])["functions"][0]["dead"]


def findings():
    """Codes of what is found of models with one fault each, and of one that is healthy."""
    keras.utils.set_random_seed(1)
    found = {}

    def look(name, model, **settings):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            see = trained if settings.get("steps", 1) > 4 else looked
            found[name] = [(own["code"], own["layer"]) for own in see(model, **settings).findings]

    def mlp(last, function="relu", **settings):
        first = layers.Dense(16, activation=function, name="first", **settings)
        return sequential(first, layers.Dense(4, name="last", **last))

    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    softmax = {"activation": "softmax"}
    x, y = data()
    numbers = x[:, :1] * 2
    look("healthy", mlp(softmax), steps=60)
    look("healthy_logits", mlp({}), loss=logits, steps=60)
    regression = sequential(layers.Dense(16, activation="gelu"), layers.Dense(1))
    look("healthy_regression", regression, loss="mse", xy=(x, numbers), steps=60, optimiser=keras.optimizers.Adam(0.01))
    look("softmax_twice", mlp(softmax), loss=logits)
    look("no_logarithm", mlp({}))
    look("rectified", mlp({"activation": "relu"}), loss=logits)
    binary = sequential(layers.Dense(8, activation="relu"), layers.Dense(1))
    look("no_probability", binary, loss="binary_crossentropy", xy=(x, y[:, None] % 2))
    binary = sequential(layers.Dense(8, activation="relu"), layers.Dense(1, activation="sigmoid"))
    twice = keras.losses.BinaryCrossentropy(from_logits=True)
    look("sigmoid_twice", binary, loss=twice, xy=(x, y[:, None] % 2))
    look("no_function", sequential(layers.Dense(8), layers.Dropout(0.1), layers.Dense(4, activation="softmax")))
    look("zero", mlp({"kernel_initializer": "zeros", **softmax}, kernel_initializer="zeros"))
    look("alike", mlp(softmax, kernel_initializer="ones"))
    dropped = sequential(
        layers.Dense(8, activation="relu"), layers.Dropout(0.95, name="drop"), layers.Dense(4, **softmax)
    )
    look("dropout", dropped)
    dead = mlp(softmax, bias_initializer=keras.initializers.Constant(-50.0))
    look("dead", dead, steps=60)
    saturated = mlp(softmax, function="tanh", kernel_initializer=keras.initializers.RandomNormal(stddev=200.0))
    look("saturated", saturated, steps=60, optimiser=keras.optimizers.SGD(1e-4))
    look("clipped", mlp(softmax), steps=4, optimiser=keras.optimizers.SGD(0.1, global_clipnorm=1e-4))
    missing = np.where(np.arange(3) == 1, np.nan, x).astype("float32")
    look("missing", mlp(softmax), probe=(missing, y))
    return found


def losses():
    """Kinds of losses by what they give, and the best constant answer."""
    x, y = data()
    column, half = x[:, :1] * 2, (y[:, None] % 2).astype("float32")
    cases = {
        "sparse": ("sparse_categorical_crossentropy", 4, "softmax", y),
        "sparse_logits": (keras.losses.SparseCategoricalCrossentropy(from_logits=True), 4, None, y),
        "sum": (keras.losses.SparseCategoricalCrossentropy(reduction="sum"), 4, "softmax", y),
        "one_hot": ("categorical_crossentropy", 4, "softmax", np.eye(4, dtype="float32")[y]),
        "binary": ("binary_crossentropy", 1, "sigmoid", half),
        "binary_logits": (keras.losses.BinaryCrossentropy(from_logits=True), 1, None, half),
        "squared": ("mse", 1, None, column),
        "squared_flat": (keras.losses.mean_squared_error, 1, None, column[:, 0]),
        "absolute": ("mean_absolute_error", 1, None, column),
        "own": (lambda true, given: ops.mean(ops.square(true - given)), 1, None, column),
        "smoothed": (keras.losses.CategoricalCrossentropy(label_smoothing=0.1), 4, "softmax", np.eye(4)[y]),
        "huber": (keras.losses.Huber(), 1, None, column),
    }
    found = {}
    for name, (loss, width, function, targets) in cases.items():
        penalty = keras.regularizers.L2(0.1)
        model = sequential(
            layers.Dense(5, activation="tanh", kernel_regularizer=penalty), layers.Dense(width, activation=function)
        )
        model.compile("sgd", loss)
        outputs = keras.ops.convert_to_numpy(model(x)).astype(float)
        seen = looked(model, loss=loss, xy=(x, targets)).looks[0]
        found[name] = {
            "kind": seen.facts["loss_kind"], "before": seen.facts["before_loss"], "loss": seen.loss,
            "constant": seen.constant.loss, "outputs": outputs.tolist(),
        }  # fmt: skip
    return found


def same_bytes():
    """Whether a watched training ends with the bytes of one that is not: weights, statistics, seeds, optimiser."""

    def end(watched, **settings):
        keras.utils.set_random_seed(3)
        model = keras.Sequential(
            [
                *(keras.Input((3,)), layers.Dense(8), layers.BatchNormalization(), layers.LeakyReLU()),
                *(layers.Dropout(0.3, seed=5), layers.GaussianNoise(0.1), layers.Dropout(0.2)),
                *(layers.Dense(8, activation="gelu", kernel_regularizer="l2"), layers.Dense(4, activation="softmax")),
            ]
        )
        model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"], **settings)
        x, y = data(72)
        seen = [actlab.watch(model, probe=(x[:16], y[:16]), every=1)] if watched else []
        history = model.fit(x, y, batch_size=8, epochs=2, verbose=0, validation_data=(x, y), callbacks=seen)
        variables = [*model.variables, *model.optimizer.variables]
        after = np.random.random()  # noqa: NPY002  # The state that Keras draws from.
        return [keras.ops.convert_to_numpy(own.value) for own in variables], history.history, after, seen

    found = {}
    for name, settings in {"plain": {}, "several": {"steps_per_execution": 3}}.items():
        if BACKEND == "torch" and settings:
            continue
        (one, history, drawn, _), (other, again, redrawn, seen) = end(False, **settings), end(True, **settings)
        assert len(one) > 20
        alike = all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))
        found[name] = [alike, history == again, drawn == redrawn]
        found[f"{name}_looks"] = [[own.step for own in seen[0].looks], dict(seen[0].looks[-1].unseen)]
        found[f"{name}_ratios"] = [own.update_ratio for own in seen[0].looks[-1].weights]
    model = network("layer")
    before = {id(layer): sorted(vars(layer)) for layer in model.layers}
    trained(model)
    found["nothing_left"] = all("call" not in vars(layer) for layer in model.layers) and before == {
        id(layer): sorted(vars(layer)) for layer in model.layers
    }
    if BACKEND == "torch":
        model = network("layer")
        x, y = data()
        seen = trained(model)
        grads = [None if own.value.grad is None else own.value.grad.clone() for own in model.trainable_variables]
        again = actlab.watch(model, probe=(x, y))
        again.set_model(model)
        again.on_train_begin()
        again.on_train_batch_begin(0)
        kept = [own.value.grad for own in model.trainable_variables]
        assert again.stopped is None
        found["gradients_kept"] = all(
            (a is None and b is None) or bool((a == b).all()) for a, b in zip(grads, kept, strict=True)
        )
        del seen
    return found


def course():
    """Steps over several fits, the end of a watch, and what fails in it."""
    x, y = data()
    model = network("argument")
    model.compile("sgd", "sparse_categorical_crossentropy")
    seen = actlab.watch(model, probe=(x, y), every=7)
    is_callback = isinstance(seen, keras.callbacks.Callback)
    for _ in range(2):
        model.fit(x, y, batch_size=16, epochs=3, verbose=0, callbacks=[seen])
    steps = [own.step for own in seen.looks]
    seen.remove()
    seen.remove()
    model.fit(x, y, batch_size=16, epochs=1, verbose=0, callbacks=[seen])
    found = {"steps": steps, "is_callback": is_callback, "ended": len(seen.looks) == len(steps)}

    def fails(_):
        raise KeyError("of the judge")

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with actlab.watch(model, probe=(x, y)) as failing:
            failing.on_look = fails
            history = model.fit(x, y, batch_size=16, epochs=2, verbose=0, callbacks=[failing])
    sentences = [str(own.message) for own in told if issubclass(own.category, ActlabWarning)]
    found["failed"] = [failing.stopped, sentences, len(history.history["loss"])]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        other = network("layer")
        other.compile("sgd", "sparse_categorical_crossentropy")
        with actlab.watch(model, probe=(x, y)) as wrong:
            other.fit(x, y, verbose=0, callbacks=[wrong])
    found["other"] = [wrong.stopped, len(wrong.looks)]
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        hot = looked(network("argument"), xy=(x * np.float32(np.nan), y), steps=2)
    found["not_finite"] = [own["code"] for own in hot.findings]
    inputs = {"left": keras.Input((3,), name="left"), "right": keras.Input((3,), name="right")}
    joined = layers.Dense(6, activation="relu", name="both")(layers.concatenate(list(inputs.values())))
    outputs = {"one": layers.Dense(1, name="one")(joined), "two": layers.Dense(1, name="two")(joined)}
    several = keras.Model(inputs, outputs)
    both = {"left": x, "right": x[::-1].copy()}, {"one": x[:, :1], "two": x[:, 1:2]}
    look = trained(several, loss={"one": "mse", "two": "mse"}, xy=both).looks[0]
    found["several"] = [look.facts["loss_kind"], look.loss, [own.name for own in look.functions]]
    eager = trained(network("argument"), run_eagerly=True, steps=2).looks
    lazy = trained(network("argument"), steps=2).looks
    found["eager"] = [[own.loss for own in looks] for looks in (eager, lazy)]
    return found


def refused():
    """What is said of models and probes that do not do."""
    x, y = data()
    model = network("argument")
    found = {}

    def attempt(name, *arguments, **settings):
        try:
            actlab.watch(*arguments, **settings)
            found[name] = "NOT refused"
        except InvalidModel as error:
            found[name] = str(error)

    attempt("not_compiled", model, probe=(x, y))
    model.compile("sgd", "sparse_categorical_crossentropy")
    attempt("no_probe", model)
    attempt("no_pair", model, probe=x)
    attempt("lengths", model, probe=(x, y[:5]))
    attempt("width", model, probe=(x[:, :2], y))
    attempt("targets", model, probe=(x, np.zeros((64, 7))))
    attempt("every", model, probe=(x, y), every=0)
    attempt("loss", model, probe=(x, y), loss=lambda *_: 0)
    attempt("layer", layers.Dense(3), probe=(x, y))
    with actlab.watch(model, probe=(x, y)):
        attempt("twice", model, probe=(x, y))
    with actlab.watch(model, probe=(x, y)):
        pass
    for layer in model.layers:
        layer.trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    attempt("no_parameters", model, probe=(x, y))
    empty = sequential(layers.Dense(4))
    seen = looked(empty, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    found["no_functions"] = [len(seen.looks[0].functions), seen.findings]
    return found


def main():
    names = [measures, places, hidden, dead, findings, losses, same_bytes, course, refused]
    chosen = [own for own in names if len(sys.argv) < 2 or own.__name__ in sys.argv[1:]]
    print(json.dumps({own.__name__: own() for own in chosen}))


if __name__ == "__main__":
    main()
