from functools import partial

import keras
import numpy as np
import pytest
from engines import TRACED

import adversarial
from adversarial import optimizers as o
from adversarial.optimizers import Balanced
from adversarial.testing import LinearGame, references
from adversarial.testing.linear_model import numbers
from adversarial.testing.references import STEPS

# Rounding of some steps of numbers near 1.
ROUNDING = 1e-12
NEVER, ALWAYS = -1e9, 1e9
"""Bounds below and above all losses here."""
FEW = 6

INNER = {
    "simultaneous": o.Simultaneous,
    "alternating": lambda: o.Alternating(steps={"discriminator": 2}),
    "scheduled": lambda: o.Scheduled([0, [0, 1]]),
    "extra_gradient": o.ExtraGradient,
    "from the past": lambda: o.ExtraGradient(reuse_past=True),
    "plain from the past": lambda: o.ExtraGradient(
        reuse_past=True, optimizer_state="plain"
    ),
    "fresh batches": lambda: o.ExtraGradient(fresh_batch=True),
    "optimistic": o.Optimistic,
    "prediction": lambda: o.Prediction(two_sided=True),
    "runge_kutta": o.RungeKutta,
    "lookahead": lambda: o.Lookahead(period=2),
    "averaging": o.Averaging,
    "historical_averaging": o.HistoricalAveraging,
    "anderson": lambda: o.Anderson("simultaneous", regularization=1e-2),
    "consensus": o.Consensus,
    "phases": lambda: o.Phases([(1, "lookahead"), "optimistic"]),
    "balanced": lambda: Balanced(skip={"generator": NEVER}),
}
"""Those that move in other ways; the others are directions."""


@pytest.mark.parametrize("name", INNER)
def test_of_a_player_that_rests_nothing_changes_under_any_strategy(
    small_gan, name
):
    """Weights, moving statistics, Adam and its step counter."""
    model = small_gan()
    strategy = Balanced(INNER[name](), skip={"discriminator": ALWAYS})
    loss = keras.losses.BinaryCrossentropy(True)
    # A norm that is 1 but for rounding would change if it were set again.
    body = model.players["discriminator"].variables[0]
    body.constraint = keras.constraints.UnitNorm()
    body.assign(body.constraint(body))
    adams = [keras.optimizers.Adam(0.01) for _ in model.players]
    model.compile(strategy, adams, loss, run_eagerly=True)
    d, g = model.players["discriminator"], model.players["generator"]
    still = [*d.variables, *d.state, *d.optimizer.variables]
    moving = [*g.variables, *g.state]
    before = [[np.array(v) for v in group] for group in (still, moving)]
    for _ in range(3):
        model.train_on_batch(
            np.ones((8, 3)), adversarial.builders.gan_targets(8)
        )
    for v, old in zip(still, before[0], strict=True):
        np.testing.assert_array_equal(np.array(v), old, v.path)
    assert all(
        (np.array(v) != old).any()
        for v, old in zip(moving, before[1], strict=True)
    )
    assert int(strategy.rested["discriminator"]) == 3
    assert int(strategy.inner.iterations) == 3


@pytest.mark.parametrize(
    "inner", ["alternating", "extra_gradient", "optimistic", "sos"]
)
def test_if_nobody_is_winning_it_is_the_inner_strategy_bit_for_bit(inner, play):
    strategy = Balanced(inner, skip={"p0": NEVER, "p1": (-1e9, "p0")})
    game = LinearGame.random()
    game = LinearGame(  # All losses are above zero.
        game.blocks, [np.eye(6)] * 3, 0 * game.vectors, game.rates
    )
    found = play(strategy, game, steps=FEW)
    np.testing.assert_array_equal(found, play(inner, game, steps=FEW))


def test_if_all_are_winning_all_move(play):
    everybody = dict.fromkeys(["p0", "p1", "p2"], ALWAYS)
    found = play(Balanced(skip=everybody), steps=FEW)
    np.testing.assert_array_equal(found, play("alternating", steps=FEW))


def test_one_player_alone_never_rests(play):
    game = LinearGame.random((2,))
    found = play(Balanced(skip={"p0": ALWAYS}), game)
    np.testing.assert_array_equal(found, play("simultaneous", game))


CASES = {
    "bound": {"skip": {0: 0.1}},
    "smoothed": {"skip": {0: 0.3, 2: 0.5}, "smoothing": 0.8},
    "ratio": {"skip": {1: (0.9, 0)}, "smoothing": 0.5},
    "both ways": {"skip": {0: (1.0, 1), 1: (1.0, 2), 2: (1.0, 0)}},
}


def named(skip):
    """With names of players for their numbers."""
    return {
        f"p{i}": (x[0], f"p{x[1]}") if isinstance(x, tuple) else x
        for i, x in skip.items()
    }


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("inner", ["simultaneous", "alternating"])
def test_who_rests_when_is_that_of_the_formula(name, inner, made, begin):
    game, steps = LinearGame.random(), 40
    arguments = CASES[name]
    strategy = Balanced(
        inner, **{**arguments, "skip": named(arguments["skip"])}
    )
    model = made(strategy, jit_compile=TRACED)
    found = model.play(game, begin(game), steps)
    step, theta, state = STEPS["balanced"], found[0], {}
    for point in found[1:]:
        theta, state = step(game, theta, state, inner=STEPS[inner], **arguments)
        np.testing.assert_allclose(point, theta, rtol=0, atol=ROUNDING)
    for i in arguments["skip"]:
        rested = int(strategy.rested[f"p{i}"].value)
        assert rested == state["rested"][i]
    # What never or always happens would show nothing.
    assert 0 < max(state["rested"]) and min(state["rested"]) < steps


def test_extrapolations_go_on_and_only_the_move_is_held_back(play):
    game = LinearGame.random()
    found = play(Balanced("extra_gradient", skip={"p0": ALWAYS}), game, FEW)
    theta = found[0]
    for point in found[1:]:
        moved, _ = STEPS["extra_gradient"](game, theta, {})
        theta = np.concatenate([theta[:2], moved[2:]])
        np.testing.assert_allclose(point, theta, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("policy", ["shared", "plain"])
def test_who_rests_under_popovs_rule_goes_on_as_if_there_was_no_step(
    policy, made, begin
):
    """Placed without its base, it would start from its point ahead."""
    game = LinearGame.random()
    past = o.ExtraGradient(reuse_past=True, optimizer_state=policy)
    model = made(Balanced(past, skip={"p0": 0.0}), run_eagerly=True)
    found = model.play(game, begin(game), 30)
    theta, u = found[0], np.zeros(6)
    rested = 0
    half = theta
    for point in found[1:]:
        new = -game.D @ game.field(half)
        rests = game.losses(half)[0] < 0
        rested += rests
        if rests:
            new[:2], stay = u[:2], theta[:2]
            theta = np.concatenate([stay, theta[2:] + new[2:]])
        else:
            theta = theta + new
        u, half = new, theta + new
        np.testing.assert_allclose(point, half, rtol=0, atol=ROUNDING)
    assert 0 < rested < 30


def test_a_pull_waits_for_who_rests(play):
    game = LinearGame.random()
    inner = o.Lookahead("simultaneous", 3)
    found = play(Balanced(inner, skip={"p1": ALWAYS}), game, FEW)
    step = partial(
        STEPS["lookahead"],
        inner=partial(
            STEPS["balanced"], inner=STEPS["simultaneous"], skip={1: ALWAYS}
        ),
        period=3,
    )
    expected = references.play(step, game, found[0], FEW)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


def test_it_may_be_within_a_lookahead(play):
    game = LinearGame.random()
    arguments = {"skip": {0: 0.1}, "smoothing": 0.5}
    inner = Balanced("simultaneous", skip={"p0": 0.1}, smoothing=0.5)
    found = play(o.Lookahead(inner, 3), game, 12)
    balanced = partial(
        STEPS["balanced"], inner=STEPS["simultaneous"], **arguments
    )
    step = partial(STEPS["lookahead"], inner=balanced, period=3)
    expected = references.play(step, game, found[0], 12)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


def test_a_step_that_is_held_back_is_not_compared(made):
    game = LinearGame.random()
    strategy = Balanced(skip={"p0": ALWAYS}, smoothing=0.5)
    model = made(strategy, run_eagerly=True, on_nonfinite="warn")
    good = numbers(game)
    with pytest.warns(UserWarning, match="The step was not made"):
        model.model.train_on_batch(np.ones((1, 1)), np.full_like(good, np.nan))
    assert int(strategy.rested["p0"].value) == 0
    model.model.train_on_batch(np.ones((1, 1)), good)
    assert int(strategy.rested["p0"].value) == 1
    assert np.isfinite(float(strategy.level["p0"].value))


@pytest.mark.parametrize("skip", ["discriminator", ["p0"], None])
def test_skip_must_be_a_dict(skip):
    with pytest.raises(TypeError, match="`skip` must be a dict"):
        Balanced(skip=skip)


def test_bounds_are_numbers_or_pairs():
    with pytest.raises(TypeError, match=r"must be a bound or a pair"):
        Balanced(skip={"p0": (0.5, 1)})
    with pytest.raises(TypeError, match=r"`skip\['p0'\]` must be a number"):
        Balanced(skip={"p0": "0.5"})
    with pytest.raises(ValueError, match="out of range"):
        Balanced(skip={"p0": (float("nan"), "p1")})
    with pytest.raises(ValueError, match="must name a player"):
        Balanced(skip={})


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 2])
def test_the_first_loss_must_be_forgotten(smoothing):
    with pytest.raises(ValueError, match="`smoothing`"):
        Balanced(skip={"p0": 1.0}, smoothing=smoothing)


def test_names_are_checked(refused):
    assert "'p7'" in refused(Balanced(skip={"p7": 1.0}))
    words = refused(Balanced(skip={"p0": (1.0, "p9")}))
    assert "other player of 'p0'" in words and "'p1'" in words
    assert "'p0'" in refused(Balanced(skip={"p0": (1.0, "p0")}))
