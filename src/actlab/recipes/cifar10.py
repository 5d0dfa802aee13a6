"""Recipes on CIFAR-10: LeNet-5 on unscaled pixels, and the network of TensorFlow's old tutorial."""

from __future__ import annotations

from actlab.layers import Act, Conv, Dense, Flatten, LocalResponseNorm, MaxPool, Scale
from actlab.recipes.description import Recipe, curve
from actlab.study import SGD, Adam, Study

_RUNNING_MEAN = (
    "Keras' mean over the batches of the epoch while the weights still change; ours is measured at the end of the "
    "epoch, on weights that have trained half an epoch longer"
)

CIFAR10_LENET5 = Recipe(
    title="CIFAR-10, LeNet-5 on unscaled pixels: ReLU, and what happens with others in its place",
    source="“Using Activation Functions in Neural Networks”, Machine Learning Mastery (2022); the network after "
    "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document recognition (1998).",
    study=Study(
        name="cifar10-lenet5",
        task="cifar10",
        validation="test",
        network=(
            Scale(255),
            Conv(6, 5),
            Act(),
            MaxPool(2),
            Conv(16, 5),
            Act(),
            MaxPool(2),
            Conv(120, 5),
            Act(),
            Flatten(),
            Dense(84),
            Act(),
            Dense(10),
        ),
        activations=("relu", "sigmoid", "tanh", "leaky_relu", "prelu", "maxout"),
        optimiser=Adam(),
        learning_rates=(0.001,),
        batch=256,
        epochs=10,
        seeds=tuple(range(3)),
    ),
    choices=(
        "Pixels: 0 to 255, as in the source; the first layer undoes the scaling of the data. Scaled pixels are the "
        "variant --set network.0.factor=1.",
        "Learning rate: 0.001, Adam's usual one, since the source names none; β₁ 0.9, β₂ 0.999, ε 1e-8.",
        "Initial weights: Glorot uniform, biases zero, which is what Keras does where nothing is said.",
        "Validation: the test data, as in the source; nothing is chosen on it.",
        "sigmoid, tanh, leaky ReLU (slope 0.01), PReLU (a slope for each channel and unit) and maxout (the larger of "
        "two pieces, so twice the filters and units before it) are ours; the source trains ReLU alone, with one seed.",
    ),
    published=(
        *curve(
            "train_accuracy",
            "relu",
            (0.339, 0.493, 0.558, 0.609, 0.659, 0.702, 0.743, 0.789, 0.827, 0.861),
            note=_RUNNING_MEAN,
        ),
        *curve(
            "validation_accuracy",
            "relu",
            (0.451, 0.511, 0.517, 0.553, 0.551, 0.549, 0.549, 0.544, 0.533, 0.542),
        ),
        *curve(
            "validation_loss",
            "relu",
            (1.553, 1.381, 1.360, 1.289, 1.323, 1.396, 1.412, 1.536, 1.780, 1.831),
        ),
    ),
)

CIFAR10_CNN = Recipe(
    title="CIFAR-10, two convolutions with local response normalisation: gradients are key to understanding",
    source="A published comparison of activation functions on CIFAR-10, known by its setting and its findings: it has "
    "no table of numbers. The network is that of TensorFlow's CIFAR-10 tutorial (2015), after A. Krizhevsky.",
    study=Study(
        name="cifar10-cnn",
        task="cifar10",
        validation="test",
        network=(
            Conv(64, 5, init="normal(0.05)"),
            Act(),
            MaxPool(3, stride=2, padding="same"),
            LocalResponseNorm(depth_radius=4, bias=1.0, alpha=0.001 / 9, beta=0.75),
            Conv(64, 5, init="normal(0.05)"),
            Act(),
            LocalResponseNorm(depth_radius=4, bias=1.0, alpha=0.001 / 9, beta=0.75),
            MaxPool(3, stride=2, padding="same"),
            Flatten(),
            Dense(384, init="normal(0.04)", l2=0.004),
            Act(),
            Dense(192, init="normal(0.04)", l2=0.004),
            Act(),
            Dense(10, init=f"normal({1 / 192:.6f})"),
        ),
        activations=("sigmoid", "tanh", "relu", "leaky_relu", "elu"),
        optimiser=SGD(),
        learning_rates=(0.1,),
        batch=128,
        epochs=5,
        seeds=tuple(range(3)),
    ),
    choices=(
        "Initial weights: the tutorial's standard deviations 0.05, 0.05, 0.04, 0.04 and 1/192, normal where it cuts "
        "the tails off; biases zero where it starts three of five at 0.1.",
        "Images: whole, pixels between 0 and 1; the tutorial's random crops of 24×24, flips, changes of brightness "
        "and per-image standardisation are left out, since the source does not name them.",
        "L2: on the weights of the two fully connected layers, not on those of the output, as in the tutorial: "
        "0.004 · ½Σw² each.",
        "Learning rate: 0.1 throughout, as in the tutorial, whose first decay comes after 350 epochs.",
        "Epochs: 5, since the source names no number; few, for the time they take.",
        "Validation: the test data, as in the source; nothing is chosen on it.",
    ),
    statements=(
        "With sigmoid the cross-entropy does not improve at all; the total loss falls only by its regularisation term.",
        "With sigmoid the gradient at the first convolution is all but zero.",
        "With the other four the gradients at the first convolution are alike.",
        "ELU ≥ leaky ReLU ≥ ReLU by a little.",
    ),
)
