"""Layers: frozen descriptions, each with the shapes it makes and what it computes.

`Act()` marks the place where the activation under study goes; `Act("relu")` is a fixed one. A layer computes with
the array namespace of its input, so that the same network runs in JAX while it is trained and in NumPy when
somebody looks at a recording later.
"""

from actlab.layers.activation import Act
from actlab.layers.description import Array, Shape, names_as_recorded, written
from actlab.layers.normalising import BatchNorm, LocalResponseNorm
from actlab.layers.plain import Dropout, Flatten, Scale
from actlab.layers.pooling import AvgPool, GlobalPool, MaxPool
from actlab.layers.residual import Fork, Join, Layer, Residual, projection
from actlab.layers.weighted import WEIGHTED, Conv, Dense

__all__ = [
    "WEIGHTED",
    "Act",
    "Array",
    "AvgPool",
    "BatchNorm",
    "Conv",
    "Dense",
    "Dropout",
    "Flatten",
    "Fork",
    "GlobalPool",
    "Join",
    "Layer",
    "LocalResponseNorm",
    "MaxPool",
    "Residual",
    "Scale",
    "Shape",
    "names_as_recorded",
    "projection",
    "written",
]
