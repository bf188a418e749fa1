import jax
import keras
import numpy as np
import pytest

import adversarial
from adversarial import games, optimizers as o

STRATEGIES = {
    "simultaneous": o.Simultaneous,
    "alternating": lambda: o.Alternating(steps={"discriminator": 2}),
    "balanced": lambda: o.Balanced(skip={"discriminator": (0.1, "generator")}),
    "extra_gradient": o.ExtraGradient,
    "lookahead": lambda: o.Lookahead("optimistic", 2),
    "phases": lambda: o.Phases([(2, "simultaneous"), "alternating"]),
}
"""One for each way to keep something or to decide in a step."""
EACH = pytest.mark.parametrize("strategy", STRATEGIES)
X = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")


@pytest.fixture
def traces(monkeypatch):
    """What is traced, or run eagerly: a list that grows."""
    found = []
    for name in ("play", "judge"):
        original = getattr(adversarial.AdversarialModel, name)

        def noted(self, data, *, original=original, name=name):
            found.append(name)
            return original(self, data)

        monkeypatch.setattr(adversarial.AdversarialModel, name, noted)
    return found


@pytest.fixture
def gan(small_gan):
    def make(strategy="simultaneous", optimizer="adam", **kwargs):
        model = small_gan()
        made = STRATEGIES[strategy]()
        model.compile(made, optimizer, "non_saturating", **kwargs)
        return model

    return make


def variables(model):
    metrics = [v for m in model.metrics for v in m.variables]
    loose = model.loose_variables
    return [*model.variables, *model.optimizer.variables, *metrics, *loose]


def assert_holds_values(model):
    for v in variables(model):
        assert isinstance(v._value, jax.Array), v.path
        assert not isinstance(v._value, jax.core.Tracer), v.path
        assert not v._value.is_deleted(), v.path


@EACH
def test_fit_traces_a_step_once_for_each_size_of_batch(gan, traces, strategy):
    model = gan(strategy)
    model.fit(X, batch_size=4, epochs=2, verbose=0)
    assert traces == ["play"]
    model.fit(X, batch_size=4, verbose=0)
    assert traces == ["play"]
    model.fit(X[:18], batch_size=4, epochs=2, verbose=0)
    assert traces == ["play"] * 2


@EACH
def test_train_on_batch_traces_a_step_once(gan, traces, strategy):
    model = gan(strategy)
    for i in range(5):
        model.train_on_batch(X[i : i + 4])
    assert traces == ["play"]


def test_evaluation_is_traced_once_and_training_goes_on(gan, traces):
    model = gan()
    for _ in range(2):
        model.fit(X, batch_size=4, validation_data=(X,), verbose=0)
        model.evaluate(X, batch_size=4, verbose=0)
        model.test_on_batch(X[:4])
    # Batches of `test_on_batch` always have places for targets and weights.
    assert sorted(traces) == ["judge", "judge", "play"]
    assert_holds_values(model)


def test_several_steps_per_execution_are_the_same_function(gan, traces):
    model = gan(steps_per_execution=3)
    model.fit(X, batch_size=4, verbose=0)
    assert traces == ["play"]
    assert int(model.optimizer.iterations) == 5


@EACH
def test_the_state_of_a_step_is_donated(gan, strategy):
    model = gan(strategy)
    model.train_on_batch(X[:4])
    # Those of metrics are set to zero before.
    kept = [*model.variables, *model.optimizer.variables]
    before = [(v.path, v._value) for v in [*kept, *model.loose_variables]]
    model.train_on_batch(X[4:8])
    for path, value in before:
        assert value.is_deleted(), path
    assert_holds_values(model)


@EACH
def test_a_step_is_one_program_that_calls_nobody(gan, strategy):
    model = gan(strategy)
    model.train_on_batch(X[:4])
    state = tuple([v.value for v in p] for p in model._parts(4))
    traced = jax.make_jaxpr(model.train_step)(state, (X[:4], None, None))
    names = {str(p) for p in primitives(traced.jaxpr)}
    assert len(names) > 20
    assert not [n for n in names if "callback" in n or "print" in n]


def primitives(jaxpr):
    for step in jaxpr.eqns:
        yield step.primitive
        for value in keras.tree.flatten(list(step.params.values())):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from primitives(inner)


def test_two_variables_may_be_given_the_same_value(quadratic):
    """A buffer can be donated once."""

    class Same(adversarial.AdversarialOptimizer):
        def build(self, game):
            super().build(game)
            self.slots = [self.add_slots(game, n) for n in ("one", "two")]

        def step(self, game):
            game.apply(game.field())
            game.assign(self.slots, [game.point, game.point])

    game = quadratic([2, 1])
    model = game.compiled(Same(), 0.1, dtype="float64")
    points = game.play(model, 4)
    first = model.players["p0"].variables[0]
    copies = [v for v in model.optimizer.variables if v.shape == first.shape]
    assert len(copies) == 2
    for v in copies:
        np.testing.assert_array_equal(v.value, points[-1][:2])
    copies[0].assign(copies[1].value)
    first.assign(copies[1].value)
    game.play(model, 2)


def game_model(strategy="simultaneous", **kwargs):
    """min_x max_y xy, from (3, 4)."""
    game = games.Quadratic(games.Bilinear().matrices, start=[3.0, 4.0])
    return game.compiled(strategy, 0.1, dtype="float64", **kwargs)


ONES = np.ones((6, 1))


@pytest.mark.parametrize("named", [True, False], ids=["model", "variable"])
@pytest.mark.parametrize("when", ["begin", "end"])
def test_callbacks_read_and_write_variables_between_steps(named, when, float64):
    """Also those that hold a variable, and never ask for the model."""
    model, seen = game_model(), []
    x, y = (v for p in model.players.values() for v in p.variables)

    class Watch(keras.callbacks.Callback):
        def note(self, step):
            if named:
                assert self.model is model
            seen.append((float(x.value[0]), float(y.value[0])))
            if step == 3:
                x.assign([100.0])

        def on_train_batch_begin(self, batch, logs=None):
            if when == "begin":
                self.note(batch)

        def on_train_batch_end(self, batch, logs=None):
            if when == "end":
                self.note(batch + 1)

    model.fit(ONES, batch_size=1, verbose=0, callbacks=[Watch()])
    points = [(3.0, 4.0)]
    for step in range(6):
        a, b = points[-1]
        a = 100.0 if step == 3 else a
        points.append((a - 0.1 * b, b + 0.1 * a))
    expected = points[:6] if when == "begin" else points[1:]
    np.testing.assert_allclose(seen, expected, rtol=1e-12)
    end = float(x.value[0]), float(y.value[0])
    np.testing.assert_allclose(end, points[-1], rtol=1e-12)


def test_the_last_write_of_a_callback_stays(float64):
    model = game_model()
    x = next(iter(model.players.values())).variables[0]

    class Last(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            x.assign([7.0])

    model.fit(ONES[:1], batch_size=1, verbose=0, callbacks=[Last()])
    assert float(x.value[0]) == 7.0


class Broken(Exception):
    pass


class BreaksOnce(o.Simultaneous):
    """Fails while it is traced, after it has moved the players."""

    broken = True

    def step(self, game):
        super().step(game)
        if self.broken:
            raise Broken


@pytest.mark.parametrize("call", ["fit", "train_on_batch"])
@pytest.mark.parametrize("eager", [False, True])
def test_an_exception_in_a_step_leaves_no_tracers(call, eager, float64):
    strategy = BreaksOnce()
    model = game_model(strategy, run_eagerly=eager)
    quiet = {"verbose": 0} if call == "fit" else {}
    with pytest.raises(Broken):
        getattr(model, call)(ONES, **quiet)
    assert_holds_values(model)
    assert model.get_weights() == [3.0, 4.0]
    assert not keras.src.backend.common.stateless_scope.in_stateless_scope()
    strategy.broken = False
    getattr(model, call)(ONES, **quiet)
    np.testing.assert_allclose(np.ravel(model.get_weights()), [2.6, 4.3])


def test_an_interrupt_between_steps_leaves_the_values(float64):
    class Stop(keras.callbacks.Callback):
        def __init__(self, where):
            super().__init__()
            self.where = where

        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2 and self.where == "begin":
                raise KeyboardInterrupt

        def on_train_batch_end(self, batch, logs=None):
            if batch == 1 and self.where == "end":
                raise KeyboardInterrupt

    for where in ("begin", "end"):
        model = game_model()
        with pytest.raises(KeyboardInterrupt):
            model.fit(ONES, batch_size=1, verbose=0, callbacks=[Stop(where)])
        assert_holds_values(model)
        # (3, 4), (2.6, 4.3), (2.17, 4.56)
        np.testing.assert_allclose(np.ravel(model.get_weights()), [2.17, 4.56])


def test_a_bad_loss_leaves_the_values(gan):
    model = gan()
    model.train_on_batch(X[:4])
    before = model.get_weights()
    with pytest.raises(adversarial.GameDivergedError):
        model.fit(X * np.nan, batch_size=4, verbose=0)
    assert_holds_values(model)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@EACH
def test_nothing_leaks_out_of_a_trace(gan, strategy):
    model = gan(strategy)
    with jax.checking_leaks():
        model.train_on_batch(X[:4])
        model.test_on_batch(X[:4])
    assert_holds_values(model)


def test_every_step_draws_other_numbers(gan):
    model = gan()
    state = model.networks[0].get_layer("normal_latent").seed_generator.state
    seen = []
    for _ in range(3):
        seen.append(tuple(np.asarray(state.value).tolist()))
        model.train_on_batch(X[:4])
    assert len(set(seen)) == 3


@pytest.mark.parametrize("strategy", ["lookahead", "averaging"])
def test_what_a_network_uses_up_is_not_what_the_strategy_remembers(
    small_gan, strategy
):
    """Keras' own `predict` takes over the arrays of the network alone."""
    model = small_gan()
    model.compile(strategy, "sgd", "non_saturating", run_eagerly=True)
    model.train_on_batch(X)
    network = model.networks[0].get_layer("generator")
    network.predict(X[:, :2], verbose=0)
    if strategy == "averaging":
        with model.optimizer.averaged():
            network.predict(X[:, :2], verbose=0)
    for v in model.optimizer.variables:
        assert np.isfinite(np.array(v)).all(), v.path
