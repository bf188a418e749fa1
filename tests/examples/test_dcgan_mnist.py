import csv
import json
import os
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import adversarial

SCRIPT = Path(__file__).parents[2] / "examples" / "dcgan_mnist.py"
STEPS = 512 // 64
SIDE = 2 * 28
GAP = 2
GRID = 10 * SIDE + 9 * GAP
FILES = {
    "classifier.keras",
    "contact_sheet.png",
    "epochs",
    "generator.keras",
    "history.csv",
    "losses.png",
    "model.keras",
    "report.json",
    "settings.json",
}


@pytest.fixture
def out(smoke, tmp_path):
    """A copy of that folder."""
    return shutil.copytree(smoke[0], tmp_path / "out")


def history(out):
    with open(out / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def contents(out):
    files = [path for path in out.rglob("*") if path.is_file()]
    return {path.relative_to(out): path.read_bytes() for path in files}


def write_data(path, sizes=(64, 80)):
    with np.load(SCRIPT.parent / "data" / "mnist_subset.npz") as file:
        train, test = sizes
        np.savez(
            path,
            x_train=file["x_train"][:train],
            y_train=file["y_train"][:train],
            x_test=file["x_test"][:test],
            y_test=file["y_test"][:test],
        )
    return path


def test_a_run_writes_all_that_it_promises_and_nothing_else(smoke):
    out, _ = smoke
    assert {path.name for path in out.iterdir()} == FILES
    epochs = sorted(path.name for path in (out / "epochs").iterdir())
    assert epochs == ["000.png", "001.png"]


def test_the_pictures_are_grey_grids_of_a_hundred_images(smoke):
    for path in (smoke[0] / "epochs").iterdir():
        with Image.open(path) as picture:
            assert (picture.mode, picture.size) == ("L", (GRID, GRID))


def test_the_same_latents_are_drawn_after_every_epoch(smoke):
    first, second = (smoke[0] / "epochs" / f"00{n}.png" for n in range(2))
    assert first.read_bytes() != second.read_bytes()
    generator = keras.saving.load_model(smoke[0] / "generator.keras")
    z = np.random.default_rng([0, 0]).normal(size=(100, 16))
    drawn = generator.predict(z.astype("float32"), verbose=0)
    with Image.open(second) as picture:
        corner = np.asarray(picture, "float32")[:SIDE:2, :SIDE:2]
    # A level of grey is 1 / 127.5, and is rounded.
    np.testing.assert_allclose(corner / 127.5 - 1, drawn[0, ..., 0], atol=0.01)


def test_the_plot_and_the_contact_sheet_show_something(smoke):
    for name, size in {
        "losses": (840, 480),
        "contact_sheet": (90 + GRID, 2 * (SIDE + GAP)),
    }.items():
        with Image.open(smoke[0] / f"{name}.png") as picture:
            assert picture.size == size
            assert len(np.unique(picture.convert("L"))) > 10


def test_the_contact_sheet_holds_the_first_row_of_every_epoch(smoke):
    with Image.open(smoke[0] / "contact_sheet.png") as picture:
        sheet = np.asarray(picture)
    for n in range(2):
        with Image.open(smoke[0] / "epochs" / f"00{n}.png") as picture:
            row = np.asarray(picture)[:SIDE]
        top = n * (SIDE + GAP)
        np.testing.assert_array_equal(sheet[top : top + SIDE, 90:], row)
        assert sheet[top : top + SIDE, :90].min() < 128, "no label"


def test_the_history_has_a_column_for_every_log(smoke):
    rows = history(smoke[0])
    assert [row["epoch"] for row in rows] == ["0", "1"]
    losses = {"loss"}
    for player in ("generator", "discriminator"):
        losses |= {f"{player}{y}_loss" for y in ("", "_yfake", "_yreal")}
    for row in rows:
        assert set(row) == {"epoch", *losses}
        assert all(np.isfinite(float(row[name])) for name in losses)


def test_the_models_are_those_of_the_last_epoch(smoke):
    model = keras.saving.load_model(smoke[0] / "model.keras")
    generator = keras.saving.load_model(smoke[0] / "generator.keras")
    assert int(model.optimizer.iterations) == 2 * STEPS
    inside = model.players["generator"].network.get_layer("generator")
    for one, other in zip(inside.variables, generator.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_the_rates_have_fallen_as_the_docstring_of_the_constant_says(
    smoke, script
):
    model = keras.saving.load_model(smoke[0] / "model.keras")
    for player, rate in script.RECIPES["modern"].rates.items():
        last = model.optimizer.player_optimizers[player].learning_rate
        np.testing.assert_allclose(last, rate * script.LAST_RATE, rtol=1e-6)


def test_a_run_shows_the_bar_and_says_what_it_read_and_wrote(smoke):
    out, words = smoke
    assert "Epoch 2/2" in words
    assert f"{STEPS}/{STEPS}" in words
    assert "generator: " in words
    for line in (
        "2 new epochs took",
        "test digits right",
        "with confidence >= 0.9",
        "Frechet distance of its features: ",
        "Density and coverage: ",
    ):
        assert line in words
    for name in FILES:
        assert str(out / name) in words


def test_a_finished_run_is_not_trained_again(script, out, capsys):
    before = contents(out)
    report = script.main(["--smoke", "--resume", f"--out={out}"])
    assert report["epochs"] == 0
    after, name = contents(out), Path("report.json")
    written = [json.loads(files.pop(name)) for files in (before, after)]
    assert after == before
    for name, value in written[0].items():
        # Read again by another process, in float32.
        np.testing.assert_allclose(written[1][name], value, rtol=1e-4)
        assert report[name] == written[1][name]
    words = capsys.readouterr().out
    assert "nothing to train" in words
    assert str(out / "contact_sheet.png") in words
    assert report["paths"] == sorted(str(out / name) for name in FILES)


def test_an_interrupted_run_goes_on_after_the_last_whole_epoch(
    script, out, monkeypatch
):
    more = ["--smoke", "--resume", "--epochs=4", f"--out={out}"]
    before = history(out)
    replace = os.replace

    def interrupted(source, target):
        if target.name == "model.keras" and len(history(out)) == 4:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(SystemExit, match="--resume"):
            script.main(more)
    model = keras.saving.load_model(out / "model.keras")
    assert int(model.optimizer.iterations) == 3 * STEPS
    keras.saving.load_model(out / "generator.keras")

    report = script.main(more)
    assert report["epochs"] == 1
    assert {path.name for path in out.iterdir()} == FILES
    assert len(list((out / "epochs").iterdir())) == 4
    rows = history(out)
    assert rows[:2] == before
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]


def test_classic_learns_from_a_file_in_a_half_written_folder(script, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "model.tmp.keras").write_bytes(b"half of a mod")
    data = write_data(tmp_path / "tiny.npz")
    report = script.main(
        [
            *("--arch=classic", "--smoke", "--resume", "--epochs=1"),
            *("--batch-size=32", f"--data={data}", f"--out={out}"),
        ]
    )
    assert report["epochs"] == 1
    assert len(report["digits"]) == 10
    assert sum(report["digits"]) == pytest.approx(1)
    assert {path.name for path in out.iterdir()} == FILES
    model = keras.saving.load_model(out / "model.keras")
    assert isinstance(model.optimizer, adversarial.optimizers.Simultaneous)
    assert int(model.optimizer.iterations) == 64 // 32
    settings = json.loads((out / "settings.json").read_text())
    assert settings["arch"] == "classic"


def test_what_is_there_is_not_overwritten_unasked(script, out):
    before = contents(out)
    with pytest.raises(SystemExit) as error:
        script.main(["--smoke", f"--out={out}"])
    assert str(out) in str(error.value)
    assert "add `--resume`" in str(error.value)
    assert contents(out) == before


@pytest.mark.parametrize(
    "other", ["--arch=classic", "--strategy=simultaneous", "--seed=1"]
)
def test_resume_does_not_ignore_other_settings(script, out, other):
    before = contents(out)
    with pytest.raises(SystemExit, match="`--resume` must keep"):
        script.main(["--smoke", "--resume", f"--out={out}", other])
    assert contents(out) == before


def test_sample_writes_new_digits_each_time(script, out):
    before = contents(out)
    pictures = []
    for number in (1, 2):
        report = script.main(["--sample=5", f"--out={out}"])
        path = out / f"samples-{number:03d}.png"
        assert report["paths"] == [str(path)]
        with Image.open(path) as picture:
            assert picture.size == (3 * SIDE + 2 * GAP, 2 * SIDE + GAP)
            pictures.append(np.asarray(picture))
    assert (pictures[0] != pictures[1]).any()
    assert before.items() <= contents(out).items()


def test_sample_needs_a_trained_generator(script, tmp_path):
    with pytest.raises(SystemExit, match="train first, without `--sample`"):
        script.main(["--sample=5", f"--out={tmp_path}"])
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("strategy", "answer"),
    [
        ("alternate", "did you mean 'alternating'?"),
        ("scheduled", "needs arguments"),
    ],
)
def test_an_unknown_strategy_is_an_error_before_anything_is_written(
    script, tmp_path, strategy, answer
):
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as error:
        script.main(["--smoke", f"--strategy={strategy}", f"--out={out}"])
    assert answer in str(error.value)
    assert not out.exists()


def test_data_must_be_there_and_laid_out_as_by_keras(script, tmp_path):
    with pytest.raises(SystemExit, match=r"no\.npz"):
        script.load_data(str(tmp_path / "no.npz"), smoke=False)
    np.savez(tmp_path / "bad.npz", x=np.zeros(3))
    with pytest.raises(SystemExit, match="x_train, y_train, x_test, y_test"):
        script.load_data(str(tmp_path / "bad.npz"), smoke=False)


def test_images_are_scaled_to_the_range_of_tanh(script, tmp_path):
    path = write_data(tmp_path / "tiny.npz")
    x, y, x_test, y_test = script.load_data(str(path), smoke=False)
    assert (x.shape, x_test.shape) == ((64, 28, 28, 1), (80, 28, 28, 1))
    assert (len(y), len(y_test)) == (64, 80)
    assert x.dtype == x_test.dtype == np.float32
    assert (x.min(), x.max()) == (-1, 1)


def test_a_batch_larger_than_the_data_is_an_error(script, tmp_path):
    with pytest.raises(SystemExit, match="write 512 or less"):
        script.main(["--smoke", "--batch-size=513", f"--out={tmp_path}"])
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("flag", ["--epochs", "--batch-size", "--sample"])
def test_counts_must_be_positive(script, capsys, flag):
    with pytest.raises(SystemExit):
        script.parse([f"{flag}=0"])
    assert f"{flag}: invalid positive value: '0'" in capsys.readouterr().err


def identity(**kwargs):
    return keras.layers.Dense(
        10, kernel_initializer=keras.initializers.Identity(), **kwargs
    )


@pytest.fixture
def measured(script, monkeypatch, tmp_path):
    """Measures digits that are what the classifier is to say of them."""

    def measure(p, p_test, y_test):
        classifier = keras.Sequential(
            [keras.Input((10,)), identity(), identity()]
        )
        monkeypatch.setattr(
            script, "classifier_of", lambda *_, **__: classifier
        )
        monkeypatch.setattr(script, "draw", lambda _, n, __: p[:n])
        args = script.parse(["--smoke", f"--out={tmp_path}"])
        found = script.measure(None, [None, None, p_test, y_test], args)
        assert json.loads((tmp_path / "report.json").read_text()) == found
        return found

    return measure


def test_measuring_counts_what_the_classifier_reads(measured):
    """It reads 3 with confidence 0.95 and 7 with 0.55, in turn."""
    p = np.random.default_rng(0).uniform(0, 0.01, size=(40, 10))
    p[::2, 3], p[1::2, 7] = 0.95, 0.55
    found = measured(p, p, np.array([3, 7, 3, 0] * 10))
    assert found["test_accuracy"] == 0.75
    assert found["confident"] == 0.5
    assert found["digits"] == [0, 0, 0, 0.5, 0, 0, 0, 0.5, 0, 0]
    # The same on both sides.
    assert found["frechet_distance"] < 1e-6
    assert found["coverage"] == 1


def test_measuring_compares_features_of_test_digits_and_new_ones(measured):
    x = np.random.default_rng(0).normal(size=(60, 10))
    move = np.arange(10) / 20
    found = measured(x[20:] + move, x[:40], np.zeros(40))
    near, far = x[:40], x[20:] + move
    a, b = np.cov(near.T), np.cov(far.T)
    root = np.sqrt(np.linalg.eigvals(a @ b).real).sum()
    apart = np.sum((near.mean(0) - far.mean(0)) ** 2)
    # Features are float32.
    np.testing.assert_allclose(
        found["frechet_distance"],
        apart + np.trace(a) + np.trace(b) - 2 * root,
        rtol=1e-4,
    )
    between = np.linalg.norm(near[:, None] - near[None], axis=-1)
    radius = np.sort(between, axis=1)[:, 5]
    inside = np.linalg.norm(far[:, None] - near[None], axis=-1) <= radius
    np.testing.assert_allclose(found["coverage"], inside.any(axis=0).mean())
    np.testing.assert_allclose(found["density"], inside.sum() / 5 / 40)
