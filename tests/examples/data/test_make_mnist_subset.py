import hashlib
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[3] / "examples" / "data"
SHIPPED = FOLDER / "mnist_subset.npz"
SIZES = {"train": 100, "test": 20}


@pytest.fixture(scope="module")
def script():
    path = FOLDER / "make_mnist_subset.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shipped():
    with np.load(SHIPPED) as file:
        return dict(file)


@pytest.fixture
def full():
    """A file in Keras' layout, whose images are all different."""
    random = np.random.default_rng(0)
    full = {}
    for split, size in {"train": 300, "test": 60}.items():
        full[f"x_{split}"] = random.integers(
            0, 256, (size, 28, 28), dtype=np.uint8
        )
        full[f"y_{split}"] = random.permutation(
            np.arange(size, dtype=np.uint8) % 10
        )
    return full


def rows(images):
    return [image.tobytes() for image in images]


@pytest.mark.parametrize(("split", "size"), [("train", 10_000), ("test", 2000)])
def test_shipped_digits_have_the_stated_shape_type_and_balance(
    shipped, split, size
):
    x, y = shipped[f"x_{split}"], shipped[f"y_{split}"]
    assert x.shape == (size, 28, 28)
    assert y.shape == (size,)
    assert x.dtype == y.dtype == np.uint8
    assert np.bincount(y).tolist() == [size // 10] * 10


def test_shipped_file_holds_nothing_but_the_layout_of_keras(shipped):
    assert set(shipped) == {"x_train", "y_train", "x_test", "y_test"}


def test_shipped_digits_are_all_different(shipped):
    digits = rows(shipped["x_train"]) + rows(shipped["x_test"])
    assert len(set(digits)) == 12_000


def test_shipped_digits_are_shuffled(shipped):
    for split in SIZES:
        # Sorted by class, the first 100 would all be zeros.
        assert len(set(shipped[f"y_{split}"][:100].tolist())) == 10


def test_shipped_digits_use_the_whole_range_of_grey(shipped):
    for split in SIZES:
        assert shipped[f"x_{split}"].min() == 0
        assert shipped[f"x_{split}"].max() == 255


def test_shipped_file_has_the_sha256_that_its_readme_states():
    stated = re.search(r"`([0-9a-f]{64})`", (FOLDER / "README.md").read_text())
    assert stated[1] == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()


def test_default_sizes_are_those_of_the_shipped_file(script, shipped):
    assert script.SIZES == {
        split: len(shipped[f"y_{split}"]) for split in SIZES
    }


def test_subset_is_balanced_and_keeps_each_digit_with_its_label(script, full):
    subset = script.make_subset(full, SIZES)
    for split, size in SIZES.items():
        x, y = subset[f"x_{split}"], subset[f"y_{split}"]
        assert x.shape == (size, 28, 28)
        assert np.bincount(y).tolist() == [size // 10] * 10
        assert len(set(y[: size // 10].tolist())) > 1, "not shuffled"
        label = dict(
            zip(rows(full[f"x_{split}"]), full[f"y_{split}"], strict=True)
        )
        assert [label[row] for row in rows(x)] == y.tolist()


def test_no_digit_is_drawn_twice_and_the_splits_stay_apart(script, full):
    subset = script.make_subset(full, SIZES)
    train, test = rows(subset["x_train"]), rows(subset["x_test"])
    assert len(set(train)) == len(train)
    assert len(set(test)) == len(test)
    assert set(train) <= set(rows(full["x_train"]))
    assert set(test) <= set(rows(full["x_test"]))


def test_same_seed_gives_the_same_file_and_another_seed_another(
    script, full, tmp_path
):
    source = tmp_path / "mnist.npz"
    np.savez_compressed(source, **full)

    sizes = [f"--{split}={size}" for split, size in SIZES.items()]

    def run(name, seed):
        out = tmp_path / name
        done = script.main(
            [str(source), f"--out={out}", f"--seed={seed}", *sizes]
        )
        assert done["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
        return out.read_bytes()

    assert run("a.npz", 0) == run("b.npz", 0) != run("c.npz", 1)


def test_a_size_that_cannot_be_balanced_is_an_error(script, full):
    with pytest.raises(ValueError, match="multiple of 10"):
        script.make_subset(full, {"train": 101, "test": 20})


def test_too_few_digits_of_a_class_is_an_error(script, full):
    with pytest.raises(ValueError, match="31 digits of each class"):
        script.make_subset(full, {"train": 310, "test": 20})
