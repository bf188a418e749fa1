from functools import partial

import keras
import numpy as np
import pytest

from adversarial.optimizers import Consensus, Prediction, Simultaneous
from adversarial.testing import LinearGame, bilinear_rate, check_strategy
from adversarial.testing.adam_references import Adam
from adversarial.testing.references import DIRECTIONS, MATRICES

STEPS = 20
# Rounding of 20 to 60 steps of numbers near 1.
ROUNDING = 1e-12


@pytest.mark.parametrize("two_sided", [False, True])
def test_steps_in_any_order_are_those_of_the_update_matrix(two_sided):
    matrix_of = partial(
        MATRICES["prediction"], order=[2, 0, 1], two_sided=two_sided
    )
    strategy = Prediction(["p2", "p0", "p1"], two_sided)
    check_strategy(strategy, matrix=matrix_of, players=[3], only=["matrix"])


def test_it_contracts_up_to_a_step_of_2_over_root_3(bilinear_radius):
    radius = bilinear_radius(Prediction())
    assert radius(1.15) < 1 < radius(1.16)
    expected = bilinear_rate("prediction", 1.16).radius
    assert radius(1.16) == pytest.approx(expected, abs=ROUNDING)


@pytest.mark.parametrize("eta", [0.05, 0.1, 0.4, 0.7])
def test_predicting_both_follows_its_polynomial(eta, play):
    game, start = LinearGame.bilinear(eta), np.array([3.0, 4.0])
    points = play(Prediction(two_sided=True), game, 60, start=start)[1:]
    points = points @ [1, 1j]
    # r (r - 1)^2 + eta^2 (2 r - 1)^2, the highest power first.
    e = eta**2
    terms = [1, 4 * e - 2, 1 - 4 * e, e]
    left = sum(c * points[3 - k : len(points) - k] for k, c in enumerate(terms))
    assert np.abs(left).max() < ROUNDING * np.abs(points).max()
    assert (np.abs(np.roots(terms)).max() < 1) == (eta < 2 / 3)
    assert (abs(points[-1]) < abs(points[0])) == (eta < 2 / 3)


def test_one_player_is_plain_descent(play):
    game = LinearGame.random((3,))
    plain = play(Simultaneous(), game, STEPS)
    for two_sided in (False, True):
        found = play(Prediction(two_sided=two_sided), game, STEPS)
        assert np.array_equal(found, plain)


def test_with_adam_the_actual_move_is_predicted(play):
    adam = partial(keras.optimizers.Adam, beta_1=0.5, beta_2=0.9, epsilon=1e-3)
    game = LinearGame.random((2, 3))
    found = play(Prediction(), game, STEPS, optimizer=adam)
    rules = [Adam(rate, 0.5, 0.9, 1e-3) for rate in game.rates]
    states = [
        rule.start(part)
        for rule, part in zip(rules, game.split(found[0]), strict=True)
    ]
    expected = [found[0]]
    for _ in range(STEPS):
        x, y = game.split(expected[-1])
        u, states[0] = rules[0].step(game.gradient(0, expected[-1]), states[0])
        ahead = np.concatenate([x + 2 * u, y])
        v, states[1] = rules[1].step(game.gradient(1, ahead), states[1])
        expected.append(np.concatenate([x + u, y + v]))
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


def test_any_direction_can_be_played_in_turn(play):
    game = LinearGame.random((2, 3))
    found = play(Prediction(inner=Consensus(0.5)), game, STEPS)
    consensus = partial(DIRECTIONS["consensus"], strength=0.5)
    expected = [found[0]]
    for _ in range(STEPS):
        theta = expected[-1]
        u, v = np.zeros(5), np.zeros(5)
        u[:2] = -(game.D @ consensus(game, theta))[:2]
        v[2:] = -(game.D @ consensus(game, theta + 2 * u))[2:]
        expected.append(theta + u + v)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (["p0", "p"], ["Unknown player: 'p'", "did you mean 'p"]),
        (["p0"], ["must name every player once", "'p0', 'p1'"]),
        (["p0", "p1", "p0"], ["must name every player once", "Received"]),
    ],
)
def test_every_player_must_be_named_once(order, words, refused):
    message = refused(Prediction(order))
    assert all(word in message for word in words)


def test_an_order_that_is_a_string_is_refused():
    with pytest.raises(TypeError, match="`order` must be a list of names"):
        Prediction("p0")


def test_an_inner_strategy_that_is_no_direction_is_refused():
    with pytest.raises(TypeError, match="only chooses directions") as error:
        Prediction(inner="alternating")
    assert "Received: a `Alternating`" in str(error.value)
