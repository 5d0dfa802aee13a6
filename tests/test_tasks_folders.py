"""Folders of pictures: what is found in them, what the pictures become, and every way in which they can be wrong."""

from __future__ import annotations

import contextlib
import shutil
import warnings

import numpy as np
import pytest
from PIL import Image, ImageOps
from tests.command_line import command_line
from tests.tables import refused, told

from actlab import tasks
from actlab.errors import ActlabWarning, InvalidData
from actlab.study import Study, from_toml
from actlab.tasks import Reading
from actlab.tasks.decoding import decode, header
from actlab.tasks.tables import source

RNG = np.random.default_rng(0)
COUNT = 10


def pixels(*shape, dtype=np.uint8):
    return RNG.integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return array


@pytest.fixture
def pets(tmp_path):
    """Two classes of ten pictures of 6×5 pixels in colours, and their pixels by the files' names."""
    root = tmp_path / "pets"
    shown = {
        f"{name}/{i}.png": save(root / name / f"{i}.png", pixels(6, 5, 3))
        for name in ("cat", "dog")
        for i in range(COUNT)
    }
    return root, shown


def all_samples(task):
    return np.concatenate([task.x_train, task.x_validation, task.x_test])


def one(root, **options):
    """The sample that a single odd picture of class "odd" becomes, and what was told."""
    task, sentences = told(root, reading=Reading(classes="texts", **options))
    # The single one is trained on.
    place = np.flatnonzero(task.y_train == task.classes.index("odd"))
    assert len(place) == 1
    return task.x_train[place[0]], sentences


def same_pictures(task, arrays):
    """Whether a task holds these pictures, in any order."""
    found = sorted(tuple(sample.ravel().tolist()) for sample in all_samples(task))
    expected = sorted(tuple((array / 255).astype(np.float32).ravel().tolist()) for array in arrays)
    np.testing.assert_allclose(found, expected, atol=1e-6)


# What is found


def test_small_pictures_of_one_size_are_taken_as_they_are(pets):
    root, shown = pets
    task, sentences = told(root)
    assert sentences == []
    assert task.name == "pets"
    assert task.classes == ("cat", "dog")
    assert task.input_shape == (6, 5, 3)
    same_pictures(task, shown.values())
    dogs = [shown[f"dog/{i}.png"].ravel() for i in range(COUNT)]
    for x, y in zip(task.x_test, task.y_test, strict=True):
        is_dog = any(np.allclose(x.ravel() * 255, dog, atol=1e-3) for dog in dogs)
        assert task.classes[y] == ("dog" if is_dog else "cat")
    assert task.provenance == (
        "pets, 20 pictures, as they are, pixels divided by their largest value; split 60/20/20 stratified by class, "
        "seed 0"
    )


def test_the_same_pictures_are_the_same_data_and_a_pixel_makes_others(pets, tmp_path):
    root, shown = pets
    first = tasks.load(str(root))
    assert tasks.load(str(root)).digest == tasks.load(f"{root}/").digest == first.digest
    shutil.copytree(root, tmp_path / "again" / "pets")
    assert tasks.load(str(tmp_path / "again" / "pets")).digest == first.digest
    assert tasks.load(str(root), seed=1).digest != first.digest
    altered = shown["cat/3.png"].copy()
    altered[0, 0, 0] ^= 1
    save(root / "cat" / "3.png", altered)
    assert tasks.load(str(root)).digest != first.digest


@pytest.mark.parametrize(
    "words", [("train", "val", "test"), ("Training", "valid", "TEST"), ("train", "validation", "test")]
)
def test_a_folder_for_each_part(tmp_path, words):
    root, shown = tmp_path / "pets", {}
    for word, count in zip(words, (6, 2, 3), strict=True):
        shown[word] = [save(root / word / name / f"{i}.png", pixels(4, 4)) for name in ("b", "a") for i in range(count)]
    task, sentences = told(root)
    assert sentences == []
    assert [len(y) for y in (task.y_train, task.y_validation, task.y_test)] == [12, 4, 6]
    assert task.y_test.tolist() == [0, 0, 0, 1, 1, 1]
    expected = np.stack(shown[words[2]][3:] + shown[words[2]][:3])
    np.testing.assert_allclose(task.x_test[..., 0], expected / 255, rtol=1e-6)
    assert task.provenance.endswith("; all splits as in the folder")


def test_parts_that_are_missing_are_cut(tmp_path):
    root = tmp_path / "pets"
    for part, count in (("train", 12), ("test", 3)):
        for name in ("a", "b"):
            for i in range(count):
                save(root / part / name / f"{i}.png", pixels(4, 4))
    task, _ = told(root)
    assert [len(y) for y in (task.y_train, task.y_validation, task.y_test)] == [20, 4, 6]
    assert "validation a sixth of the training pictures, stratified by class, seed 0" in task.provenance
    # Pictures whose classes nobody says, as those of a competition, are no part.
    shutil.rmtree(root / "test")
    save(root / "test" / "1.png", pixels(4, 4))
    task, sentences = told(root)
    assert [len(y) for y in (task.y_train, task.y_validation, task.y_test)] == [14, 5, 5]
    assert sentences == [
        "pets: 1 file or folder is left out (test/): hidden, no pictures, empty, or in no folder of a class."
    ]


def test_classes_that_are_numbers_come_in_their_order(tmp_path):
    for name in ("10", "2", "1"):
        for i in range(4):
            save(tmp_path / "digits" / name / f"{i}.png", pixels(4, 4))
    assert tasks.load(str(tmp_path / "digits")).classes == ("1", "2", "10")


def test_what_is_no_picture_is_left_out_and_told(pets):
    root, _ = pets
    before = tasks.load(str(root)).digest
    (root / "cat" / ".DS_Store").write_bytes(b"")
    (root / "cat" / "._0.png").write_bytes(b"")
    (root / "dog" / "notes.txt").write_text("mine")
    (root / "dog" / "small").mkdir()
    save(root / "dog" / "small" / "0.png", pixels(3, 3))
    save(root / "cover.png", pixels(30, 30))
    (root / "empty").mkdir()
    (root / ".git").mkdir()
    task, sentences = told(root)
    assert task.digest == before
    assert sentences == [
        "pets: 7 files and folders are left out (.git/, cat/.DS_Store, cat/._0.png, cover.png, dog/notes.txt, … 7 in "
        "all): hidden, no pictures, empty, or in no folder of a class."
    ]


def test_classes_that_differ_in_case_are_told(pets):
    root, _ = pets
    for i in range(5):
        save(root / "Dog" / f"{i}.png", pixels(6, 5, 3))
    _, sentences = told(root)
    assert sentences == [
        "pets: the classes 'Dog' and 'dog' differ in case or blanks only and are kept apart: put their pictures into "
        "one folder if they are one."
    ]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], "pets holds no folders of pictures (.png, "),
        (["notes.txt"], "pets holds no folders of pictures (.png, "),
        (["a.png", "b.png"], "pets holds pictures, and no folders of them that say their classes: put each picture"),
        (["cat/1.png"], "pets holds pictures of one class only (cat): give a folder for each of two classes or more."),
        (
            ["all/cat/1.png", "all/dog/1.png"],
            "pets/all holds no pictures but folders of them (cat, dog): give that folder if these are the classes, or "
            "put",
        ),
        (
            ["cat/1.png", "fold/a/1.png"],
            "pets/fold holds no pictures but folders of them (a): give that folder",
        ),
        (["test/cat/1.png"], "pets holds test and no folder train with folders of classes in it: add it."),
        (
            ["train/a/1.png", "train/b/1.png", "val/a/1.png", "valid/a/1.png"],
            "pets holds the folders val and valid, and both may be the validation part: leave one out.",
        ),
        (
            ["train/a/1.png", "train/b/1.png", "test/c/1.png"],
            "pets/test/c is a class that pets/train lacks (it holds a, b): name it as one of these, add pictures of "
            "it to pets/train, or take it out.",
        ),
        (
            ["train/1.png", "train/2.png", "test/1.png"],
            "pets holds test and train, named as parts, and in them no folders of classes: put each picture into a",
        ),
        (["cat/1.png", "do\ng/1.png"], "pets: the folder 'do\\ng' has no name that can be written: rename it."),
        (["train/a/1.png", "test/a/1.png"], "pets/train holds pictures of one class only (a)"),
    ],
)
def test_folders_that_hold_no_classes(tmp_path, files, said):
    root = tmp_path / "pets"
    root.mkdir()
    for name in files:
        path = root / name
        if path.suffix == ".png":
            save(path, pixels(4, 4))
        else:
            path.write_text("mine")
    assert refused(root).startswith(said)


def test_a_class_of_a_single_picture(pets):
    root, _ = pets
    save(root / "bird" / "0.png", pixels(6, 5, 3))
    assert refused(root) == (
        "pets: the folder holds 1 class of a single sample (bird), which can be learnt or tested, but not both: take "
        "them out, or say --classes texts to train all the same."
    )
    task, _ = told(root, reading=Reading(classes="texts"))
    assert task.y_train.tolist().count(0) == 1
    assert "its classes are names of folders: say --classes texts, or leave it out" in refused(
        root, reading=Reading(classes="numbers")
    )


def test_a_folder_that_may_not_be_read(pets, monkeypatch):
    root, _ = pets

    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("actlab.tasks.class_folders._visible", refuse)
    assert refused(root).endswith("cannot be read (Permission denied).")


# What pictures become


def middle(array, size):
    """The square in the middle, resized by Pillow as it would be by hand."""
    height, width = array.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(np.ascontiguousarray(array[top : top + side, left : left + side]))
    return np.asarray(square.resize((size, size), Image.Resampling.BILINEAR))


@pytest.mark.parametrize("shape", [(40, 40, 3), (41, 64, 3), (64, 41, 3), (20, 30), (100, 7)])
@pytest.mark.parametrize("size", [8, 32])
def test_the_square_in_the_middle_is_resized(tmp_path, shape, size):
    arrays = [save(tmp_path / "pets" / name / f"{i}.png", pixels(*shape)) for name in "ab" for i in range(5)]
    task, sentences = told(tmp_path / "pets", reading=Reading(size=size))
    assert sentences == []
    same_pictures(task, [middle(array, size) for array in arrays])
    assert f"the square in their middle resized to {size}×{size}" in task.provenance


def test_halving_is_the_mean_of_four_pixels_weighted_as_a_triangle(tmp_path):
    """Antialiasing: a filter that took every second pixel would leave stripes as they are."""
    stripes = np.tile(np.array([0, 255], np.uint8), (16, 8))
    for name in "ab":
        for i in range(3):
            save(tmp_path / "pets" / name / f"{i}.png", stripes)
    task = quietly(tmp_path / "pets", Reading(size=8))
    assert np.ptp(all_samples(task)[:, :, 1:-1]) < 0.26
    np.testing.assert_allclose(all_samples(task)[:, :, 1:-1].mean(), 0.5, atol=0.01)


def quietly(root, reading):
    return told(root, reading=reading)[0]


def test_large_pictures_come_in_the_usual_size_and_that_is_told(tmp_path):
    root = tmp_path / "pets"
    arrays = [save(root / name / f"{i}.png", pixels(65, 50)) for name in "ab" for i in range(5)]
    task, sentences = told(root)
    assert sentences == [
        "pets: its pictures are of 65×50 pixels: the square in the middle of each is resized to 32×32; --size 64, or "
        "another number, says otherwise."
    ]
    same_pictures(task, [middle(array, 32) for array in arrays])
    assert quietly(root, Reading(size=32)).digest == task.digest
    assert quietly(root, Reading(size=50)).input_shape == (50, 50, 1)


def test_pictures_of_several_sizes(pets):
    root, _ = pets
    save(root / "cat" / "wide.png", pixels(20, 90, 3))
    task, sentences = told(root)
    assert task.input_shape == (32, 32, 3)
    assert sentences == [
        "pets: its pictures have 2 sizes, 6 to 20 pixels high and 5 to 90 wide: the square in the middle of each is "
        "resized to 32×32; --size 64, or another number, says otherwise."
    ]


FORMATS = {
    "0.bmp": {},
    "0.gif": {},
    "0.webp": {"lossless": True},
    "0.tif": {},
    "0.TIFF": {"compression": "tiff_lzw"},
    "0.ppm": {},
    "0.png": {},
    "0.JPG": {"quality": 95},
    "0.jpeg": {},
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_kind_of_picture(pets, name):
    root, _ = pets
    smooth = np.indices((6, 5)).sum(axis=0)[..., None].repeat(3, axis=2).astype(np.uint8) * 20
    save(root / "odd" / name, smooth, **FORMATS[name])
    sample, _ = one(root)
    with Image.open(root / "odd" / name) as picture:
        expected = np.asarray(picture.convert("RGB"))
    np.testing.assert_allclose(sample * 255, expected, atol=1e-4)
    np.testing.assert_allclose(sample * 255, smooth, atol=12 if name.lower().endswith(("jpg", "jpeg")) else 1e-4)


def test_grey_among_colours(pets):
    root, _ = pets
    grey = save(root / "odd" / "0.pgm", pixels(6, 5))
    sample, sentences = one(root)
    np.testing.assert_allclose(sample * 255, np.stack([grey] * 3, axis=-1), atol=1e-4)
    assert sentences == ["pets: 1 of 21 pictures is grey among others in colours: all are taken in colours."]


def test_what_is_transparent_is_white(pets):
    root, _ = pets
    colours, opacity = pixels(6, 5, 3), pixels(6, 5)
    opacity[0] = 0, 255, 128, 0, 255
    save(root / "odd" / "0.png", np.dstack([colours, opacity]))
    sample, sentences = one(root)
    share = opacity[..., None] / 255
    np.testing.assert_allclose(sample * 255, share * colours + (1 - share) * 255, atol=1.01)
    assert (sample[0, [0, 3]] == 1).all()
    assert sentences == ["pets: 1 of 21 pictures is transparent in places, which are made white."]
    # Where nothing shines through, nothing is told.
    save(root / "odd" / "0.png", np.dstack([colours, np.full((6, 5), 255, np.uint8)]))
    sample, sentences = one(root)
    np.testing.assert_allclose(sample * 255, colours, atol=1e-4)
    assert sentences == []


def test_palettes_with_a_transparent_colour(pets):
    root, _ = pets
    indices = RNG.integers(0, 3, (6, 5), dtype=np.uint8)
    picture = Image.frombytes("P", (5, 6), indices.tobytes())
    picture.putpalette([10, 20, 30, 200, 100, 0, 0, 0, 255])
    (root / "odd").mkdir()
    picture.save(root / "odd" / "0.png", transparency=1)
    sample, sentences = one(root)
    colours = np.array([[10, 20, 30], [255, 255, 255], [0, 0, 255]])
    np.testing.assert_allclose(sample * 255, colours[indices], atol=1e-4)
    assert len(sentences) == 1
    picture.save(root / "odd" / "0.png")
    sample, _ = one(root)
    colours[1] = 200, 100, 0
    np.testing.assert_allclose(sample * 255, colours[indices], atol=1e-4)


@pytest.mark.parametrize("name", ["{}.png", "{}.tif", "{}.pgm"])
def test_sixteen_bits(tmp_path, name):
    arrays = [
        save(tmp_path / "pets" / own / name.format(i), pixels(6, 5, dtype=np.uint16)) for own in "ab" for i in "123"
    ]
    task, sentences = told(tmp_path / "pets")
    assert sentences == []
    assert task.input_shape == (6, 5, 1)
    found = sorted(tuple(sample.ravel().tolist()) for sample in all_samples(task))
    expected = sorted(tuple((array / 65535).astype(np.float32).ravel().tolist()) for array in arrays)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    smaller = quietly(tmp_path / "pets", Reading(size=3))
    assert 0.2 < all_samples(smaller).mean() < 0.8


def test_black_and_white_and_print_colours(pets):
    root, _ = pets
    bits = RNG.random((6, 5)) < 0.5
    (root / "odd").mkdir()
    Image.fromarray(bits).save(root / "odd" / "0.png")
    sample, _ = one(root)
    np.testing.assert_array_equal(sample[..., 0], bits)
    picture = Image.fromarray(pixels(6, 5, 3)).convert("CMYK")
    picture.save(root / "odd" / "0.tif")
    (root / "odd" / "0.png").unlink()
    np.testing.assert_allclose(one(root)[0] * 255, np.asarray(picture.convert("RGB")), atol=1e-4)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["0.png", "0.tif", "0.webp"])
def test_pictures_are_turned_as_the_camera_says(tmp_path, orientation, name):
    root = tmp_path / "pets"
    size = (5, 6) if orientation > 4 else (6, 5)
    for own in "ab":
        for i in range(3):
            save(root / own / f"{i}.png", pixels(6, 5, 3))
    array = pixels(*size, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if name.endswith("webp") else {}
    save(root / "odd" / name, array, exif=exif, **options)
    sample, sentences = one(root)
    # By hand, as the standard of EXIF has it: where row 0 and column 0 are.
    turned = {
        1: array,
        2: array[:, ::-1],
        3: array[::-1, ::-1],
        4: array[::-1],
        5: array.swapaxes(0, 1),
        6: array[::-1].swapaxes(0, 1),
        7: array[::-1, ::-1].swapaxes(0, 1),
        8: array[:, ::-1].swapaxes(0, 1),
    }[orientation]
    np.testing.assert_allclose(sample * 255, turned, atol=1e-4)
    assert sentences == []
    with Image.open(root / "odd" / name) as picture:
        np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(picture)), turned)


def test_of_several_frames_the_first_is_taken(pets):
    root, _ = pets
    frames = [Image.fromarray(np.full((6, 5), value, np.uint8)) for value in (10, 200)]
    (root / "odd").mkdir()
    frames[0].save(root / "odd" / "0.gif", save_all=True, append_images=frames[1:])
    sample, sentences = one(root)
    np.testing.assert_allclose(sample * 255, 10, atol=1e-4)
    assert "pets: 1 of 21 pictures is of several frames, of which the first is taken." in sentences


def test_pictures_of_the_test_part_that_are_trained_on_are_told(pets, tmp_path):
    root, shown = pets
    for name in ("cat", "dog"):
        for i in range(COUNT):
            save(root / name / f"again {i}.png", shown[f"{name}/{i}.png"])
    task, sentences = told(root)
    train = {sample.tobytes() for sample in task.x_train}
    counts = [sum(sample.tobytes() in train for sample in own) for own in (task.x_test, task.x_validation)]
    assert sentences == [
        f"pets: {counts[0]} of 8 test pictures and {counts[1]} of 8 validation pictures are in the training part as "
        "well, pixel for pixel: on these nothing new is tested; take doubled pictures out."
    ]


# What is wrong with a picture


def test_a_picture_that_cannot_be_decoded_is_named(pets):
    root, _ = pets
    path = root / "dog" / "3.png"
    content = path.read_bytes()
    for damaged in (b"", b"hello, world", content[:60], content[:-30], content[:40] + b"x" * 20 + content[60:]):
        path.write_bytes(damaged)
        sentence = refused(root)
        assert sentence.startswith("pets/dog/3.png cannot be decoded (")
        assert sentence.endswith("): take it out, or get a fresh copy.")
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 6\n")
    assert "it is no picture of PNG, JPEG, BMP, GIF, WEBP, TIFF, PPM" in refused(root)


@pytest.mark.parametrize("form", ["png", "jpg", "gif", "webp", "tif", "ppm", "bmp"])
def test_any_byte_may_be_another(tmp_path, monkeypatch, form):
    """A sentence, or a picture all the same, and nothing else."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)  # A damaged size must not make a large picture.
    path = tmp_path / f"a.{form}"
    save(path, pixels(6, 5, 3))
    content = path.read_bytes()
    for place in RNG.integers(len(content), size=60):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(RNG.integers(8))
        path.write_bytes(damaged)
        with contextlib.suppress(InvalidData), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            channels = 1 if header(path, "a").grey else 3
            found = decode(path, "a", size=4, channels=channels).pixels
            assert found.shape == (4, 4, channels)
            assert 0 <= found.min() <= found.max() <= 1


def test_of_several_wrong_pictures_the_first_is_named(pets):
    root, _ = pets
    for name in ("dog/1.png", "cat/7.png", "cat/9.png"):
        (root / name).write_bytes(b"")
    assert refused(root).startswith("pets/cat/7.png cannot be decoded")


def test_a_file_may_be_another_kind_of_picture_than_it_says(pets):
    root, shown = pets
    Image.fromarray(shown["cat/0.png"]).save(root / "cat" / "0.png", format="BMP")
    same_pictures(told(root)[0], shown.values())


def test_numbers_of_32_bits_have_no_white(pets):
    root, _ = pets
    (root / "odd").mkdir()
    Image.fromarray(np.ones((6, 5), np.float32)).save(root / "odd" / "0.tif")
    sentence = refused(root, reading=Reading(classes="texts"))
    assert sentence.startswith("pets/odd/0.tif holds numbers of 32 bits, of which none is known to be white: save it")


def test_pillows_guard_against_too_many_pixels_stays_on(pets, monkeypatch):
    root, _ = pets
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert refused(root) == (
        "pets/cat/0.png has more than 20 pixels, which are not unpacked: make it smaller, or take it out."
    )
    # Half of that is what Pillow warns of, as somebody's own large picture may be.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    assert told(root)[1] == []


def test_more_pictures_than_the_memory_holds_are_refused_before_they_are_decoded(pets, monkeypatch):
    root, _ = pets
    monkeypatch.setattr(source, "memory", lambda: 200_000)
    monkeypatch.setattr("actlab.tasks.decoding.decode", lambda *_, **__: pytest.fail("a picture was decoded"))
    assert refused(root, reading=Reading(size=60)) == (
        "pets: its 20 pictures of 60×60×3 numbers take 844 KiB, and reading them some 3 times that, more than the 195 "
        "KiB of memory here: say --size 16 or less."
    )


# On the command line, and in a study


@pytest.fixture
def command(capsys, monkeypatch, pets):
    root, _ = pets
    monkeypatch.chdir(root.parent)
    monkeypatch.setenv("COLUMNS", "100")
    run = command_line(monkeypatch, capsys)

    def joined(*arguments):
        code, out, err = run(*arguments)
        return code, " ".join(out.split()), err

    return joined


def test_a_folder_is_shown(command):
    code, out, err = command("task", "pets", "--size", "4")
    assert (code, err) == (0, "")
    assert out.startswith("pets: 20 samples of 4×4×3, 2 classes")
    for said in ("cat 6 2 2 50.0 %", "dog 6 2 2 50.0 %"):
        assert said in out
    code, out, err = command("task", "pets", "--size", "0")
    assert (code, out, err) == (2, "", "actlab: size: 1 or more is expected, got 0.\n")
    code, out, err = command("task", "pets", "--target", "a")
    assert (code, err) == (2, "actlab: target 'a' was given for 'pets', which is no table: leave it out.\n")
    code, out, err = command("task", "digits", "--size", "8")
    assert (code, err) == (2, "actlab: size 8 was given for 'digits', which is no folder of pictures: leave it out.\n")


def test_a_folder_is_compared_on(command, tmp_path):
    short = ["--activations", "relu", "--seeds", "1", "--epochs", "1", "--out", "run"]
    code, _, err = command("compare", "--task", "pets/", "--size", "4", *short)
    assert (code, err.splitlines()[0] if err else "") == (0, "")
    study = from_toml(tmp_path / "run" / "study.toml")
    assert (study.name, study.task, study.size, study.reading) == ("pets", "pets/", 4, Reading(size=4))
    assert command("compare", "run/study.toml", "--size", "3", "--summary")[0] == 0
    code, _, err = command("compare", "run/study.toml", "--set", "size=big", "--summary")
    assert (code, err) == (2, "actlab: size=big: a whole number is expected, got 'big'.\n")
    code, _, err = command("compare", "pets")
    assert (code, err) == (2, "actlab: pets is no recipe but data: write actlab compare --task pets.\n")
    code, _, err = command("compare", "pets/cat/0.png")
    assert "pets/cat/0.png is no recipe but data" in err
    code, _, err = command("task", "pets/cat/0.png")
    assert err.startswith("actlab: pets/cat/0.png is a single picture: give the folder that holds a folder of pictures")


def test_of_a_task_and_a_folder_of_one_name_the_task_is_taken_and_told(pets, tmp_path, monkeypatch):
    root, _ = pets
    root.rename(tmp_path / "moons")
    monkeypatch.chdir(tmp_path)
    with pytest.warns(ActlabWarning, match=r"^moons is the task of that name that comes with actlab; \./moons is the"):
        assert tasks.load("moons").input_shape == (2,)
    assert tasks.load("./moons").input_shape == (6, 5, 3)


def test_where_the_folder_is_the_one_one_is_in(pets, monkeypatch):
    root, _ = pets
    monkeypatch.chdir(root)
    task = tasks.load(".")
    assert task.name == "pets"
    assert task.digest == tasks.load(str(root)).digest
    assert Study(task=".").task == "."


def test_a_size_is_a_whole_number():
    with pytest.raises(InvalidData, match="size is a number of pixels, 1 or more, not 0"):
        Reading(size=0)
