import numpy as np
import pytest
from engines import without
from keras.optimizers import Adam

from adversarial import games
from adversarial.optimizers import (
    ExtraGradient,
    FollowTheRidge,
    Simultaneous,
    StackelbergGradient,
)
from adversarial.testing import LinearGame

RATE = 0.05
EXACT = {"tolerance": 1e-12, "max_iterations": 6}
LEADERS = [
    lambda: FollowTheRidge("x", 0.0, **EXACT),
    lambda: StackelbergGradient("x", 0.0, **EXACT),
]
NAMES = ["ridge", "stackelberg"]
NAIVE = [Simultaneous, ExtraGradient]
STEPS, MANY = 60, 1500


def test_a_minimax_point_that_is_not_nash_attracts_leaders_alone(contracts):
    """The first toy: multipliers 1 - 2 h, and 1 + 2 h without a leader."""
    game = games.RidgeG1()
    for leading in LEADERS:
        end = contracts(game, leading(), RATE, STEPS)
        # A double eigenvalue: 0.9^t times a line in t.
        assert end < 30 * STEPS * (1 - 2 * RATE) ** STEPS
    for strategy in NAIVE:
        assert contracts(game, strategy(), RATE, STEPS) > 1.05**STEPS


def test_a_point_that_is_no_answer_repels_leaders_alone(contracts):
    """The second toy: multipliers 1 + 2 h, and 1 - 2 h without a leader."""
    game = games.RidgeG2()
    for leading in LEADERS:
        end = contracts(game, leading(), RATE, STEPS)
        assert end > 0.01 * (1 + 2 * RATE) ** STEPS
    for strategy in NAIVE:
        assert contracts(game, strategy(), RATE, STEPS) < 1


@without("torch", "6,000 steps take minutes where none is compiled.")
def test_along_a_bent_ridge_leaders_find_the_minimax_point(contracts):
    """The third toy, which is not quadratic, from (7, 5)."""
    game = games.RidgeG3()
    for leading in LEADERS:
        assert contracts(game, leading(), RATE, MANY) < 1e-3
    for strategy in NAIVE:
        assert contracts(game, strategy(), RATE, MANY) > 0.5


@pytest.mark.parametrize(
    ("game", "multiplier"), [(games.RidgeG1(), 0.9), (games.RidgeG2(), 1.1)]
)
@pytest.mark.parametrize("leading", LEADERS, ids=NAMES)
def test_the_multipliers_on_the_toys_are_one_minus_or_plus_2_h(
    float64, leading, game, multiplier
):
    """The update matrix is read off the basis vectors."""
    model = game.compiled(leading(), RATE, dtype="float64", run_eagerly=True)
    columns = []
    for axis in np.eye(2):
        game.place(model, axis)
        columns.append(game.play(model, 1)[-1])
    trace, determinant = np.trace(columns), np.linalg.det(columns)
    assert trace == pytest.approx(2 * multiplier, abs=1e-9)
    assert determinant == pytest.approx(multiplier**2, abs=1e-9)


def test_on_the_bilinear_game_there_is_no_ridge_to_follow(play):
    game, start = LinearGame.bilinear(0.1), np.array([3.0, 4.0])
    np.testing.assert_allclose(
        play(FollowTheRidge("p0"), game, start=start),
        play(Simultaneous(), game, start=start),
        rtol=1e-14,
    )


def test_large_damping_leaves_the_gradients(play):
    found = play(FollowTheRidge("p0", 1e9))
    np.testing.assert_allclose(found, play(Simultaneous()), rtol=1e-7)


def test_the_leaders_own_move_is_what_followers_correct_for(play, begin):
    """Followers make up for the displacement by the leader's optimizer."""
    game = LinearGame.random((2, 3), 0)
    ridge = FollowTheRidge("p0", 0.0, tolerance=1e-13, max_iterations=12)
    model_points = play(ridge, game, 1, optimizer=Adam)
    move = model_points[1][:2] - model_points[0][:2]
    theta = begin(game)
    g = game.field(theta)[2:]
    own, mixed = game.hessian(1, 1, 1), game.hessian(1, 1, 0)
    g += np.linalg.solve(own, mixed @ move) / game.rates[1]
    # The first step of Adam is the rate, along the signs.
    found = model_points[1][2:] - model_points[0][2:]
    np.testing.assert_allclose(found, -game.rates[1] * np.sign(g), rtol=1e-5)


def test_a_leader_that_does_not_exist_is_refused(refused):
    assert refused(FollowTheRidge("p4")) == (
        "Unknown player: 'p4'.\n"
        "  Expected: one of 'p0', 'p1'.\n"
        "  Fix: did you mean 'p1'?"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"damping": -1.0}, "`damping` is out of range"),
        ({"tolerance": float("inf")}, "`tolerance` is out of range"),
        ({"max_iterations": -3}, "`max_iterations` is out of range"),
    ],
    ids=str,
)
def test_arguments_out_of_range_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        FollowTheRidge("p0", **arguments)
