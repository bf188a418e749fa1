import keras
import numpy as np
import pytest
from engines import COMPILES, array

from adversarial.callbacks import ForPlayer

K = keras.callbacks
ROWS, BATCH = 8, 2
ROUNDING = 1e-6
"""Relative: a learning rate and a few steps of SGD in float32."""


def x():
    return np.ones((ROWS, 1), "float32")


def rates(model):
    return {n: float(h) for n, h in model.optimizer.learning_rates.items()}


class Spy(K.Callback):
    """Notes which of its hooks were called."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __getattribute__(self, name):
        if name.startswith("on_"):
            self.calls.append(name)
        return super().__getattribute__(name)


@pytest.fixture
def game(quadratic):
    return quadratic([1, 1], dtype="float32")


def compiled(game, **kwargs):
    """Two players with rates of 0.125 and 0.25."""
    optimizers = [keras.optimizers.SGD(0.125), keras.optimizers.SGD(0.25)]
    return game.compiled("simultaneous", optimizers, **kwargs)


def names(model):
    return list(model.players)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"run_eagerly": True},
        {"steps_per_execution": 2, "jit_compile": False},
        {"steps_per_execution": 2, "jit_compile": COMPILES},
        {"jit_compile": "auto"},
    ],
)
def test_a_schedule_of_one_player_takes_effect_in_every_mode(game, kwargs):
    # The rate of the first player is 0 in the second epoch: it stays.
    model = compiled(game, **kwargs)
    first, second = names(model)
    schedule = K.LearningRateScheduler(lambda epoch, h: h * (epoch == 0))
    places = []

    class Places(K.Callback):
        def on_epoch_end(self, epoch, logs=None):
            places.append([np.array(v) for v in model.trainable_variables])

    model.fit(
        x(),
        batch_size=BATCH,
        epochs=2,
        verbose=0,
        callbacks=[ForPlayer(first, schedule), Places()],
    )
    assert rates(model) == {first: 0.0, second: 0.25}
    np.testing.assert_array_equal(places[0][0], places[1][0])
    assert np.any(places[0][1] != places[1][1])


def test_a_plateau_of_one_players_loss_reduces_its_rate_alone(game):
    model = compiled(game, run_eagerly=True)
    first, second = names(model)
    reduce = K.ReduceLROnPlateau(
        f"{second}_loss", factor=0.5, patience=1, min_delta=1e6
    )
    history = model.fit(
        x(), epochs=3, verbose=0, callbacks=[ForPlayer(second, reduce)]
    ).history
    # No epoch is better by 1e6 than the first: the second and the third halve.
    assert rates(model) == {first: 0.125, second: 0.0625}
    assert history[f"learning_rate_{second}"] == [0.25, 0.25, 0.125]
    assert f"learning_rate_{first}" not in history
    assert "learning_rate" not in history


def test_a_name_of_its_own_stays_in_the_logs(game):
    optimizers = [keras.optimizers.SGD(0.5, name="fast"), "sgd"]
    model = game.compiled("simultaneous", optimizers, run_eagerly=True)
    keep = K.LearningRateScheduler(lambda epoch, h: h)
    history = model.fit(
        x(), verbose=0, callbacks=[ForPlayer(names(model)[0], keep)]
    ).history
    assert history["learning_rate_fast"] == [0.5]


def test_a_learning_rate_that_others_logged_is_left_alone(game):
    model = compiled(game, run_eagerly=True)

    class Other(K.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["learning_rate"] = 7.0

    quiet = K.LambdaCallback()
    history = model.fit(
        x(), verbose=0, callbacks=[Other(), ForPlayer(names(model)[0], quiet)]
    ).history
    assert history["learning_rate"] == [7.0]


def test_early_stopping_ends_the_training_of_all(game):
    model = compiled(game, run_eagerly=True)
    first, _ = names(model)
    stop = K.EarlyStopping(f"{first}_loss", min_delta=1e6, patience=1)
    history = model.fit(
        x(), epochs=5, verbose=0, callbacks=[ForPlayer(first, stop)]
    ).history
    assert len(history["loss"]) == 2
    assert model.stop_training


def test_a_loss_scale_is_looked_through(small_gan):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = small_gan()
    finally:
        keras.config.set_dtype_policy("float32")
    model.compile("alternating", "adam", "non_saturating", run_eagerly=True)
    player = model.players["generator"].optimizer
    assert isinstance(player, keras.optimizers.LossScaleOptimizer)
    inside = K.Callback()
    ForPlayer("generator", inside).set_model(model)
    assert inside.model.optimizer is player.inner_optimizer


def test_every_hook_is_passed_on(game):
    model = compiled(game, run_eagerly=True)
    spy, plain = Spy(), Spy()
    callbacks = [ForPlayer(names(model)[0], spy), plain]
    model.fit(x(), validation_data=(x(),), verbose=0, callbacks=callbacks)
    model.predict(x(), verbose=0, callbacks=callbacks)
    # Keras asks for some hooks to see whether they were overridden.
    hooks = {name for name in dir(K.Callback) if name.startswith("on_")}
    assert set(spy.calls) == set(plain.calls) == hooks
    assert spy.params == plain.params is not None


def test_the_view_is_the_model_but_for_its_optimizer(game):
    model = compiled(game, run_eagerly=True)
    first, _ = names(model)
    inside = K.Callback()
    ForPlayer(first, inside).set_model(model)
    view = inside.model
    assert view.optimizer is model.players[first].optimizer
    assert isinstance(view, keras.Model)
    assert view.trainable_variables == model.trainable_variables
    view.stop_training = True
    assert model.stop_training is True
    for a, b in zip(
        keras.tree.flatten(view(x())),
        keras.tree.flatten(model(x())),
        strict=True,
    ):
        np.testing.assert_array_equal(array(a), array(b))
    with pytest.raises(AttributeError):
        view.nothing_of_this_name  # noqa: B018


def test_an_unknown_player_is_an_error_when_training_begins(game):
    model = compiled(game, run_eagerly=True)
    first, _ = names(model)
    wrapped = ForPlayer(f"{first}s", K.TerminateOnNaN())
    with pytest.raises(ValueError, match="Unknown player") as error:
        model.fit(x(), verbose=0, callbacks=[wrapped])
    assert error.match(f"did you mean '{first}'")
    assert int(model.optimizer.iterations) == 0


def test_a_model_of_one_optimizer_is_an_error():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(ValueError, match="a model of players"):
        model.fit(
            x(), x(), verbose=0, callbacks=[ForPlayer("a", K.TerminateOnNaN())]
        )


@pytest.mark.parametrize("given", [lambda: None, [K.TerminateOnNaN()], None])
def test_what_is_no_callback_is_an_error(given):
    with pytest.raises(TypeError, match="needs a Keras callback"):
        ForPlayer("generator", given)


def test_a_list_of_callbacks_is_an_error():
    with pytest.raises(TypeError, match="a `ForPlayer` around each"):
        ForPlayer("generator", K.CallbackList([]))
