"""MNIST, Fashion-MNIST, CIFAR-10: binary formats, verified downloads, and the real files where they are."""

import gzip
import hashlib
import io
import os
import socket
import struct
import subprocess
import sys
import tarfile
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from actlab import tasks
from actlab.errors import DownloadFailed, InvalidData
from actlab.tasks import images, sprites
from actlab.tasks.download import Mirror, Source, data_directory, fetch
from actlab.tasks.formats import read_cifar10, read_idx
from actlab.tasks.sprites import read_sprites


@pytest.fixture
def real_data():
    """Return a function that loads a task from the real files, or skips and says why."""

    def load(source, name, **options):
        folder = os.environ.get("ACTLAB_DATA")
        if not folder:
            pytest.skip("ACTLAB_DATA is not set: it names the directory of the real data files")
        missing = [file for file in source.digests if not (Path(folder) / source.folder / file).exists()]
        if missing:
            pytest.skip(f"$ACTLAB_DATA/{source.folder} lacks {', '.join(missing)}")
        return tasks.load(name, **options)

    return load


# IDX


def idx(array, kind=8):
    """The bytes of an IDX file, after the format's description: see formats.read_idx."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    return header + array.tobytes()


def written(tmp_path, content):
    path = tmp_path / "data.gz"
    path.write_bytes(gzip.compress(content))
    return path


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 28, 28), (2, 5, 3), (300, 2, 2, 2)])
def test_idx_files_are_read(tmp_path, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_array_equal(read_idx(written(tmp_path, idx(array))), array)


def test_idx_of_handwritten_bytes(tmp_path):
    content = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 10, 20, 30, 40, 50, 60])
    assert read_idx(written(tmp_path, content)).tolist() == [[10, 20, 30], [40, 50, 60]]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no IDX file"),
        (b"\0\0\x08", "no IDX file"),
        (b"\0\0\x08\0", "no IDX file"),
        (b"\0\0\x08\x03\0\0\0\x01", "no IDX file"),
        (b"\x01\0\x08\x01\0\0\0\x01a", "no IDX file"),
        (idx(np.zeros(2), kind=0x0E), "no IDX file"),
        (idx(np.zeros((2, 3), np.uint8))[:-1], "(2, 3), 6 values, and holds 5"),
        (idx(np.zeros((2, 3), np.uint8)) + b"x", "(2, 3), 6 values, and holds 7"),
        (b"\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff", "and holds 0"),
    ],
)
def test_idx_content_that_is_wrong(tmp_path, content, complaint):
    with pytest.raises(InvalidData) as caught:
        read_idx(written(tmp_path, content))
    assert complaint in str(caught.value)
    assert "data.gz" in str(caught.value)


def test_idx_files_cut_or_never_compressed(tmp_path):
    path = written(tmp_path, idx(np.random.default_rng(0).integers(0, 256, 1000, dtype=np.uint8)))
    whole = path.read_bytes()
    for content in (whole[:-20], whole[:30], whole[:40] + b"\0" * 40 + whole[80:], b"plain bytes"):
        path.write_bytes(content)
        with pytest.raises(InvalidData, match=r"data\.gz cannot be read as a gzip file"):
            read_idx(path)


# CIFAR-10


def cifar(path, batches, folder="cifar-10-batches-bin"):
    """Write a .tar.gz of batches: each a list of (label, image of (32, 32, 3)) or bytes."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in batches.items():
            if not isinstance(content, bytes):
                content = b"".join(
                    bytes([label]) + b"".join(image[:, :, c].tobytes() for c in range(3)) for label, image in content
                )
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def photographs(seed, count):
    rng = np.random.default_rng(seed)
    return [(int(rng.integers(10)), rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)) for _ in range(count)]


def batches(count=2):
    made = {f"data_batch_{number}.bin": photographs(number, count) for number in range(1, 6)}
    return made | {"test_batch.bin": photographs(6, count + 1), "batches.meta.txt": b"airplane\n"}


def test_cifar10_archives_are_read_in_order(tmp_path):
    made = batches()
    train, test = read_cifar10(cifar(tmp_path / "c.tar.gz", made))
    expected = [pair for number in range(1, 6) for pair in made[f"data_batch_{number}.bin"]]
    np.testing.assert_array_equal(train[0], np.stack([image for _, image in expected]))
    assert train[1].tolist() == [label for label, _ in expected]
    np.testing.assert_array_equal(test[0], np.stack([image for _, image in made["test_batch.bin"]]))
    assert test[0].shape == (3, 32, 32, 3)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"data_batch_3.bin": None}, "holds no cifar-10-batches-bin/data_batch_3.bin"),
        ({"test_batch.bin": b"\0" * 3072}, "test_batch.bin holds 3,072 bytes"),
        ({"data_batch_1.bin": b""}, "data_batch_1.bin holds 0 bytes"),
        ({"data_batch_2.bin": b"\x0a" + b"\0" * 3072}, "data_batch_2.bin holds the label 10"),
    ],
)
def test_cifar10_archives_that_are_wrong(tmp_path, change, complaint):
    made = {name: content for name, content in (batches() | change).items() if content is not None}
    with pytest.raises(InvalidData) as caught:
        read_cifar10(cifar(tmp_path / "c.tar.gz", made))
    assert complaint in str(caught.value)


def test_cifar10_archives_cut_or_of_another_kind(tmp_path):
    path = cifar(tmp_path / "c.tar.gz", batches())
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"plain bytes", gzip.compress(b"no archive")):
        path.write_bytes(content)
        with pytest.raises(InvalidData, match=r"c\.tar\.gz cannot be read"):
            read_cifar10(path)


@pytest.fixture
def small_archive(tmp_path, monkeypatch):
    """An archive of 60 images a batch where the real one is looked for; returns the test batch."""
    made = {
        name: [(i % 10, image) for i, (_, image) in enumerate(photographs(seed, 60))]
        for seed, name in enumerate(list(batches())[:6])
    }
    (tmp_path / "cifar10").mkdir(exist_ok=True)
    path = cifar(tmp_path / "cifar10" / "cifar-10-binary.tar.gz", made)
    source = replace(images.CIFAR10, digests={path.name: hashlib.sha256(path.read_bytes()).hexdigest()})
    monkeypatch.setattr(images, "CIFAR10", source)
    monkeypatch.setenv("ACTLAB_DATA", str(tmp_path))
    return made["test_batch.bin"]


def test_the_cifar10_task_of_a_small_archive(small_archive):
    task = tasks.load("cifar10", seed=3)
    assert (len(task.y_train), len(task.y_validation), len(task.y_test)) == (250, 50, 60)
    assert np.bincount(task.y_validation).tolist() == [5] * 10
    assert task.input_shape == (32, 32, 3)
    assert task.classes == images.CIFAR10_CLASSES
    np.testing.assert_allclose(task.x_test[0], small_archive[0][1] / 255, rtol=1e-6)
    assert task.provenance.endswith("stratified by class, seed 3; test: the source's")


def test_all_training_images_train_where_the_test_images_validate(small_archive):
    task, held_out = tasks.load("cifar10", validation="test"), tasks.load("cifar10")
    assert (len(task.y_train), len(task.y_validation), len(task.y_test)) == (300, 60, 60)
    np.testing.assert_array_equal(task.x_validation, task.x_test)
    np.testing.assert_array_equal(task.y_validation, task.y_test)
    np.testing.assert_array_equal(task.x_test, held_out.x_test)
    rows = lambda *parts: sorted(image.tobytes() for part in parts for image in part)  # noqa: E731
    assert rows(task.x_train) == rows(held_out.x_train, held_out.x_validation)
    assert "all 300 of the source's training images" in task.provenance
    assert "validation is the test data" in task.provenance
    assert "nothing may be chosen on it" in task.provenance
    assert task.digest != held_out.digest
    assert task.digest == tasks.load("cifar10", seed=5, validation="test").digest, "nothing is left to draw"


# CIFAR-10 as WebP images


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of 7 × 5 tiles a sheet, five images of them inexact; returns its folder, images and labels."""
    Image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    folder = tmp_path / "cifar10"
    folder.mkdir()
    pixels = {name: rng.integers(0, 256, (35, 32, 32, 3), dtype=np.uint8) for name in ("test", *map(str, range(5)))}
    for name, tiles in pixels.items():
        sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in tiles.reshape(7, 5, 32, 32, 3)])
        Image.fromarray(sheet).save(folder / f"{'train_' if name != 'test' else ''}{name}.webp", lossless=True)
    flags = np.arange(175) % 40 != 3, np.arange(35) != 7
    arrays = {
        "x_train": np.concatenate([pixels[str(number)] for number in range(5)]),
        "x_test": pixels["test"],
        "y_train": (np.arange(175) % 10).astype(np.uint8),
        "y_test": (np.arange(35) % 10).astype(np.uint8),
        "exact_train": flags[0],
        "exact_test": flags[1],
    }
    np.savez(folder / "labels.npz", **{key: value for key, value in arrays.items() if key[0] != "x"})
    digests = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}
    monkeypatch.setattr(sprites, "DIGESTS", digests)
    monkeypatch.setenv("ACTLAB_DATA", str(tmp_path))
    return folder, arrays


def test_a_copy_as_webp_images_is_read_in_order(copy):
    folder, arrays = copy
    found = read_sprites(folder)
    np.testing.assert_array_equal(found.train[0], arrays["x_train"])
    np.testing.assert_array_equal(found.train[1], arrays["y_train"])
    np.testing.assert_array_equal(found.test[0], arrays["x_test"])
    np.testing.assert_array_equal(found.test[1], arrays["y_test"])
    assert (found.inexact_train, found.inexact_test) == (5, 1)
    assert not found.train[0].flags.writeable
    assert read_sprites(folder) is found, "decoded once in a process"


def test_the_cifar10_task_of_a_copy_says_what_is_not_exact(copy):
    task = tasks.load("cifar10", validation="test")
    np.testing.assert_allclose(task.x_train, copy[1]["x_train"] / np.float32(255))
    assert "5 training and 1 test images are JPEG decodes and the others exact" in task.provenance
    assert (len(tasks.load("cifar10").y_train), len(tasks.load("cifar10").y_validation)) == (146, 29)


def test_the_archive_comes_before_the_copy(copy, small_archive):
    task = tasks.load("cifar10")
    np.testing.assert_allclose(task.x_test[0], small_archive[0][1] / 255, rtol=1e-6)
    assert "JPEG" not in task.provenance


def without(folder, name):
    (folder / name).unlink()


def cut(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:-100])


def single(folder, name):
    with (folder / name).open("wb") as stream:
        np.save(stream, np.arange(3))


def another(folder, name):
    (folder / name).write_bytes((folder / "train_3.webp").read_bytes())


@pytest.mark.parametrize(
    ("change", "name", "complaint"),
    [
        (without, "train_2.webp", "train_2.webp cannot be read as a WebP image (No such file or directory)"),
        (cut, "test.webp", "test.webp cannot be read as a WebP image"),
        (another, "train_0.webp", "x_train of the copy as WebP images has the wrong SHA-256 digest"),
        (another, "test.webp", "x_test of the copy as WebP images has the wrong SHA-256 digest"),
        (cut, "labels.npz", "labels.npz cannot be read as an .npz file with y_train, y_test, exact_train, exact_test"),
        (single, "labels.npz", "labels.npz cannot be read as an .npz file"),
        (another, "labels.npz", "labels.npz cannot be read as an .npz file"),
    ],
)
def test_a_copy_that_is_damaged(copy, change, name, complaint):
    change(copy[0], name)
    with pytest.raises(InvalidData) as caught:
        tasks.load("cifar10")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_sheet_of_another_size(copy):
    from PIL import Image

    Image.new("RGB", (64, 33)).save(copy[0] / "test.webp", lossless=True)
    with pytest.raises(InvalidData, match=r"test\.webp is no sheet of 32×32 tiles: it is 33×64"):
        read_sprites(copy[0])


# Downloads


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Reach the mirrors of these tests directly, whatever proxy the environment names."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


CONTENT = {"a.bin": bytes(range(256)) * 2000, "b.bin": b"second file"}


class Server(ThreadingHTTPServer):
    """A mirror on this machine: `answers` says for each path what it sends."""

    daemon_threads = True

    def __init__(self, answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers
        self.asked = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def mirror(self):
        return Mirror(f"http://127.0.0.1:{self.server_port}/")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Accept-Encoding"]))
        answer = self.server.answers.get(self.path)
        if answer is None:
            self.send_error(404)
            return
        content, length = answer
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def serve():
    started = []

    def start(answers=None, **changed):
        files = {f"/{name}": (content, len(content)) for name, content in (CONTENT | changed).items()}
        started.append(Server(files if answers is None else answers))
        return started[-1]

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.fixture
def nowhere():
    """A mirror that refuses connections: a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Mirror(f"http://127.0.0.1:{probe.getsockname()[1]}/")


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def source(*mirrors, files=("a.bin",)):
    return Source("set", {name: sha256(CONTENT[name]) for name in files}, mirrors)


def left(directory):
    return sorted(path.name for path in (directory / "set").iterdir()) if (directory / "set").exists() else []


def failure(wanted, directory):
    with pytest.raises(DownloadFailed) as caught:
        fetch(wanted, directory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_are_downloaded_once(tmp_path, serve):
    server = serve()
    wanted = source(server.mirror, files=("a.bin", "b.bin"))
    for _ in range(2):
        paths = fetch(wanted, tmp_path)
        assert {name: path.read_bytes() for name, path in paths.items()} == CONTENT
    assert left(tmp_path) == ["a.bin", "b.bin"]
    # "identity": a server that packs on the way would have us store other bytes.
    assert server.asked == [("/a.bin", "identity"), ("/b.bin", "identity")]


def test_the_second_mirror_is_tried_after_404_refusal_wrong_and_cut_files(tmp_path, serve, nowhere):
    missing = serve({})
    wrong = serve(**{"a.bin": b"something else"})
    cut = serve({"/a.bin": (CONTENT["a.bin"][:1000], len(CONTENT["a.bin"]))})
    right = serve()
    mirrors = [missing.mirror, nowhere, wrong.mirror, cut.mirror, right.mirror]
    assert fetch(source(*mirrors), tmp_path)["a.bin"].read_bytes() == CONTENT["a.bin"]
    assert [len(server.asked) for server in (missing, wrong, cut, right)] == [1, 1, 1, 1]
    assert left(tmp_path) == ["a.bin"]


def test_mirrors_after_the_first_that_has_it_are_left_in_peace(tmp_path, serve):
    first, second = serve(), serve()
    fetch(source(first.mirror, second.mirror), tmp_path)
    assert second.asked == []


def test_a_wrong_digest_from_every_mirror(tmp_path, serve):
    message = failure(source(serve(**{"a.bin": b"altered"}).mirror), tmp_path)
    assert f"SHA-256 {sha256(b'altered')} where {sha256(CONTENT['a.bin'])} was expected" in message
    assert "a.bin could be had from no mirror" in message
    assert left(tmp_path) == []


def test_a_transfer_that_breaks_off(tmp_path, serve):
    server = serve({"/a.bin": (CONTENT["a.bin"][:1000], len(CONTENT["a.bin"]))})
    assert "broke off the transfer" in failure(source(server.mirror), tmp_path)
    assert left(tmp_path) == []


def test_no_network_says_which_files_to_put_where(tmp_path, serve, nowhere):
    fetch(source(serve().mirror), tmp_path)
    message = failure(source(nowhere, files=("a.bin", "b.bin")), tmp_path)
    assert "cannot be reached" in message
    assert f"put b.bin (from {nowhere.address}) into {tmp_path / 'set'}" in message
    assert "ACTLAB_DATA" in message
    assert message.endswith("or go on without: actlab compare digits.")
    message = failure(source(nowhere, files=("a.bin", "b.bin")), tmp_path / "empty")
    assert "put a.bin, b.bin" in message


def test_404_everywhere(tmp_path, serve):
    assert "answered 404" in failure(source(serve({}).mirror, serve({}).mirror), tmp_path)
    assert left(tmp_path) == []


@pytest.mark.parametrize("content", [CONTENT["a.bin"][:-1], b"", b"another file"])
def test_a_file_with_the_wrong_digest_is_named_and_not_touched(tmp_path, serve, content):
    server = serve()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.bin").write_bytes(content)
    message = failure(source(server.mirror, files=("a.bin", "b.bin")), tmp_path)
    assert f"{tmp_path / 'set' / 'a.bin'} has the wrong SHA-256 digest" in message
    assert f"expected {sha256(CONTENT['a.bin'])}, found {sha256(content)}" in message
    assert (tmp_path / "set" / "a.bin").read_bytes() == content
    assert server.asked == []


def test_a_copy_of_ones_own_is_used_without_a_network(tmp_path, nowhere, monkeypatch):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.bin").write_bytes(CONTENT["a.bin"])
    monkeypatch.setenv("ACTLAB_DATA", str(tmp_path))
    assert fetch(source(nowhere)) == {"a.bin": tmp_path / "set" / "a.bin"}


def test_a_directory_that_cannot_be_made(tmp_path, serve):
    (tmp_path / "set").write_text("a file in the way")
    assert "could not be saved" in failure(source(serve().mirror), tmp_path)


def test_the_data_directory_is_chosen_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLAB_DATA", str(tmp_path))
    assert data_directory() == tmp_path
    monkeypatch.setenv("ACTLAB_DATA", "~/data")
    assert data_directory() == Path.home() / "data"
    monkeypatch.delenv("ACTLAB_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_directory().name == "actlab"


def test_no_progress_bar_where_stderr_is_no_terminal(tmp_path, serve, capfd):
    fetch(source(serve().mirror), tmp_path)
    assert capfd.readouterr() == ("", "")


def test_a_slow_mirror_says_so_while_it_runs_and_not_when_it_is_dead(tmp_path, serve, nowhere, capfd):
    failure(source(replace(nowhere, note="slow")), tmp_path)
    assert capfd.readouterr().err == ""
    fetch(source(replace(serve().mirror, note="this one is slow")), tmp_path)
    assert capfd.readouterr().err == "this one is slow\n"


def test_a_progress_bar_where_stderr_is_a_terminal(tmp_path, serve):
    termios = pytest.importorskip("termios", reason="no pseudo-terminals on this system")
    server = serve()
    wanted, folder = source(server.mirror), str(tmp_path)
    code = f"from pathlib import Path; from actlab.tasks.download import *; fetch({wanted!r}, Path({folder!r}))"
    terminal, stderr = os.openpty()
    termios.tcsetwinsize(stderr, (24, 80))
    subprocess.run([sys.executable, "-c", code], stderr=stderr, check=True)
    os.close(stderr)
    shown = os.read(terminal, 10_000).decode()
    os.close(terminal)
    assert "a.bin" in shown
    assert "100%" in shown


def test_every_source_has_digests_and_mirrors_and_cifar_warns_of_its_slow_one():
    for made in (images.MNIST, images.FASHION_MNIST, images.CIFAR10):
        assert len(made.mirrors) >= 2
        assert all(mirror.address.endswith("/") for mirror in made.mirrors)
        assert all(len(digest) == 64 and int(digest, 16) for digest in made.digests.values())
    notes = {mirror.address: mirror.note for mirror in images.CIFAR10.mirrors}
    assert "slow" in notes["https://www.cs.toronto.edu/~kriz/"]


# The real files


def test_real_mnist(real_data):
    task = real_data(images.MNIST, "mnist")
    assert (task.x_train.shape, task.x_validation.shape) == ((50_000, 28, 28, 1), (10_000, 28, 28, 1))
    assert task.x_test.shape == (10_000, 28, 28, 1)
    assert (task.x_train.min(), task.x_train.max()) == (0, 1)
    # The counts of each digit, as published with the set.
    published = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert (np.bincount(task.y_train) + np.bincount(task.y_validation)).tolist() == published
    assert np.bincount(task.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert task.y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.abs(np.bincount(task.y_validation) - np.array(published) / 6).max() < 1
    everything = (task.x_train.sum(dtype=np.float64) + task.x_validation.sum(dtype=np.float64)) / (60_000 * 784)
    assert everything == pytest.approx(0.1307, abs=5e-5)
    assert task.classes == tuple("0123456789")
    assert "10,000 of the source's 60,000" in task.provenance


def test_the_first_real_mnist_labels(real_data):
    real_data(images.MNIST, "mnist")
    labels = read_idx(data_directory() / "mnist" / "train-labels-idx1-ubyte.gz")
    assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


def test_real_fashion_mnist(real_data):
    task = real_data(images.FASHION_MNIST, "fashion-mnist")
    assert np.bincount(task.y_train).tolist() == [5000] * 10
    assert np.bincount(task.y_validation).tolist() == [1000] * 10
    assert np.bincount(task.y_test).tolist() == [1000] * 10
    assert task.classes[task.y_test[0]] == "ankle boot"
    everything = (task.x_train.sum(dtype=np.float64) + task.x_validation.sum(dtype=np.float64)) / (60_000 * 784)
    assert everything == pytest.approx(0.2860, abs=5e-5)
    assert "MIT" in task.provenance


def test_real_mnist_validated_on_its_test_images(real_data):
    task = real_data(images.MNIST, "mnist", validation="test")
    assert (len(task.x_train), len(task.x_validation), len(task.x_test)) == (60_000, 10_000, 10_000)
    assert task.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert "validation is the test data" in task.provenance


def test_real_cifar10(real_data):
    task = real_data(images.CIFAR10, "cifar10")
    assert (len(task.y_train), len(task.y_validation), len(task.y_test)) == (41_667, 8_333, 10_000)
    assert np.bincount(task.y_test).tolist() == [1000] * 10
    assert (np.bincount(task.y_train) + np.bincount(task.y_validation)).tolist() == [5000] * 10
    assert [task.classes[label] for label in task.y_test[:3]] == ["cat", "ship", "ship"]


def test_the_real_copy_of_cifar10(real_data):
    task = real_data(replace(images.CIFAR10, digests=dict.fromkeys(["labels.npz"], "")), "cifar10", validation="test")
    assert (len(task.y_train), len(task.y_test)) == (50_000, 10_000)
    assert np.bincount(task.y_train).tolist() == [5000] * 10
    assert [task.classes[label] for label in task.y_test[:3]] == ["cat", "ship", "ship"]
    # The mean and standard deviation of each channel, as they are commonly published.
    np.testing.assert_allclose(task.x_train.mean(axis=(0, 1, 2), dtype=float), [0.4914, 0.4822, 0.4465], atol=1e-4)
    np.testing.assert_allclose(task.x_train.std(axis=(0, 1, 2), dtype=float), [0.2470, 0.2435, 0.2616], atol=1e-4)
    assert "75 training and 20 test images are JPEG decodes" in task.provenance
