import re
import time

import keras
import numpy as np
import pytest

from adversarial import AdversarialModel, losses
from adversarial.callbacks import PlayerProgress

GAN = ["generator", "discriminator"]
LOSSES = {"generator_loss": 0.6931, "discriminator_loss": 0.6931}
INVISIBLE = re.compile(r"\x1b\[\d*m|\x08")


def lines_of(text):
    """What stands on the lines of a terminal, each update by itself."""
    return [
        line.rstrip()
        for line in re.split(r"[\r\n]", INVISIBLE.sub("", text))
        if line.strip()
    ]


def shown(players, logs, width=80, steps=100):
    bar = PlayerProgress(players, width)
    bar.set_params({"verbose": 1, "epochs": 1, "steps": steps})
    return bar.shown(logs)


@pytest.fixture
def clock(monkeypatch):
    """A clock that is turned by hand."""
    now = [1e9]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def played(clock, bar, steps, logs, verbose=1, pace=0.43):
    """An epoch in which the last batch comes, then the end."""
    bar.set_params({"verbose": verbose, "epochs": 2, "steps": steps})
    bar.on_train_begin()
    bar.on_epoch_begin(0)
    count = steps or 5000
    for batch in (0, count // 2, count - 1):
        clock[0] = 1e9 + pace * (batch + 1)
        bar.on_train_batch_end(batch, logs)
    bar.on_epoch_end(0, logs)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("steps", [10, 9999, None])
@pytest.mark.parametrize("value", [0.6931, -98.7654, -3e-5])
def test_every_line_fits_the_terminal(clock, capsys, value, steps, width):
    logs = {
        "loss": value,
        **dict.fromkeys(LOSSES, value),
        "generator_accuracy": value,
        "val_generator_loss": value,
    }
    played(clock, PlayerProgress(GAN, width), steps, logs)
    lines = lines_of(capsys.readouterr().out)
    assert len(lines) == 5
    assert all(len(line) < width for line in lines)
    assert all(" - gen" in line for line in lines[1:])
    if width >= 80:
        assert all(" - dis" in line for line in lines[1:])


@pytest.mark.parametrize("steps", [10, 100, 1000])
def test_a_gan_has_its_full_names_in_80_columns(clock, capsys, steps):
    played(clock, PlayerProgress(GAN, 80), steps, LOSSES)
    lines = lines_of(capsys.readouterr().out)
    for line in lines[1:]:
        assert line.endswith("- generator: 0.6931 - discriminator: 0.6931")
        assert "━" in line


def test_the_terminal_is_asked_for_its_width(monkeypatch):
    few = {**LOSSES, "generator_accuracy": 0.5}
    monkeypatch.setenv("COLUMNS", "60")
    assert list(shown(GAN, few, width=None)) == ["gen"]
    monkeypatch.setenv("COLUMNS", "200")
    assert list(shown(GAN, few, width=None)) == [*GAN, "generator_accuracy"]


def test_names_are_cut_to_distinct_beginnings_where_they_do_not_fit():
    players = ["generator", "gentle_critic", "discriminator"]
    logs = {f"{name}_loss": 0.5 for name in players}
    logs["generator_accuracy"] = 0.5
    assert list(shown(players, logs, width=200)) == [
        *players,
        "generator_accuracy",
    ]
    assert list(shown(players, logs, width=92)) == ["gene", "gent", "disc"]


def test_names_that_begin_alike_keep_their_ends():
    players = ["player_0", "player_1", "player_2"]
    logs = {f"{name}_loss": 0.5 for name in players}
    assert list(shown(players, logs)) == ["p0", "p1", "p2"]


def test_metrics_are_shown_as_far_as_they_fit_under_the_names_that_are():
    logs = {
        "loss": 1.0,
        **LOSSES,
        "generator_yfake_loss": 0.5,
        "generator_acc": 0.5,
        "discriminator_acc": 0.5,
        "learning_rate": 0.1,
    }
    assert list(shown(GAN, logs, width=200)) == [
        *GAN,
        "generator_acc",
        "discriminator_acc",
        "learning_rate",
    ]
    assert list(shown(GAN, logs, width=110)) == [*GAN, "generator_acc"]


def test_validation_follows_the_players_if_it_fits():
    logs = {"a_acc": 0.5, "a_loss": 0.1, "val_a_loss": 0.2, "val_loss": 0.2}
    assert list(shown(["a"], logs)) == ["a", "val_a"]
    assert list(shown(["a"], logs, width=200)) == ["a", "val_a", "a_acc"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0000"),
        (0.69314718, "0.6931"),
        (-0.69314718, "-0.6931"),
        (0.00054321, "0.0005"),
        (-0.0000123, "-1e-05"),
        (-12.34567, "-12.346"),
        (123.4567, "123.46"),
        (-999999.4, "-999999"),
        (12345678.9, "1e+07"),
        (np.nan, "nan"),
        (-np.inf, "-inf"),
    ],
)
@pytest.mark.parametrize("verbose", [1, 2])
def test_numbers_are_written_in_few_columns(
    clock, capsys, value, text, verbose
):
    bar = PlayerProgress(["a"], 80)
    played(clock, bar, 10, {"a_loss": value}, verbose=verbose)
    last = lines_of(capsys.readouterr().out)[-1]
    assert last.endswith(f" - a: {text}")


def test_semi_verbose_training_is_one_line_an_epoch(clock, capsys):
    played(clock, PlayerProgress(GAN, 80), 1000, LOSSES, verbose=2)
    lines = lines_of(capsys.readouterr().out)
    assert len(lines) == 2
    assert lines[1].startswith("1000/1000 - ")
    assert lines[1].endswith("- generator: 0.6931 - discriminator: 0.6931")


class Bilinear(losses.AdversarialLoss):
    def call(self, outputs, targets=None):
        product = outputs[0] * outputs[1]
        return [product, -product]


@pytest.fixture(scope="module")
def model():
    """A game of long names, with a metric."""
    x = keras.Input((1,))
    layers = [keras.layers.Dense(1, name=name) for name in ("a", "b")]
    model = AdversarialModel(
        keras.Model(x, [layer(x) for layer in layers]),
        player_params=dict(zip(GAN, layers, strict=True)),
    )
    model.compile("simultaneous", "sgd", loss=Bilinear(), run_eagerly=True)
    return model


X = np.ones((12, 1), "float32")


def fitted(model, **kwargs):
    history = model.fit(X, batch_size=4, validation_data=(X,), **kwargs)
    assert set(history.history) == {
        *["loss", "generator_loss", "discriminator_loss"],
        *["val_loss", "val_generator_loss", "val_discriminator_loss"],
    }


def test_fit_shows_the_players_and_keeps_all_logs(model, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    fitted(model, epochs=2, verbose=1)
    lines = lines_of(capsys.readouterr().out)
    assert [line for line in lines if line.startswith("Epoch")] == [
        "Epoch 1/2",
        "Epoch 2/2",
    ]
    bars = [line for line in lines if line.startswith(("1/3", "2/3", "3/3"))]
    assert len(bars) + 2 == len(lines)
    assert all(len(line) < 80 for line in bars)
    for line in bars:
        names = re.findall(r" - (\w+): -?\d", line)
        assert names == GAN


def test_fit_shows_validation_where_there_is_room(model, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    fitted(model, epochs=1, verbose=2)
    (line,) = lines_of(capsys.readouterr().out)
    names = re.findall(r" - (\w+): -?\d", line)
    assert names == [*GAN, *[f"val_{name}" for name in GAN]]


def test_silent_training_is_silent(model, capsys):
    fitted(model, verbose=0)
    assert capsys.readouterr().out == ""


def test_another_progress_bar_takes_its_place(model, capsys):
    bar = keras.callbacks.ProgbarLogger()
    fitted(model, verbose=2, callbacks=[bar])
    (line,) = lines_of(capsys.readouterr().out)
    assert "- generator_loss: " in line


def test_evaluate_can_show_the_players_too(model, capsys):
    bar = PlayerProgress(GAN, 80)
    model.evaluate(X, batch_size=4, verbose=1, callbacks=[bar])
    lines = lines_of(capsys.readouterr().out)
    assert all(len(line) < 80 for line in lines)
    assert re.findall(r" - (\w+): -?\d", lines[-1]) == GAN
