"""What Keras' own callbacks do to a model of several players."""

import csv
from pathlib import Path

import keras
import numpy as np
import pytest
from engines import only

import adversarial
from adversarial import GameDivergedError
from adversarial.callbacks import ForPlayer
from adversarial.callbacks.keras_callbacks import (
    each_of,
    ends_at_nan,
    minimise_losses,
)

K = keras.callbacks
PLAYERS = ["generator", "discriminator"]
BATCH = 4
ROUNDING = 1e-6
"""Relative: a few float32 operations. Keras swaps by adding and subtracting."""


def data(rows=8):
    return np.random.default_rng(3).normal(size=(rows, 3)).astype("float32")


def gan(optimizers=None, **kwargs):
    generator = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3)], name="generator"
    )
    critic = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(1)], name="discriminator"
    )
    latent = adversarial.layers.NormalLatent(2, seed=7)
    model = adversarial.AdversarialModel(
        adversarial.builders.build_gan(generator, critic, latent),
        player_params={"generator": generator, "discriminator": critic},
    )
    made = {
        "generator": keras.optimizers.SGD(0.125),
        "discriminator": keras.optimizers.SGD(0.25),
    }
    kwargs = {"run_eagerly": True, **kwargs}
    given = optimizers or made
    model.compile("alternating", given, "non_saturating", **kwargs)
    return model


def fit(model, callbacks, epochs=3, x=None, **kwargs):
    x = data() if x is None else x
    return model.fit(
        x,
        batch_size=BATCH,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
        **kwargs,
    ).history


def rates(model):
    return [float(h) for h in model.optimizer.learning_rates.values()]


def weights(model):
    return [np.array(v) for v in model.trainable_variables]


class Dictated(K.Callback):
    """Says what the losses of the epochs are."""

    def __init__(self, name, values):
        super().__init__()
        self.name, self.values, self.weights = name, values, []

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.values[epoch]
        self.weights.append(weights(self.model))


def assert_equal(got, want):
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_schedule_of_the_rates_keeps_their_ratio_and_logs_each():
    model = gan()
    halve = K.LearningRateScheduler(lambda epoch, h: h / 2)
    history = fit(model, [halve], epochs=2)
    assert rates(model) == [0.03125, 0.0625]
    assert history["learning_rate_generator"] == [0.0625, 0.03125]
    assert history["learning_rate_discriminator"] == [0.125, 0.0625]


def test_a_schedule_of_numbers_gives_every_player_the_same():
    model = gan()
    fit(model, [K.LearningRateScheduler(lambda epoch: 0.5)], epochs=1)
    assert rates(model) == [0.5, 0.5]


def test_a_plateau_reduces_the_rates_of_all_players():
    model = gan()
    told = Dictated("generator_loss", [1.0, 2.0, 0.5])
    reduce = K.ReduceLROnPlateau("generator_loss", factor=0.5, patience=1)
    history = fit(model, [told, reduce])
    assert rates(model) == [0.0625, 0.125]
    assert history["learning_rate_generator"] == [0.125, 0.125, 0.0625]


def test_a_rate_that_keras_schedules_cannot_be_set_by_a_callback():
    model = gan(
        {
            "generator": keras.optimizers.SGD(
                keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
            ),
            "discriminator": "sgd",
        }
    )
    halve = K.LearningRateScheduler(lambda epoch, h: h / 2)
    with pytest.raises(TypeError, match="LearningRateSchedule"):
        fit(model, [halve], epochs=1)


@pytest.mark.parametrize("player", PLAYERS)
def test_stopping_early_by_a_players_loss_restores_its_best_epoch(player):
    model = gan()
    told = Dictated(f"{player}_loss", [3.0, 1.0, 2.0, 2.0, 2.0])
    stop = K.EarlyStopping(
        f"{player}_loss", patience=2, restore_best_weights=True
    )
    history = fit(model, [told, stop], epochs=5)
    assert len(history["loss"]) == 4
    assert_equal(weights(model), told.weights[1])
    assert np.any(told.weights[3][0] != told.weights[1][0])


@pytest.mark.parametrize("player", PLAYERS)
def test_the_checkpoint_holds_the_epoch_of_a_players_lowest_loss(
    player, tmp_path
):
    model = gan()
    told = Dictated(f"val_{player}_loss", [3.0, 1.0, 2.0])
    best = K.ModelCheckpoint(
        tmp_path / "best.keras",
        monitor=f"val_{player}_loss",
        save_best_only=True,
    )
    fit(model, [told, best])
    again = adversarial.load_model(tmp_path / "best.keras")
    assert_equal(weights(again), told.weights[1])
    assert int(again.optimizer.iterations) == 4


def test_losses_of_players_are_minimised_and_other_modes_are_left():
    made = [
        K.EarlyStopping("generator_loss"),
        K.ReduceLROnPlateau("val_generator_gan_loss"),
        ForPlayer("generator", K.EarlyStopping("discriminator_loss")),
        K.EarlyStopping("generator_loss", mode="max"),
        K.EarlyStopping("frechet_distance"),
        K.EarlyStopping("generator_accuracy"),
        K.EarlyStopping("other_loss"),
    ]
    for given in (made, K.CallbackList(made)):
        minimise_losses(given, PLAYERS)
        found = [getattr(c, "callback", c).mode for c in made]
        assert found == ["min", "min", "min", "max", "auto", "auto", "auto"]


def test_callbacks_are_found_in_lists_and_inside_others():
    inside = K.TerminateOnNaN()
    outside = ForPlayer("generator", inside)
    assert list(each_of(None)) == []
    assert list(each_of(outside)) == [outside, inside]
    assert list(each_of([[outside]])) == [outside, inside]


def poisoned():
    x = data(12)
    x[BATCH + 1] = np.nan
    return x


def test_a_nan_ends_the_training_as_keras_does_with_the_weights_before_it():
    ends = Dictated("generator_loss", [1.0, 1.0])
    model, other = gan(), gan()
    other.set_weights(model.get_weights())
    other.train_on_batch(poisoned()[:BATCH])
    with pytest.warns(UserWarning, match="'discriminator' at training step 1"):
        history = fit(model, [K.TerminateOnNaN(), ends], x=poisoned())
    assert model.stop_training
    assert len(history["loss"]) == 1
    assert np.isnan(history["loss"][0])
    assert int(model.optimizer.iterations) == 1
    assert_equal(weights(model), weights(other))


def test_a_nan_ends_the_training_with_the_error_that_keras_was_asked_for():
    with (
        pytest.warns(UserWarning, match="'discriminator'"),
        pytest.raises(RuntimeError, match="NaN or Inf loss encountered"),
    ):
        fit(gan(), [K.TerminateOnNaN(raise_error=True)], x=poisoned())


def test_a_nan_that_no_callback_waits_for_is_our_own_error():
    model = gan()
    with pytest.warns(UserWarning, match="'discriminator'"):
        fit(model, [K.TerminateOnNaN()], x=poisoned())
    with pytest.raises(GameDivergedError):
        model.train_on_batch(poisoned())
    with pytest.raises(GameDivergedError):
        fit(model, [], x=poisoned())


@pytest.mark.parametrize("how", ["warn", "rollback"])
def test_a_callback_that_would_wait_for_a_nan_in_vain_is_an_error(how):
    model = gan(on_nonfinite=how)
    with pytest.raises(ValueError, match="must be able to see a NaN") as error:
        fit(model, [K.TerminateOnNaN()])
    assert error.match(how)
    assert not ends_at_nan([K.LambdaCallback()], how)


def test_a_csv_has_a_column_per_player(tmp_path):
    model = gan()
    history = fit(model, [K.CSVLogger(tmp_path / "log.csv")], epochs=2)
    with open(tmp_path / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    for player in PLAYERS:
        found = [float(row[f"{player}_loss"]) for row in rows]
        np.testing.assert_allclose(found, history[f"{player}_loss"])


def test_a_function_of_ones_own_sees_the_logs_of_every_batch():
    model, seen = gan(), []
    note = K.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append((batch, dict(logs)))
    )
    fit(model, [note], epochs=1)
    assert [batch for batch, _ in seen] == [0, 1]
    for _, logs in seen:
        total = sum(logs[f"{player}_loss"] for player in PLAYERS)
        np.testing.assert_allclose(logs["loss"], total, rtol=ROUNDING)


def averaging(momentum=0.5, rate=0.125):
    return keras.optimizers.SGD(rate, use_ema=True, ema_momentum=momentum)


def averaged(points, momentum=0.5):
    """Keras' average: it begins at the point after the first step."""
    average = points[0]
    for point in points[1:]:
        average = momentum * average + (1 - momentum) * point
    return average


class Seen(K.Callback):
    """Notes the weights after each batch, and those that are evaluated."""

    def __init__(self):
        super().__init__()
        self.points, self.tested = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.points.append(weights(self.model))

    def on_test_batch_begin(self, batch, logs=None):
        self.tested.append(weights(self.model))


@pytest.mark.parametrize("half", [False, True])
def test_swapped_averages_are_evaluated_and_only_where_they_are_kept(half):
    # Under float16, they are in the optimizer inside the loss scale.
    keras.config.set_dtype_policy("mixed_float16" if half else "float32")
    try:
        model = gan({"generator": averaging(), "discriminator": "sgd"})
    finally:
        keras.config.set_dtype_policy("float32")
    seen = Seen()
    swap = K.SwapEMAWeights()
    fit(model, [swap, seen], epochs=1, validation_data=(data(4),))
    places = {id(v): i for i, v in enumerate(model.trainable_variables)}
    for name, player in model.players.items():
        for place in (places[id(v)] for v in player.variables):
            path = [p[place] for p in seen.points]
            want = averaged(path) if name == "generator" else path[-1]
            np.testing.assert_allclose(
                seen.tested[0][place], want, rtol=ROUNDING, atol=ROUNDING
            )
            assert name != "generator" or np.any(want != path[-1])


def test_swapped_averages_are_what_a_checkpoint_keeps(tmp_path):
    model = gan({"generator": averaging(), "discriminator": averaging()})
    seen = Seen()
    save = K.ModelCheckpoint(
        tmp_path / "averages.weights.h5", save_weights_only=True
    )
    swap = K.SwapEMAWeights(swap_on_epoch=True)
    fit(model, [swap, save, seen], epochs=1)
    other = gan({"generator": averaging(), "discriminator": averaging()})
    other.load_weights(tmp_path / "averages.weights.h5")
    for place, found in enumerate(weights(other)):
        path = [p[place] for p in seen.points]
        np.testing.assert_allclose(
            found, averaged(path), rtol=ROUNDING, atol=ROUNDING
        )


def test_one_players_averages_can_be_swapped_alone():
    model = gan({"generator": averaging(), "discriminator": averaging()})
    seen = Seen()
    swap = ForPlayer("generator", K.SwapEMAWeights())
    fit(model, [swap, seen], epochs=1, validation_data=(data(4),))
    for v, last, tested in zip(
        model.trainable_variables, seen.points[-1], seen.tested[0], strict=True
    ):
        own = any(v is w for w in model.players["generator"].variables)
        assert np.any(last != tested) == own


def test_averages_that_no_optimizer_keeps_cannot_be_swapped():
    with pytest.raises(ValueError, match="use_ema=True"):
        fit(gan(), [K.SwapEMAWeights()], validation_data=(data(4),))
    one = ForPlayer("generator", K.SwapEMAWeights())
    with pytest.raises(ValueError, match="use_ema=True"):
        fit(gan(), [one], validation_data=(data(4),))


def events(folder):
    """What stands in the event files of a folder, by name and step."""
    import tensorflow as tf

    found = {}
    for path in Path(folder).glob("events.*"):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            if event.HasField("graph_def"):
                found["graph", 0] = event.graph_def
            for value in event.summary.value:
                key = (value.tag, event.step)
                assert key not in found, f"{key} is there twice"
                found[key] = tf.make_ndarray(value.tensor)
    return found


@only("tensorflow", "Keras writes for TensorBoard with TensorFlow")
def test_tensorboard_shows_every_player_and_every_weight(tmp_path):
    pytest.importorskip("tensorboard")
    model = gan()
    board = K.TensorBoard(tmp_path, histogram_freq=1, write_graph=True)
    history = fit(model, [board], epochs=2, validation_data=(data(4),))
    train, validation = (
        events(tmp_path / "train"),
        events(tmp_path / "validation"),
    )
    for epoch in range(2):
        for player, rate in zip(PLAYERS, (0.125, 0.25), strict=True):
            loss = f"{player}_loss"
            np.testing.assert_allclose(
                train[f"epoch_{loss}", epoch], history[loss][epoch]
            )
            np.testing.assert_allclose(
                validation[f"epoch_{loss}", epoch],
                history[f"val_{loss}"][epoch],
            )
            assert train[f"epoch_learning_rate_{player}", epoch] == rate
        for v in model.trainable_variables:
            buckets = train[f"{v.path}/histogram", epoch]
            # Rows of a histogram: left edge, right edge, count.
            assert buckets[:, 2].sum() == np.size(v)
    # As for any Keras model that is no Sequential or Functional one.
    assert ("graph", 0) not in train
    step = 2 * 2
    assert (f"evaluation_{PLAYERS[0]}_loss_vs_iterations", step) in validation


@only("tensorflow", "Keras writes for TensorBoard with TensorFlow")
def test_tensorboard_of_one_player_shows_its_learning_rate(tmp_path):
    pytest.importorskip("tensorboard")
    board = ForPlayer("discriminator", K.TensorBoard(tmp_path))
    fit(gan(), [board], epochs=1)
    assert events(tmp_path / "train")["epoch_learning_rate", 0] == 0.25
