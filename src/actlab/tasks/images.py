"""MNIST, Fashion-MNIST and CIFAR-10: downloaded once, verified, scaled to [0, 1].

The files are those of the authors, byte for byte; `download` says where they are kept. The test split is the
source's own; validation is cut from the source's training images, stratified by class, by the seed, or is the test
split itself where a published experiment did so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from actlab.tasks.download import Mirror, Source, data_directory, fetch
from actlab.tasks.formats import read_cifar10, read_idx
from actlab.tasks.split import hold_out
from actlab.tasks.sprites import LABELS, read_sprites
from actlab.tasks.task import VALIDATED_ON_TEST, Pair, Samples, Task, Validation, build

MNIST = Source(
    folder="mnist",
    digests={
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    mirrors=(
        Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/"),
        Mirror("https://storage.googleapis.com/cvdf-datasets/mnist/"),
    ),
)
FASHION_MNIST = Source(
    folder="fashion-mnist",
    digests={
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
    mirrors=(
        Mirror("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
        Mirror("https://storage.googleapis.com/tensorflow/tf-keras-datasets/"),
        Mirror("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"),
    ),
)
CIFAR10 = Source(
    folder="cifar10",
    digests={"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
    mirrors=(
        Mirror("https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/"),
        Mirror("https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/"),
        Mirror(
            "https://www.cs.toronto.edu/~kriz/",
            note="CIFAR-10 (170 MB) comes from a slow mirror: it may take an hour, once.",
        ),
    ),
)
FASHION_CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def mnist(seed: int, validation: Validation = "held-out") -> Task:
    """70,000 handwritten digits, 28 × 28 × 1: 50,000 train, 10,000 validation, 10,000 test.

    Source: Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits, 1998.

    >>> len(MNIST.digests), MNIST.folder
    (4, 'mnist')
    """
    return _idx_task("mnist", MNIST, None, "MNIST (LeCun, Cortes, Burges 1998, CC BY-SA 3.0)", seed, validation)


def fashion_mnist(seed: int, validation: Validation = "held-out") -> Task:
    """70,000 articles of clothing, 28 × 28 × 1: 50,000 train, 10,000 validation, 10,000 test.

    Source: H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, 2017, arXiv 1708.07747.

    >>> FASHION_CLASSES[9]
    'ankle boot'
    """
    credit = "Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, MIT)"
    return _idx_task("fashion-mnist", FASHION_MNIST, FASHION_CLASSES, credit, seed, validation)


def cifar10(seed: int, validation: Validation = "held-out") -> Task:
    """60,000 photographs, 32 × 32 × 3: 41,667 train, 8,333 validation (a sixth), 10,000 test.

    Read from the author's binary archive or, where only that lies in the folder, from a copy of it as WebP images
    (`sprites`).

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.

    >>> CIFAR10_CLASSES.index("cat")
    3
    """
    credit = "CIFAR-10 (Krizhevsky 2009, no licence stated)"
    folder, (archive,) = data_directory() / CIFAR10.folder, CIFAR10.digests
    if (folder / LABELS).exists() and not (folder / archive).exists():
        copy = read_sprites(folder)
        train, test = copy.train, copy.test
        credit += (
            f", from a copy as WebP images of which {copy.inexact_train} training and {copy.inexact_test} test images "
            "are JPEG decodes and the others exact"
        )
    else:
        train, test = read_cifar10(fetch(CIFAR10)[archive])
    return _image_task("cifar10", train, test, CIFAR10_CLASSES, credit, seed, validation)


def _idx_task(
    name: str, source: Source, classes: Sequence[str] | None, credit: str, seed: int, validation: Validation
) -> Task:
    """The task of four IDX files: training and test images and labels."""
    paths = fetch(source)
    x_train, y_train, x_test, y_test = (read_idx(paths[file]) for file in source.digests)
    train, test = (x_train[..., None], y_train), (x_test[..., None], y_test)
    return _image_task(name, train, test, classes, credit, seed, validation)


def _image_task(
    name: str,
    train: Pair,
    test: Pair,
    classes: Sequence[str] | None,
    credit: str,
    seed: int,
    validation: Validation,
) -> Task:
    """Scale images uint8, (n, height, width, channels); validation is cut from train, or is the test data; build."""
    scaled_test = _scale(test)
    if validation == "test":
        parts = [_scale(train), scaled_test, scaled_test]
        rule = f"training: all {len(train[0]):,} of the source's training images; {VALIDATED_ON_TEST}"
    else:
        rest, held_out = hold_out(*train, seed, name=name)
        parts = [_scale(rest), _scale(held_out), scaled_test]
        rule = (
            f"validation: {len(held_out[0]):,} of the source's {len(train[0]):,} training images, stratified by "
            f"class, seed {seed}"
        )
    provenance = f"{credit}, pixels divided by 255; {rule}; test: the source's"
    return build(name, *parts, classes=classes, provenance=provenance)


def _scale(pair: Pair) -> tuple[Samples, npt.NDArray[np.generic]]:
    """Pixels 0 to 255 as float32 in [0, 1]; labels as they are."""
    images, labels = pair
    return images.astype(np.float32) / np.float32(255), labels
