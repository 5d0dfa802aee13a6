"""Recipes on MNIST: one hidden layer, six of them, and a small convolutional network."""

from __future__ import annotations

from actlab.layers import Act, Conv, Dense, Dropout, Flatten, MaxPool
from actlab.recipes.description import Published, Recipe, curve
from actlab.study import Adam, Study

_EXPLORING = "“Exploring Activation Functions for Neural Networks”, Towards Data Science, 25 June 2017."
_SETTINGS = (
    "Optimiser: Adam at its usual learning rate of 0.001, since the source names none and its loss after one epoch "
    "suits Adam or RMSprop.",
    "Batch: 128 samples, since the source names no size; the usual one in Keras' own MNIST examples of that year.",
    "Initial weights: Glorot uniform, biases zero, which is what Keras does where nothing is said.",
    "Validation: the test data, as in the source, whose validation loss after the last epoch is its test loss; "
    "nothing is chosen on it.",
    "tanh and ReLU, which the source discusses and does not train, are trained too; ten seeds instead of one.",
)


def _perceptron(name: str, hidden_layers: int) -> Study:
    hidden = (Dense(512), Act()) * hidden_layers
    return Study(
        name=name,
        task="mnist",
        validation="test",
        network=(Flatten(), *hidden, Dense(10)),
        activations=("linear", "sigmoid", "tanh", "relu"),
        optimiser=Adam(),
        learning_rates=(0.001,),
        batch=128,
        epochs=5,
        seeds=tuple(range(10)),
    )


MNIST_MLP = Recipe(
    title="MNIST, 784-512-10: what a hidden layer gains from an activation function",
    source=_EXPLORING,
    study=_perceptron("mnist-mlp", 1),
    choices=_SETTINGS,
    published=(
        Published("test_accuracy", 0.918, "linear", tolerance=0.006),
        Published("test_loss", 0.299, "linear"),
        *curve("validation_accuracy", "linear", (0.9178, 0.9196, 0.9186, 0.9245, 0.9185)),
        Published("test_accuracy", 0.967, "sigmoid", tolerance=0.005),
        Published("test_loss", 0.113, "sigmoid"),
        *curve("validation_accuracy", "sigmoid", (0.9237, 0.9409, 0.9550, 0.9629, 0.9668)),
    ),
)

MNIST_DEEP_MLP = Recipe(
    title="MNIST, six hidden layers of 512: depth without an activation function adds nothing",
    source=_EXPLORING,
    study=_perceptron("mnist-deep-mlp", 6),
    choices=_SETTINGS,
    published=(
        Published("test_accuracy", 0.877, "linear"),
        Published("test_loss", 0.416, "linear"),
        *curve("validation_accuracy", "linear", (0.7928, 0.8787, 0.9005, 0.8953, 0.8767)),
        Published("test_accuracy", 0.955, "sigmoid", tolerance=0.015),
        Published("test_loss", 0.150, "sigmoid"),
        *curve("validation_accuracy", "sigmoid", (0.8949, 0.9264, 0.9408, 0.9282, 0.9548)),
    ),
    statements=(
        "Without a non-linearity any number of layers is one linear classifier: depth adds nothing, and six layers "
        "do worse than one.",
    ),
)

MNIST_CNN = Recipe(
    title="MNIST, two convolutions with pooling and dropout: five activations come to nearly the same",
    source="A published comparison of activation functions on MNIST, known by its setting and its one finding: "
    "the numbers of its table are lost.",
    study=Study(
        name="mnist-cnn",
        task="mnist",
        network=(
            Conv(16, 5),
            Act(),
            MaxPool(2),
            Conv(32, 5),
            Act(),
            MaxPool(2),
            Flatten(),
            Dense(128),
            Act(),
            Dropout(0.5),
            Dense(10),
        ),
        activations=("sigmoid", "tanh", "relu", "leaky_relu", "elu"),
        optimiser=Adam(),
        learning_rates=(0.001,),
        batch=128,
        epochs=5,
        seeds=tuple(range(3)),
    ),
    choices=(
        "Widths: 16 and 32 filters of 5×5 and 128 units, small powers of two, since the source's are lost.",
        "Dropout: half of the units of the fully connected layer, the rate of the paper that introduced it.",
        "Optimiser, learning rate and batch: Adam, 0.001, 128, as in mnist-mlp, since the source only says that they "
        "are the same for all activations.",
        "Epochs: 5, as in mnist-mlp.",
        "Initial weights: Glorot uniform, biases zero, as in mnist-mlp.",
        "Validation: a sixth of the training data, held out, since the source's own split is not known.",
    ),
    statements=("All five activations converge to nearly the same test accuracy.",),
)
