from functools import partial

import keras
import numpy as np
import pytest
from engines import JITS, TRACED
from keras import ops

import adversarial
from adversarial import games, optimizers as o
from adversarial.optimizers import HistoricalAveraging
from adversarial.testing import LinearGame, adam_references, references
from adversarial.testing.linear_model import numbers
from adversarial.testing.references import DIRECTIONS, STEPS

# Rounding of some steps of numbers near 1.
ROUNDING = 1e-12
# Systems are solved to 1e-14, of condition numbers up to about 100.
SOLVED = 1e-10
EXACT = {"tolerance": 1e-14, "max_iterations": 8}
STRENGTH = 0.4
FEW = 6

INNER = {
    "extra_gradient": (o.ExtraGradient(2.0), {"lookahead": 2.0}),
    "runge_kutta": (o.RungeKutta(), {}),
    "optimistic": (o.Optimistic(), {"inner": STEPS["simultaneous"]}),
    "prediction": (o.Prediction(two_sided=True), {"two_sided": True}),
    "lookahead": (o.Lookahead(period=2), {"period": 2}),
    "averaging": (o.Averaging(), {}),
    "anderson": (
        o.Anderson("alternating", 2, 1e-2),
        {"regularization": 1e-2},
    ),
    "historical_averaging": (
        HistoricalAveraging(strength=0.3),
        {"strength": 0.3},
    ),
    "unrolled": (o.Unrolled(2), {"depth": 2}),
    "gradient_norm": (
        o.GradientNorm({"p0": {"p1": 0.5, "p0": 0.2}}),
        {"weights": [[0.2, 0.5, 0.0], [0.0] * 3, [0.0] * 3]},
    ),
    "consensus": (o.Consensus(0.7), {"strength": 0.7}),
    "jare": (o.JARE(0.7), {"strength": 0.7}),
    "odegan_regularizer": (
        o.ODEGANRegularizer(0.3, of="p0", payer="p1"),
        {"strength": 0.3},
    ),
    "hamiltonian_descent": (o.HamiltonianDescent(), {}),
    "symplectic_gradient_adjustment": (
        o.SymplecticGradientAdjustment(0.7),
        {"strength": 0.7},
    ),
    "policy_prediction": (o.PolicyPrediction(0.3), {"step": 0.3}),
    "lola": (o.LOLA(0.3), {"step": 0.3}),
    "sos": (o.SOS(0.5), {"step": 0.5}),
    "competitive_gradient": (o.CompetitiveGradient(**EXACT), {}),
    "stackelberg_gradient": (
        o.StackelbergGradient("p0", 2.0, **EXACT),
        {"leader": 0, "damping": 2.0},
    ),
    "follow_the_ridge": (
        o.FollowTheRidge("p0", **EXACT),
        {"leader": 0, "damping": 1.0},
    ),
    "lead": (o.LEAD(0.05), {"strength": 0.05}),
}
"""Strategies that look at other points or at derivatives, and wrappers.

The others are within this one in the table of all strategies.
"""


@pytest.mark.parametrize("name", INNER)
def test_every_strategy_plays_the_game_with_the_term(name, play):
    inner, arguments = INNER[name]
    game = LinearGame.random()
    wrapped = o.get(keras.saving.serialize_keras_object(inner))
    found = play(HistoricalAveraging(wrapped, STRENGTH), game, FEW)
    step = partial(
        STEPS["historical_averaging"],
        inner=partial(STEPS[name], **arguments),
        strength=STRENGTH,
    )
    expected = references.play(step, game, found[0], FEW)
    np.testing.assert_allclose(found, expected, rtol=0, atol=SOLVED)


def test_the_term_is_not_taken_at_the_point_before_the_look_ahead(play):
    """The pull must be that at the half point, not that at the start."""
    game = LinearGame.random()
    found = play(HistoricalAveraging(o.ExtraGradient(), STRENGTH), game, 2)
    theta, mean = found[1], found[0]
    rates = np.diag(game.D)
    pull = 2 * STRENGTH * (theta - mean)
    half = theta - rates * (game.field(theta) + pull)
    faulty = theta - rates * (game.field(half) + pull)
    right = theta - rates * (game.field(half) + 2 * STRENGTH * (half - mean))
    np.testing.assert_allclose(found[2], right, rtol=0, atol=ROUNDING)
    assert np.abs(found[2] - faulty).max() > 1e-3


def mean_of(model):
    slots = model.strategy.mean.values()
    return np.concatenate([np.ravel(v.numpy()) for b in slots for v in b])


def test_the_mean_is_that_of_all_points_that_were_left(made, begin):
    game = LinearGame.random()
    model = made(HistoricalAveraging(), run_eagerly=True)
    points = model.play(game, begin(game), FEW)
    expected = points[:-1].mean(axis=0)
    np.testing.assert_allclose(mean_of(model), expected, rtol=ROUNDING)
    assert int(model.strategy.points.value) == FEW


def test_without_strength_it_is_the_inner_strategy_bit_for_bit(play):
    found = play(HistoricalAveraging("extra_gradient", 0.0), steps=FEW)
    np.testing.assert_array_equal(found, play("extra_gradient", steps=FEW))


def test_strengths_add(play):
    twice = HistoricalAveraging(HistoricalAveraging("sos", 0.3), 0.1)
    once = HistoricalAveraging("sos", 0.4)
    found, expected = (play(each, steps=FEW) for each in (twice, once))
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("strength", [0.25, 1.0])
def test_on_the_bilinear_game_it_goes_home_like_a_power(strength, made):
    """Fast, theta follows the mean: (J + 2 s I) theta = 2 s mean.

    What is left is d mean / dt = -J (J + 2 s I)^-1 mean / t, of which the
    eigenvalues have the real part 1 / (1 + 4 s^2).
    """
    game, first, last = LinearGame.bilinear(0.2), 200, 800
    model = made(HistoricalAveraging("simultaneous", strength), (1, 1))
    points = model.play(game, np.array([1.0, 1.0]), last)
    means = [np.linalg.norm(points[:t].mean(axis=0)) for t in (first, last)]
    found = np.log(means[1] / means[0]) / np.log(last / first)
    # The power is that of long times: 0.003 is seen of 0.8 to 0.2.
    assert found == pytest.approx(-1 / (1 + 4 * strength**2), abs=0.01)
    assert np.linalg.norm(points[last]) < np.linalg.norm(points[first])


@pytest.mark.parametrize(("factor", "converges"), [(0.9, True), (1.1, False)])
def test_on_the_bilinear_game_it_is_stable_up_to_a_known_step(
    factor, converges, made
):
    strength = 0.2
    eta = factor * 4 * strength / (1 + 4 * strength**2)
    model = made(HistoricalAveraging("simultaneous", strength), (1, 1))
    start = np.array([1.0, 1.0])
    lengths = np.linalg.norm(
        model.play(LinearGame.bilinear(eta), start, 400), axis=1
    )
    assert (lengths[-1] < 0.3) == converges
    assert (lengths[-1] > 30) != converges


class Orbits(games.AnalyticGame):
    """min_x max_y (f(x) - 1) (y - 1), f(x) = x below 0 and x^2 above.

    The example of the paper; its equilibrium is (1, 1).
    """

    def __init__(self, start=None):
        super().__init__({"x": [(1,)], "y": [(1,)]}, start or [0.3, 0.3])

    def losses(self, theta):
        (x,), (y,) = theta["x"], theta["y"]
        value = (ops.where(x < 0, x, x * x) - 1) * (y - 1)
        return [value, -value]

    def field(self, theta):
        x, y = theta
        slope, f = (1, x) if x < 0 else (2 * x, x * x)
        return np.array([slope * (y - 1), 1 - f])

    values = best_values = equilibria = None


def test_the_example_of_the_paper_converges_and_descent_orbits(float64):
    steps = 1500

    def end(strategy):
        game = Orbits()
        model = game.compiled(
            strategy, 0.05, jit_compile=TRACED, steps_per_execution=steps
        )
        model.fit(np.ones((steps, 1)), batch_size=1, verbose=0)
        return np.linalg.norm(game.point(model) - 1)

    first = np.linalg.norm(np.array([0.3, 0.3]) - 1)
    with pytest.raises(Exception, match="must be finite"):
        end("simultaneous")
    assert end("alternating") > 0.5 * first
    assert end(HistoricalAveraging("simultaneous", 0.1)) < 0.02 * first


def test_adam_scales_the_term_with_the_rest_of_the_gradient(play):
    """Elsewhere the term alone gets a step of Adam, which forgets its size."""
    game, steps = LinearGame.random(), 10
    adam = partial(keras.optimizers.Adam, beta_1=0.5, beta_2=0.9, epsilon=1e-3)
    strategy = HistoricalAveraging("simultaneous", STRENGTH)
    found = play(strategy, game, steps, optimizer=adam)
    rates = np.repeat(game.rates, game.blocks)
    rule = adam_references.Adam(rates, 0.5, 0.9, 1e-3)

    def path(apart):
        theta, past, state = found[0], [], rule.start(found[0])
        for _ in range(steps):
            pull = 2 * STRENGTH * (theta - np.mean(past or [theta], axis=0))
            past.append(theta)
            xi = game.field(theta)
            for g in (xi, pull) if apart else (xi + pull,):
                u, state = rule.step(g, state)
                theta = theta + u
        return theta

    np.testing.assert_allclose(found[-1], path(False), rtol=0, atol=ROUNDING)
    assert np.abs(found[-1] - path(True)).max() > 1e-2


def test_a_first_batch_that_is_refused_is_no_past(made, begin):
    game = LinearGame.random()
    model, other = (
        made(HistoricalAveraging(), run_eagerly=True, on_nonfinite="warn")
        for _ in range(2)
    )
    expected = other.play(game, begin(game), 3)[-1]
    model.play(game, begin(game), 0)
    with pytest.warns(UserWarning, match="must be finite"):
        model.step(np.nan * numbers(game))
    for _ in range(3):
        model.step(game)
    np.testing.assert_array_equal(model.theta, expected)
    np.testing.assert_array_equal(mean_of(model), mean_of(other))


def gan(make, strategy, **kwargs):
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    model = make()
    sgd = [keras.optimizers.SGD(0.1) for _ in range(2)]
    model.compile(strategy, sgd, "non_saturating", **kwargs)
    return model


def weights_of(model):
    return [v.numpy() for v in model.trainable_variables]


@pytest.mark.parametrize("jit", JITS)
def test_in_a_gan_each_gradient_has_the_pull_and_no_other(
    jit, small_gan, tmp_path
):
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    strategy = HistoricalAveraging("simultaneous", 0.5)
    drawn = gan(small_gan, strategy, jit_compile=jit)
    before = weights_of(drawn)
    drawn.train_on_batch(x)
    drawn.save(tmp_path / "model.keras")
    now = weights_of(drawn)
    drawn = keras.saving.load_model(tmp_path / "model.keras")
    free = gan(small_gan, "simultaneous", jit_compile=jit)
    free.train_on_batch(x)
    # In float32, of weights of the order of 1.
    for a, b in zip(weights_of(free), now, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    logs = [m.train_on_batch(x, return_dict=True) for m in (drawn, free)]
    rows = zip(before, now, weights_of(free), weights_of(drawn), strict=True)
    moved = 0.0
    for first, second, plain, found in rows:
        pull = 2 * 0.5 * (second - first)
        np.testing.assert_allclose(found, plain - 0.1 * pull, atol=2e-6)
        moved = max(moved, np.abs(0.1 * pull).max())
    assert moved > 1e-3
    for name in ("generator_loss", "discriminator_loss"):
        assert logs[0][name] == pytest.approx(logs[1][name], rel=1e-5)


def test_what_no_loss_moves_stays_where_it_is():
    layers = keras.layers
    x = keras.Input((2,))
    used, idle = layers.Dense(1, name="used"), layers.Dense(1, name="idle")
    base = keras.Model(x, {"y": used(x), "z": idle(x)})
    model = adversarial.AdversarialModel(base, player_params={"one": base})
    decaying = keras.optimizers.AdamW(0.1, weight_decay=0.1)
    model.compile(HistoricalAveraging(), [decaying], {"one": {"y": "mse"}})
    before = idle.get_weights()
    data = np.ones((4, 2), "float32")
    with pytest.warns(UserWarning, match="does not depend on 'idle"):
        for _ in range(3):
            model.train_on_batch(data, [np.zeros((4, 1), "float32")] * 2)
    np.testing.assert_array_equal(before[0], idle.get_weights()[0])


def test_a_rule_that_asks_for_directions_refuses_it():
    with pytest.raises(TypeError, match="only chooses directions") as error:
        o.ExtraGradient(inner=HistoricalAveraging())
    assert "a `HistoricalAveraging`" in str(error.value)


@pytest.mark.parametrize("wrong", [-0.1, float("nan")])
def test_the_strength_must_be_at_least_zero(wrong):
    with pytest.raises(ValueError, match="`strength` is out of range"):
        HistoricalAveraging(strength=wrong)


def test_all_directions_are_tried_within():
    alone = {"simultaneous"}
    assert set(DIRECTIONS) - set(INNER) == alone
    elsewhere = {"simultaneous", "alternating", "scheduled"}
    elsewhere |= {"balanced", "phases"}
    assert set(STEPS) - set(INNER) == elsewhere
