"""MNIST, Fashion-MNIST and CIFAR-10: downloaded once, verified, scaled to [0, 1].

The files are those of the authors, byte for byte; `download` says where they are kept. The test split is the
source's own; validation is cut from the source's training images, stratified by class, by the seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from actlab.tasks.download import Mirror, Source, fetch
from actlab.tasks.formats import read_cifar10, read_idx
from actlab.tasks.split import hold_out
from actlab.tasks.task import Pair, Samples, Task, build

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


def mnist(seed: int) -> Task:
    """70,000 handwritten digits, 28 × 28 × 1: 50,000 train, 10,000 validation, 10,000 test.

    Source: Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits, 1998.

    >>> len(MNIST.digests), MNIST.folder
    (4, 'mnist')
    """
    return _idx_task("mnist", MNIST, None, "MNIST (LeCun, Cortes, Burges 1998, CC BY-SA 3.0)", seed)


def fashion_mnist(seed: int) -> Task:
    """70,000 articles of clothing, 28 × 28 × 1: 50,000 train, 10,000 validation, 10,000 test.

    Source: H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, 2017, arXiv 1708.07747.

    >>> FASHION_CLASSES[9]
    'ankle boot'
    """
    return _idx_task(
        "fashion-mnist",
        FASHION_MNIST,
        FASHION_CLASSES,
        "Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, MIT)",
        seed,
    )


def cifar10(seed: int) -> Task:
    """60,000 photographs, 32 × 32 × 3: 41,667 train, 8,333 validation (a sixth), 10,000 test.

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.

    >>> CIFAR10_CLASSES.index("cat")
    3
    """
    path = fetch(CIFAR10)["cifar-10-binary.tar.gz"]
    train, test = read_cifar10(path)
    return _image_task("cifar10", train, test, CIFAR10_CLASSES, "CIFAR-10 (Krizhevsky 2009, no licence stated)", seed)


def _idx_task(name: str, source: Source, classes: Sequence[str] | None, credit: str, seed: int) -> Task:
    """The task of four IDX files: training and test images and labels."""
    paths = fetch(source)
    x_train, y_train, x_test, y_test = (read_idx(paths[file]) for file in source.digests)
    return _image_task(name, (x_train[..., None], y_train), (x_test[..., None], y_test), classes, credit, seed)


def _image_task(name: str, train: Pair, test: Pair, classes: Sequence[str] | None, credit: str, seed: int) -> Task:
    """Scale, cut validation from train, build: images uint8, (n, height, width, channels)."""
    rest, validation = hold_out(*train, seed, name=name)
    parts = [(_scale(x), y) for x, y in (rest, validation, test)]
    return build(
        name,
        *parts,
        classes=classes,
        provenance=f"{credit}, pixels divided by 255; validation: {len(validation[0]):,} of the source's "
        f"{len(train[0]):,} training images, stratified by class, seed {seed}; test: the source's",
    )


def _scale(images: npt.NDArray[np.generic]) -> Samples:
    """Pixels 0 to 255 as float32 in [0, 1]."""
    return images.astype(np.float32) / np.float32(255)
