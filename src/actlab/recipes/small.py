"""Recipes that need no download: digits, which is the default comparison, two parabolas, numbers, categories."""

from __future__ import annotations

from actlab.layers import Act, Dense, Flatten
from actlab.recipes.description import Published, Recipe
from actlab.study import DEFAULT_ACTIVATIONS, SGD, Adam, Milestone, Study

DIGITS = Recipe(
    title="Real handwritten digits, 64-128-128-10, eight activations, twelve seeds",
    source="Data: Alpaydin & Kaynak 1998, UCI optical recognition of handwritten digits, in scikit-learn.",
    study=Study(
        name="digits",
        task="digits",
        network=(Flatten(), Dense(128), Act(), Dense(128), Act(), Dense(10)),
        activations=DEFAULT_ACTIVATIONS,
        optimiser=Adam(),
        learning_rates=(0.001,),
        batch=32,
        epochs=40,
        seeds=tuple(range(12)),
    ),
)

_NEGATIVES, _ALL = Milestone(name="negatives all right", label=0), Milestone(name="all right")
_LUCKY = "one seed, which the source calls lucky"


def _milestones(activation: str, negatives: int, everything: int) -> tuple[Published, Published]:
    return (
        Published(f"milestone:{_NEGATIVES.name}", negatives, activation, note=_LUCKY),
        Published(f"milestone:{_ALL.name}", everything, activation, note=_LUCKY),
    )


PARABOLAS = Recipe(
    title="Two parabolas, 2-2-1: the feature space twists until a line separates the classes",
    source=(
        "D. V. Godoy, Hyper-parameters in Action, part I: Activation functions (2018), with its own "
        "deepreplay: one seed there."
    ),
    study=Study(
        name="parabolas",
        task="parabolas",
        network=(Dense(2, init="glorot_normal"), Act(), Dense(1, init="normal(0.05)")),
        activations=("sigmoid", "tanh", "relu"),
        optimiser=SGD(),
        learning_rates=(0.05,),
        batch=16,
        epochs=150,
        seeds=tuple(range(100)),
        milestones=(_NEGATIVES, _ALL),
    ),
    choices=(
        "Validation and test points, of which the source has none: 250 a class each, drawn uniformly from the same "
        "curves, so that accuracy is measured where nothing was trained.",
        "100 seeds instead of one, since the source calls training very sensitive to the initial weights.",
    ),
    published=(*_milestones("sigmoid", 65, 103), *_milestones("tanh", 55, 69), *_milestones("relu", 10, 52)),
    statements=(
        "ReLU took about 75 % of the time it took tanh.",
        "Training is very sensitive to the initial weights.",
    ),
)

SINE = Recipe(
    title="A wave of four turns, 1-64-64-1: what fits it by pieces, by bends and by sines",
    source=(
        "Made for this: fast waves are where networks of sines part from those of ReLUs: Sitzmann and others, "
        "2020, Implicit neural representations with periodic activation functions, arXiv 2006.09661; Rahaman and "
        "others 2019, On the spectral bias of neural networks, arXiv 1806.08734."
    ),
    study=Study(
        name="sine",
        task="sine",
        network=(Dense(64), Act(), Dense(64), Act(), Dense(1)),
        activations=("relu", "leaky_relu", "tanh", "gelu", "silu", "sine", "siren", "snake"),
        optimiser=Adam(),
        learning_rates=(0.001,),
        batch=32,
        epochs=100,
        seeds=tuple(range(10)),
    ),
)

DIABETES = Recipe(
    title="Progression of diabetes in 442 patients, 10-32-32-1: a small, noisy table of numbers",
    source="Data: Efron, Hastie, Johnstone and Tibshirani 2004, Least angle regression, in scikit-learn.",
    study=Study(
        name="diabetes",
        task="diabetes",
        network=(Dense(32), Act(), Dense(32), Act(), Dense(1)),
        activations=("linear", *DEFAULT_ACTIVATIONS),
        optimiser=Adam(),
        learning_rates=(0.001,),
        batch=32,
        epochs=60,
        seeds=tuple(range(10)),
    ),
)

FRIEDMAN = Recipe(
    title="Friedman's regression of ten inputs, five of which matter, 10-64-64-1",
    source=(
        "Data: Friedman 1991, Multivariate adaptive regression splines, Annals of Statistics 19, made by scikit-learn; "
        "noise of standard deviation 1, below which no RMSE can come."
    ),
    study=Study(
        name="friedman",
        task="friedman",
        network=(Dense(64), Act(), Dense(64), Act(), Dense(1)),
        activations=DEFAULT_ACTIVATIONS,
        optimiser=Adam(),
        learning_rates=(0.001,),
        batch=32,
        epochs=60,
        seeds=tuple(range(10)),
    ),
)

TIC_TAC_TOE = Recipe(
    title="Has x won? Nine squares of a board, one-hot, 27-32-32-1: a table of categories",
    source="Data: Aha 1991, Tic-Tac-Toe Endgame, UCI, doi:10.24432/C5688J; computed here.",
    study=Study(
        name="tic-tac-toe",
        task="tic-tac-toe",
        network=(Dense(32), Act(), Dense(32), Act(), Dense(1)),
        activations=("linear", *DEFAULT_ACTIVATIONS, "quadratic"),
        optimiser=Adam(),
        learning_rates=(0.001,),
        batch=32,
        epochs=60,
        seeds=tuple(range(10)),
    ),
)
