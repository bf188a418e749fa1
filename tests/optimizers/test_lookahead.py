from functools import partial

import keras
import numpy as np
import pytest

from adversarial.optimizers import (
    Alternating,
    Consensus,
    Lookahead,
    Optimistic,
    Scheduled,
)
from adversarial.testing import (
    LinearGame,
    adam_references,
    bilinear_rate,
    check_strategy,
    references,
)
from adversarial.testing.references import MATRICES, STEPS as RULES

STEPS = 20
# Rounding of 20 steps of numbers near 1.
ROUNDING = 1e-12


def optimistic(game):
    return MATRICES["optimistic"](game, inner=MATRICES["simultaneous"](game))


@pytest.mark.parametrize(
    ("inner", "its_matrix", "period", "step"),
    [
        (Consensus(1.0), MATRICES["consensus"], 3, 0.4),
        (Optimistic(), optimistic, 4, 0.5),
        ("simultaneous", MATRICES["simultaneous"], 1, 0.8),
    ],
    ids=["direction", "memory", "period of 1"],
)
def test_a_period_is_the_update_matrix(inner, its_matrix, period, step):
    def matrix_of(game):
        return MATRICES["lookahead"](
            game, inner=its_matrix(game), period=period, step=step
        )

    strategy = Lookahead(inner, period, step)
    check_strategy(strategy, matrix=matrix_of, players=[3], only=["matrix"])


def test_alternating_steps_with_a_pull_contract_nearly_up_to_2(bilinear_radius):
    eta = 1.9
    phi = np.arccos(1 - eta**2 / 2)
    found = bilinear_radius(Lookahead(Alternating(), 5, 0.5), steps=5)(eta)
    expected = np.sqrt(1 - 0.5 * (1 - np.cos(5 * phi)))
    assert found == pytest.approx(expected, abs=ROUNDING)
    assert found < 1


def test_simultaneous_steps_with_a_pull_contract_as_in_theory(bilinear_radius):
    radius = bilinear_radius(Lookahead("simultaneous", 5, 0.5), steps=5)
    for eta in (0.05, 0.1, 0.4, 0.8):
        expected = abs(0.5 + 0.5 * (1 - 1j * eta) ** 5)
        assert radius(eta) == pytest.approx(expected, abs=ROUNDING)
    limit = bilinear_rate("lookahead", 0.1, inner="simultaneous").limit
    assert radius(0.99 * limit) < 1 < radius(1.01 * limit)


def test_with_a_period_and_a_step_of_one_it_is_the_inner_strategy(play):
    np.testing.assert_allclose(
        play(Lookahead("alternating", 1, 1.0), steps=STEPS),
        play("alternating", steps=STEPS),
        rtol=0,
        atol=ROUNDING,  # phi + (theta - phi) rounds
    )


def test_with_a_step_of_zero_every_period_ends_where_it_began(play):
    points = play(Lookahead("alternating", 4, 0.0), steps=STEPS)
    free = play("alternating", steps=STEPS)
    assert np.array_equal(points[:4], free[:4])
    assert (points[4::4] == points[0]).all()


@pytest.mark.parametrize("period", [2, 3])
def test_a_schedule_goes_on_across_pulls(period, play):
    game = LinearGame.random()
    strategy = Lookahead(Scheduled([0, [1, 2]]), period, 0.5)
    found = play(strategy, game, STEPS)
    step = partial(
        RULES["lookahead"],
        inner=partial(RULES["scheduled"], schedule=[[0], [1, 2]]),
        period=period,
        step=0.5,
    )
    expected = references.play(step, game, found[0], STEPS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(("period", "outer_period"), [(2, 4), (2, 3), (3, 2)])
def test_an_outer_pull_takes_the_inner_slow_weights_along(
    period, outer_period, play
):
    game = LinearGame.random()
    inner = Lookahead("simultaneous", period, 0.5)
    found = play(Lookahead(inner, outer_period, 0.5), game, STEPS)
    theta = slow = outer = found[0]
    expected = [theta]
    for t in range(1, STEPS + 1):
        theta = theta - game.D @ game.field(theta)
        if t % period == 0:
            theta = slow = slow + 0.5 * (theta - slow)
        if t % outer_period == 0:
            theta = slow = outer = outer + 0.5 * (theta - outer)
        expected.append(theta)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


def test_the_state_of_adam_stays_as_it_is(play):
    adam = partial(keras.optimizers.Adam, beta_1=0.5, beta_2=0.9, epsilon=1e-3)
    game = LinearGame.random()
    strategy = Lookahead("simultaneous", 3, 0.4)
    found = play(strategy, game, STEPS, optimizer=adam)
    rates = np.repeat(game.rates, game.blocks)
    rule = adam_references.Adam(rates, 0.5, 0.9, 1e-3)
    theta = slow = found[0]
    state, expected = rule.start(theta), [theta]
    for t in range(1, STEPS + 1):
        u, state = rule.step(game.field(theta), state)
        theta = theta + u
        if t % 3 == 0:
            theta = slow = slow + 0.4 * (theta - slow)
        expected.append(theta)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"period": 0}, ["`period` is out of range", "at least 1", "0."]),
        ({"period": -2}, ["`period` is out of range", "Received: -2."]),
        ({"step": -0.1}, ["`step` is out of range", "at least 0"]),
        ({"step": 1.5}, ["`step` is out of range", "at most 1", "1.5."]),
    ],
)
def test_what_is_out_of_range_is_refused(arguments, words):
    with pytest.raises(ValueError) as error:
        Lookahead(**arguments)
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize(
    "arguments", [{"period": 2.5}, {"period": True}, {"step": "half"}]
)
def test_what_is_no_number_is_refused(arguments):
    (name,) = arguments
    with pytest.raises(TypeError, match=f"`{name}` must be a") as error:
        Lookahead(**arguments)
    assert f"Received: {arguments[name]!r}" in str(error.value)
