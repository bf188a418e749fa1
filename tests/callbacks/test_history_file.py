import csv
import json
import math

import keras
import numpy as np
import pytest

from adversarial.callbacks import Backup, HistoryFile

ROWS, BATCH = 8, 2
ENDINGS = ["csv", "jsonl"]
OWN = ["epoch", "step", "seconds"]


def x():
    return np.ones((ROWS, 1), "float32")


@pytest.fixture
def compiled(quadratic):
    """Makes a model of two players, the same each time."""
    game = quadratic([1, 1], dtype="float32")
    return lambda: game.compiled("alternating", 0.01, run_eagerly=True)


def fit(model, callbacks, **kwargs):
    return model.fit(
        x(), batch_size=BATCH, verbose=0, callbacks=callbacks, **kwargs
    ).history


def read(path):
    """The rows as anybody would read them, numbers as floats."""
    with open(path, newline="") as file:
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in file]
        return [
            {k: float(v) for k, v in row.items() if v}
            for row in csv.DictReader(file)
        ]


class Told(keras.callbacks.Callback):
    """Adds logs of its own, by epoch."""

    def __init__(self, logs):
        super().__init__()
        self.logs = logs

    def on_epoch_end(self, epoch, logs=None):
        logs.update(self.logs[epoch])


class Killed(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("ending", ENDINGS)
def test_there_is_a_row_per_epoch_with_a_column_per_player(
    compiled, tmp_path, ending
):
    model, path = compiled(), tmp_path / "new" / f"history.{ending}"
    file = HistoryFile(path)
    history = fit(model, [file], epochs=3, validation_data=(x(),))
    rows = read(path)
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert [row["step"] for row in rows] == [4, 8, 12]
    assert all(0 < row["seconds"] < 600 for row in rows)
    assert list(rows[0])[:3] == OWN
    assert set(rows[0]) == {*OWN, *history}
    for player in model.players:
        assert f"{player}_loss" in rows[0]
        assert f"val_{player}_loss" in rows[0]
    # Not close: the very same numbers.
    for name, values in history.items():
        assert [row[name] for row in rows] == values
    assert file.rows == rows


@pytest.mark.parametrize("ending", ENDINGS)
def test_epochs_that_come_again_after_a_kill_replace_their_rows(
    compiled, tmp_path, ending
):
    path, backup = tmp_path / f"history.{ending}", tmp_path / "backup.keras"
    plain, broken = tmp_path / f"plain.{ending}", tmp_path / "broken.csv"
    fit(compiled(), [HistoryFile(plain)], epochs=4)
    # Saved at step 8, after two epochs; killed after three.
    keep = [Backup(backup, every=8)]
    log = keras.callbacks.CSVLogger(broken, append=True)
    with pytest.raises(KeyboardInterrupt):
        fit(compiled(), [*keep, HistoryFile(path), log, Killed(3)], epochs=4)
    log.csv_file.close()
    assert [row["epoch"] for row in read(path)] == [0, 1, 2]
    keep = [Backup(backup, every=8)]
    log = keras.callbacks.CSVLogger(broken, append=True)
    fit(compiled(), [*keep, HistoryFile(path), log], epochs=4)
    rows, wanted = read(path), read(plain)
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
    for row, want in zip(rows, wanted, strict=True):
        del row["seconds"], want["seconds"]
        assert row == want
    # What it is there for.
    with open(broken) as file:
        epochs = [row["epoch"] for row in csv.DictReader(file)]
    assert epochs == ["0", "1", "2", "2", "3"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_rows_go_on_at_the_initial_epoch_and_begin_anew_at_zero(
    compiled, tmp_path, ending
):
    path = tmp_path / f"history.{ending}"
    model, file = compiled(), HistoryFile(path)
    fit(model, [file], epochs=3)
    first = read(path)
    fit(model, [file], epochs=3, initial_epoch=1)
    rows = read(path)
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert [row["step"] for row in rows] == [4, 16, 20]
    assert rows[0] == first[0]
    fit(model, [file], epochs=1)
    assert [row["step"] for row in read(path)] == [24]


@pytest.mark.parametrize("ending", ENDINGS)
def test_logs_that_come_later_or_not_always_have_their_column(
    compiled, tmp_path, ending
):
    path = tmp_path / f"history.{ending}"
    told = Told([{}, {"distance": 3.5}, {}, {"distance": 2.5, "words": "a,b"}])
    fit(compiled(), [told, HistoryFile(path)], epochs=4)
    if ending == "csv":
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["distance"] for row in rows] == ["", "3.5", "", "2.5"]
        assert [row["words"] for row in rows] == ["", "", "", "a,b"]
    else:
        rows = read(path)
        found = [row.get("distance") for row in rows]
        assert found == [None, 3.5, None, 2.5]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_kind_of_number_comes_back_as_it_was(compiled, tmp_path, ending):
    path = tmp_path / f"history.{ending}"
    logs = {
        "third": 1 / 3,
        "single": np.float32(0.1),
        "tiny": 5e-324,
        "count": 7,
        "nan": float("nan"),
        "up": np.float32(np.inf),
        "down": -np.inf,
        "several": np.array([0.1, np.nan]),
        "tensor": keras.ops.ones(()),
        "words": "so, so",
    }
    fit(compiled(), [Told([logs]), HistoryFile(path)])
    again = HistoryFile(path)
    again.on_train_begin()
    (row,) = again.rows
    for name in ("third", "tiny", "count", "up", "down", "words"):
        assert row[name] == logs[name]
    assert type(row["count"]) is int
    assert row["single"] == float(np.float32(0.1))
    assert math.isnan(row["nan"])
    assert row["several"][0] == 0.1
    assert math.isnan(row["several"][1])
    assert row["tensor"] == 1.0
    if ending == "jsonl":

        def refuse(word):
            raise AssertionError(f"{word} is not JSON")

        json.loads(path.read_text(), parse_constant=refuse)


def test_a_failure_while_writing_leaves_the_rows_before(
    compiled, tmp_path, monkeypatch
):
    path = tmp_path / "history.csv"
    model, file = compiled(), HistoryFile(path)
    fit(model, [file], epochs=2)
    before = path.read_text()

    def full(*args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space"):
        fit(model, [file], epochs=3, initial_epoch=2)
    assert path.read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["history.csv"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "name,price\nbread,3\n"),
        ("a.csv", "epoch,loss\n0,1.0\n"),
        ("a.csv", "epoch,step,seconds\n0.5,1,1\n"),
        ("a.jsonl", "{'epoch': 0}\n"),
        ("a.jsonl", '{"epoch": 0}\n'),
        ("a.jsonl", "[1, 2]\n"),
    ],
)
def test_another_file_is_an_error_and_is_not_touched(
    compiled, tmp_path, name, text
):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match="must be one that `HistoryFile`"):
        fit(compiled(), [HistoryFile(path)])
    assert path.read_text() == text


def test_an_empty_file_is_no_history_yet(compiled, tmp_path):
    path = tmp_path / "history.csv"
    path.touch()
    fit(compiled(), [HistoryFile(path)])
    assert len(read(path)) == 1


def test_a_log_with_the_name_of_a_column_is_an_error(compiled, tmp_path):
    file = HistoryFile(tmp_path / "history.csv")
    with pytest.raises(ValueError, match="'step', a column"):
        fit(compiled(), [Told([{"step": 1.0}]), file])


def test_another_ending_is_an_error():
    with pytest.raises(ValueError, match=r"`\.csv` or `\.jsonl`") as error:
        HistoryFile("history.json")
    assert error.match(r"history\.csv")
