import keras
import numpy as np
import pytest
from engines import COMPILES
from keras import ops

from adversarial import AdversarialModel, GameDivergedError, losses, optimizers
from adversarial.divergence import DivergenceMonitor

PLAYERS = ["first", "second"]
GOOD, BAD = 1.0, np.nan
LOGS = 1e-6
"""Means of a few numbers of order 1, which XLA adds in another order."""
STRATEGIES = {
    "simultaneous": optimizers.Simultaneous,
    "alternating": optimizers.Alternating,
    "scheduled": lambda: optimizers.Scheduled(["second", ["first", "second"]]),
}
GRAPH = {}
EAGER = {"run_eagerly": True}
XLA = {"jit_compile": COMPILES}
THREE = {"steps_per_execution": 3}


class Pull(losses.AdversarialLoss):
    """Two players that chase each other."""

    def call(self, outputs, targets=None):
        a, b = outputs
        return {"first": a * b + a**2, "second": b**2 - a * b}


class Cliff(losses.AdversarialLoss):
    """The first player's move takes the second's loss over an edge."""

    def call(self, outputs, targets=None):
        a, b = outputs
        return {"first": -a, "second": b * ops.log(1.15 - a)}


def game(strategy="simultaneous", loss=None, *, norm=False, **kwargs):
    x = keras.Input((1,))
    layers = [
        keras.layers.Dense(
            1, name=name, use_bias=False, kernel_initializer="ones"
        )
        for name in PLAYERS
    ]
    outputs = [layer(x) for layer in layers]
    if norm:
        first = keras.Sequential(
            [keras.Input((1,)), layers[0], keras.layers.BatchNormalization()]
        )
        layers[0] = first
        outputs[0] = first(x)
    model = AdversarialModel(
        keras.Model(x, outputs),
        player_params=dict(zip(PLAYERS, layers, strict=True)),
    )
    model.compile(
        STRATEGIES[strategy](),
        [keras.optimizers.Adam(0.1), keras.optimizers.SGD(0.1)],
        loss=loss or Pull(),
        **kwargs,
    )
    return model


def fit(model, *values):
    x = np.array(values, "float32")[:, None]
    return model.fit(x, batch_size=1, shuffle=False, verbose=0)


def told(caught):
    """The warnings of the package; Keras' variables have their own."""
    return [w for w in caught if w.category is UserWarning]


def state(model):
    """The weights, moving statistics and optimizers, without the counter."""
    counter = model.optimizer.iterations
    variables = [*model.variables, *model.optimizer.variables]
    return [v.numpy() for v in variables if v is not counter]


def assert_equal(got, want):
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


def assert_goes_on(model):
    """Training goes on, and nothing in the model is or becomes NaN."""
    before = model.get_weights()
    fit(model, GOOD, GOOD)
    assert all(np.isfinite(x).all() for x in state(model))
    after = model.get_weights()
    assert any(np.any(a != b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("strategy", "mode"),
    [
        ("simultaneous", GRAPH),
        ("simultaneous", EAGER),
        ("simultaneous", THREE),
        ("alternating", THREE),
        ("alternating", EAGER),
        ("alternating", XLA),
        ("scheduled", XLA | THREE),
        ("scheduled", EAGER),
    ],
    ids=str,
)
def test_a_bad_loss_is_raised_and_no_step_is_made_from_there_on(strategy, mode):
    model = game(strategy, **mode)
    fit(model, GOOD, 2.0, GOOD)
    before = state(model)
    with pytest.raises(GameDivergedError) as error:
        fit(model, BAD, GOOD, GOOD)
    assert error.value.players == ("first", "second")
    assert error.value.step == 3
    assert_equal(state(model), before)
    assert_goes_on(model)


def test_good_steps_before_a_bad_one_in_the_same_execution_are_kept():
    model, twin = game(**THREE), game(**THREE)
    for m in (model, twin):
        fit(m, GOOD, GOOD, GOOD)
    fit(twin, 2.0, 3.0)
    with pytest.raises(GameDivergedError) as error:
        fit(model, 2.0, 3.0, BAD)
    assert error.value.step == 5
    assert_equal(state(model), state(twin))


@pytest.mark.parametrize("mode", [THREE, EAGER, XLA], ids=str)
def test_the_first_mover_is_taken_back_when_the_second_fails(mode):
    """Adam takes `a` from 1.0 to 1.1, and then over the edge to 1.2."""
    model, twin = (game("alternating", Cliff(), **mode) for _ in range(2))
    fit(twin, GOOD)
    with pytest.raises(GameDivergedError) as error:
        fit(model, GOOD, GOOD, GOOD)
    assert error.value.players == ("second",)
    assert error.value.step == 1
    np.testing.assert_allclose(model.get_weights()[0], [[1.1]], rtol=1e-6)
    assert_equal(model.get_weights(), twin.get_weights())


def test_statistics_are_taken_back_with_the_weights():
    """One sample is normalised to 0; a step takes `a` from there to 0.1."""

    class Late(losses.AdversarialLoss):
        def call(self, outputs, targets=None):
            a, b = outputs
            return {"first": -a, "second": b * ops.log(0.05 - a)}

    model = game("alternating", Late(), norm=True, **EAGER)
    before = model.get_weights()
    with pytest.raises(GameDivergedError) as error:
        fit(model, GOOD)
    assert error.value.players == ("second",)
    assert_equal(model.get_weights(), before)


def test_only_the_players_whose_loss_is_bad_are_named():
    class Half(losses.AdversarialLoss):
        def call(self, outputs, targets=None):
            return {"first": outputs[0], "second": ops.log(-outputs[1])}

    with pytest.raises(GameDivergedError) as error:
        game(loss=Half(), **EAGER).train_on_batch(np.ones((1, 1)))
    assert error.value.players == ("second",)
    assert error.value.step == 0


@pytest.mark.parametrize("strategy", ["simultaneous", "alternating"])
@pytest.mark.parametrize("mode", [EAGER, THREE], ids=str)
def test_a_finite_loss_with_a_bad_gradient_is_raised_too(strategy, mode):
    """The distance of a number to itself is 0, and its slope 0 / 0."""

    class Distance(losses.AdversarialLoss):
        def call(self, outputs, targets=None):
            a, b = outputs
            return {"first": a * b, "second": ops.sqrt(ops.square(b - 1.0))}

    model = game(strategy, Distance(), **mode)
    before = model.get_weights()
    with pytest.raises(GameDivergedError) as error:
        fit(model, GOOD, GOOD, GOOD)
    assert (error.value.players, error.value.step) == (("second",), 0)
    assert_equal(model.get_weights(), before)


def test_an_infinite_loss_is_bad_too():
    with pytest.raises(GameDivergedError):
        game(**EAGER).train_on_batch(np.full((1, 1), np.inf))


def test_a_bad_loss_in_evaluation_is_only_reported():
    logs = game(**EAGER).evaluate(
        np.full((1, 1), BAD), verbose=0, return_dict=True
    )
    assert np.isnan(logs["first_loss"])


@pytest.mark.parametrize(
    ("strategy", "mode"),
    [
        ("simultaneous", GRAPH),
        ("simultaneous", THREE),
        ("alternating", EAGER),
        ("alternating", XLA),
        ("scheduled", EAGER),
    ],
    ids=str,
)
def test_a_bad_step_can_be_skipped_with_a_warning(strategy, mode):
    model = game(strategy, on_nonfinite="warn", **mode)
    twin = game(strategy, **mode)
    with pytest.warns(UserWarning) as caught:
        history = fit(model, GOOD, BAD, 2.0)
    (warning,) = told(caught)
    assert "'first', 'second' at training step 1" in str(warning.message)
    assert "on_nonfinite" not in str(warning.message)
    assert int(model.optimizer.iterations) == 2
    expected = fit(twin, GOOD, 2.0)
    assert_equal(state(model), state(twin))
    for name, (mean,) in expected.history.items():
        np.testing.assert_allclose(history.history[name], mean, atol=LOGS)


def test_every_execution_with_bad_steps_is_one_warning():
    model = game(on_nonfinite="warn", **THREE)
    with pytest.warns(UserWarning) as caught:
        fit(model, GOOD, BAD, BAD, GOOD, BAD, GOOD)
    steps = [
        str(w.message).split("step ")[1].split(".")[0] for w in told(caught)
    ]
    # Steps that are skipped do not count.
    assert steps == ["1", "2"]


def test_an_epoch_of_bad_steps_only_is_no_error():
    model = game(on_nonfinite="warn", **EAGER)
    before = state(model)
    with pytest.warns(UserWarning, match="training step"):
        history = fit(model, BAD, BAD)
    assert_equal(state(model), before)
    assert history.history["loss"] == [0.0]


@pytest.mark.parametrize(
    ("strategy", "mode"),
    [("simultaneous", GRAPH), ("alternating", EAGER), ("alternating", XLA)],
    ids=str,
)
def test_training_goes_back_to_the_last_state_that_was_kept(strategy, mode):
    """After steps 0 and 2; the bad one is the fourth."""
    how = {"on_nonfinite": "rollback", "rollback_every": 2, **mode}
    model, twin = game(strategy, **how), game(strategy, **mode)
    with pytest.warns(UserWarning) as caught:
        history = fit(model, GOOD, 2.0, 3.0, BAD, 2.0, GOOD)
    (warning,) = told(caught)
    words = str(warning.message)
    assert "'first', 'second' at training step 3" in words
    assert "went back to where it was after 2 steps" in words
    fit(twin, GOOD, 2.0, 2.0, GOOD)
    assert_equal(state(model), state(twin))
    assert int(model.optimizer.iterations) == 4
    assert np.isfinite(history.history["loss"]).all()


def test_several_bad_steps_of_an_execution_are_one_way_back():
    model, twin = game(on_nonfinite="rollback", **THREE), game(**THREE)
    with pytest.warns(UserWarning, match="after 0 steps") as caught:
        fit(model, GOOD, BAD, BAD, 2.0, 3.0, GOOD)
    assert len(told(caught)) == 1
    fit(twin, 2.0, 3.0, GOOD)
    assert_equal(state(model), state(twin))


def test_training_goes_further_back_and_then_gives_up():
    """States after 0 and 2 steps are kept."""
    model = game(on_nonfinite="rollback", rollback_every=2, **EAGER)
    with (
        pytest.warns(UserWarning) as caught,
        pytest.raises(GameDivergedError) as error,
    ):
        fit(model, GOOD, GOOD, GOOD, BAD, BAD, BAD, BAD, GOOD)
    steps = [
        str(w.message).split("after ")[1].split(" steps")[0]
        for w in told(caught)
    ]
    assert steps == ["2", "0", "0"]
    assert error.value.step == 0


def test_a_new_fit_and_new_weights_begin_anew(tmp_path):
    model = game(on_nonfinite="rollback", **EAGER)
    fit(model, GOOD)
    model.save_weights(tmp_path / "a.weights.h5")
    kept = state(model)
    fit(model, 2.0)
    model.load_weights(tmp_path / "a.weights.h5")
    with pytest.warns(UserWarning, match="after 1 steps"):
        model.train_on_batch(np.full((1, 1), BAD))
    assert_equal(state(model), kept)
    model.set_weights([w + 1 for w in model.get_weights()])
    kept = state(model)
    with pytest.warns(UserWarning, match="after 1 steps"):
        fit(model, BAD)
    assert_equal(state(model), kept)


def test_how_to_go_back_is_saved(tmp_path):
    model = game(on_nonfinite="rollback", rollback_every=7)
    config = model.get_compile_config()
    assert config["on_nonfinite"] == "rollback"
    assert config["rollback_every"] == 7


def test_what_to_do_about_it_must_be_one_of_three_things():
    with pytest.raises(ValueError, match="'raise', 'warn' or 'r") as error:
        game(on_nonfinite="ignore")
    assert "Received: 'ignore'" in str(error.value)


def test_steps_between_states_are_for_going_back_only():
    with pytest.raises(ValueError, match="`rollback_every` is for"):
        game(on_nonfinite="warn", rollback_every=3)
    with pytest.raises(ValueError, match="whole number above 0"):
        game(on_nonfinite="rollback", rollback_every=0)


def flags(*values):
    return [ops.convert_to_tensor(value) for value in values]


def test_a_monitor_remembers_the_first_bad_step_only():
    monitor = DivergenceMonitor(PLAYERS, "raise")
    monitor.note(flags(True, True), ops.convert_to_tensor(4))
    assert bool(monitor.permitted())
    monitor.note(flags(False, True), ops.convert_to_tensor(5))
    monitor.note(flags(True, False), ops.convert_to_tensor(6))
    assert not bool(monitor.permitted())
    with pytest.raises(GameDivergedError) as error:
        monitor.look()
    assert (error.value.players, error.value.step) == (("first",), 5)


def test_a_monitor_forgets_what_it_has_said():
    monitor = DivergenceMonitor(PLAYERS, "raise")
    monitor.note(flags(False, True), ops.convert_to_tensor(0))
    with pytest.raises(GameDivergedError):
        monitor.look()
    assert bool(monitor.permitted())
    monitor.look()


def test_a_monitor_that_warns_permits_every_step():
    monitor = DivergenceMonitor(PLAYERS, "warn")
    monitor.note(flags(False, False), ops.convert_to_tensor(0))
    assert bool(monitor.permitted())
    with pytest.warns(UserWarning, match="'first', 'second'"):
        monitor.look()
    monitor.look()  # A warning would be an error here.


def test_a_watched_function_returns_its_logs():
    monitor = DivergenceMonitor(PLAYERS, "raise")
    assert monitor.wrap(lambda iterator: iterator + 1)(1) == 2
