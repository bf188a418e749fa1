from functools import partial

import keras
import numpy as np
import pytest

from adversarial.optimizers import Optimistic, Simultaneous
from adversarial.testing import LinearGame, adam_references, bilinear_rate

STEPS = 20
# Rounding of 20 to 200 steps of numbers near 1.
ROUNDING = 1e-12


@pytest.mark.parametrize(("eta", "converges"), [(0.57, True), (0.59, False)])
def test_it_is_stable_up_to_one_over_root_three(eta, converges, play):
    game, start = LinearGame.bilinear(eta), np.array([3.0, 4.0])
    points = play(Optimistic(), game, 200, start=start) @ [1, 1j]
    # The other root is at most half as long: it is lost after 200 steps.
    found = abs(points[-1] / points[-2])
    assert (found < 1) == converges == (abs(points[-1]) < abs(points[100]))
    expected = bilinear_rate("optimistic", eta).radius
    assert found == pytest.approx(expected, abs=ROUNDING)


@pytest.mark.parametrize("inner", ["simultaneous", "alternating"])
def test_without_strength_it_is_the_inner_strategy(inner, play):
    found = play(Optimistic(inner, 0.0), steps=STEPS)
    assert np.array_equal(found, play(inner, steps=STEPS))


def test_the_first_step_is_not_doubled_and_the_second_expects(play):
    points, plain = play(Optimistic(), steps=2), play(Simultaneous(), steps=2)
    assert np.array_equal(points[1], plain[1])
    first, second = np.diff(plain, axis=0)
    np.testing.assert_allclose(
        points[2] - points[1], 2 * second - first, atol=ROUNDING
    )


@pytest.mark.parametrize("strength", [1.0, 0.3])
def test_with_adam_it_is_optimistic_adam(strength, play):
    adam = partial(keras.optimizers.Adam, beta_1=0.5, beta_2=0.9, epsilon=1e-3)
    game = LinearGame.random()
    strategy = Optimistic(strength=strength)
    found = play(strategy, game, STEPS, optimizer=adam)
    rates = np.repeat(game.rates, game.blocks)
    np.testing.assert_allclose(
        found,
        adam_references.optimistic_adam(
            game.field,
            found[0],
            STEPS,
            adam=adam_references.Adam(rates, 0.5, 0.9, 1e-3),
            strength=strength,
        ),
        rtol=0,
        atol=ROUNDING,
    )


@pytest.mark.parametrize("wrong", [-0.1, float("inf"), float("nan")])
def test_the_strength_must_be_at_least_zero(wrong):
    with pytest.raises(ValueError, match="`strength` is out of range") as error:
        Optimistic(strength=wrong)
    assert "at least 0" in str(error.value)
    assert f"Received: {wrong!r}." in str(error.value)


def test_an_unknown_inner_strategy_gets_the_nearest_spelling():
    with pytest.raises(ValueError, match="did you mean 'simultaneous'"):
        Optimistic("simultanous")
