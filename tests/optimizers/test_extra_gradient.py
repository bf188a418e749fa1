import numpy as np
import pytest
from keras.optimizers import Adam

from adversarial.optimizers import ExtraGradient, Simultaneous
from adversarial.testing import LinearGame, adam_references
from adversarial.testing.linear_model import precision
from adversarial.testing.small_models import small_chase

STEPS = 20
# Adam's division by sqrt(v) + 1e-7 adds to the rounding of 20 steps.
ADAM = 1e-11
# Rounding of sums of a few numbers near 1.
ROUNDING = 1e-14


def reference_of(game):
    """Adam in NumPy at the rates of a game."""
    return adam_references.Adam(np.repeat(game.rates, game.blocks))


@pytest.mark.parametrize("policy", ["shared", "discard", "plain"])
@pytest.mark.parametrize("reuse_past", [False, True])
def test_without_lookahead_it_is_simultaneous_bit_for_bit(
    play, policy, reuse_past
):
    strategy = ExtraGradient(0.0, reuse_past, policy)
    found, expected = play(strategy), play(Simultaneous())
    if reuse_past:  # It adds and takes away a copy of the point.
        np.testing.assert_allclose(found, expected, rtol=ROUNDING)
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("policy", ["shared", "discard", "plain"])
@pytest.mark.parametrize("lookahead", [1.0, 0.6])
def test_with_adam_it_is_extra_adam(made, begin, policy, lookahead):
    game = LinearGame.random((2, 3, 1), 1)
    model = made(
        ExtraGradient(lookahead, optimizer_state=policy), optimizer=Adam
    )
    np.testing.assert_allclose(
        model.play(game, begin(game), STEPS),
        adam_references.extra_adam(
            game.field,
            begin(game),
            STEPS,
            adam=reference_of(game),
            lookahead=lookahead,
            optimizer_state=policy,
        ),
        rtol=0,
        atol=ADAM,
    )


@pytest.mark.parametrize("policy", ["shared", "discard", "plain"])
def test_with_adam_the_past_is_fed_once(made, begin, policy):
    game = LinearGame.random((2, 3, 1), 1)
    model = made(ExtraGradient(0.6, True, policy), optimizer=Adam)
    np.testing.assert_allclose(
        model.play(game, begin(game), STEPS),
        adam_references.past_extra_adam(
            game.field,
            begin(game),
            STEPS,
            adam=reference_of(game),
            lookahead=0.6,
            optimizer_state=policy,
            halves=True,
        ),
        rtol=0,
        atol=ADAM,
    )


def test_the_points_of_the_past_rule_are_those_of_optimistic_steps(play):
    game = LinearGame.random((2, 3, 1), 2)
    points = play(ExtraGradient(reuse_past=True), game, steps=8)
    steps = np.stack([game.D @ game.field(x) for x in points])
    np.testing.assert_allclose(
        points[2:], points[1:-1] - 2 * steps[1:-1] + steps[:-2], rtol=1e-13
    )


def test_the_two_halves_of_a_step_may_see_different_batches(made, begin):
    first, second = (LinearGame.random((2, 3, 1), seed) for seed in (3, 4))
    model = made(ExtraGradient(2.0, fresh_batch=True), run_eagerly=True)
    theta = begin(first)
    model.play(first, theta, 0)
    model.step(first)
    np.testing.assert_array_equal(model.theta, theta)
    model.step(second)
    half = theta - 2 * first.D @ first.field(theta)
    expected = theta - first.D @ second.field(half)
    np.testing.assert_allclose(model.theta, expected, rtol=1e-13)


@pytest.mark.parametrize(
    "arguments",
    [
        {"reuse_past": True, "optimizer_state": "plain"},
        {"fresh_batch": True, "optimizer_state": "plain"},
        {"reuse_past": True, "optimizer_state": "discard"},
    ],
    ids=str,
)
def test_a_gradient_too_large_for_half_precision_leaves_nothing_behind(
    arguments,
):
    with precision("float32"):
        trained = small_chase(
            ExtraGradient(**arguments),
            ["a", "b"],
            dtypes=["mixed_float16"],
        )
        before = [v.numpy() for v in trained.model.trainable_variables]
        for _ in range(20):
            trained.step()
    after = [v.numpy() for v in trained.model.trainable_variables]
    every = [*trained.model.variables, *trained.strategy.variables]
    assert all(np.isfinite(v.numpy()).all() for v in every)
    assert all(np.any(a != b) for a, b in zip(after, before, strict=True))


def test_a_negative_lookahead_is_refused():
    with pytest.raises(ValueError) as error:
        ExtraGradient(-0.5)
    assert str(error.value) == (
        "`lookahead` is out of range.\n"
        "  Expected: a finite number, at least 0.\n"
        "  Received: -0.5."
    )


def test_an_unknown_policy_gets_the_nearest_spelling():
    with pytest.raises(ValueError) as error:
        ExtraGradient(optimizer_state="share")
    assert str(error.value) == (
        "Unknown `optimizer_state`: 'share'.\n"
        "  Expected: one of 'shared', 'discard', 'plain'.\n"
        "  Fix: did you mean 'shared'?"
    )


def test_the_past_comes_with_a_fresh_batch_of_its_own():
    with pytest.raises(ValueError, match="leave `fresh_batch` out"):
        ExtraGradient(reuse_past=True, fresh_batch=True)


def test_only_directions_can_be_extrapolated():
    with pytest.raises(TypeError, match="`Alternating`, which moves the play"):
        ExtraGradient(inner="alternating")
