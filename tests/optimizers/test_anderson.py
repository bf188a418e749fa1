import numpy as np
import pytest

from adversarial.optimizers import Alternating, Anderson

FINISHED = 1e-4
"""Of the distance at the start; the least squares are regularised."""


def points_of(game, strategy, steps, **kwargs):
    return game.play(game.compiled(strategy, **kwargs), steps)


def distances(*args, **kwargs):
    sizes = np.linalg.norm(points_of(*args, **kwargs), axis=1)
    return sizes / sizes[0]


def test_around_alternating_it_solves_the_bilinear_game_in_3_steps(
    bilinear, float64
):
    found = distances(bilinear, Anderson("alternating", 2), 3)
    assert found[2] > FINISHED
    assert found[3] < FINISHED


def test_around_simultaneous_a_memory_of_1_makes_no_progress(bilinear, float64):
    """GMRES(1) stands still on a rotation."""
    assert distances(bilinear, Anderson("simultaneous", 1), 30)[-1] > 0.9
    assert distances(bilinear, Anderson("simultaneous", 2), 30)[-1] < FINISHED


@pytest.mark.parametrize("memory", [4, 7])
def test_a_memory_of_the_whole_space_finds_any_equilibrium(
    quadratic, float64, memory
):
    """Type II mixing of a linear map ends after as many steps as numbers."""
    game = quadratic([2, 1])
    points = points_of(game, Anderson("simultaneous", memory), 7)
    solution = -np.linalg.solve(
        game.jacobian(game.start), game.field(np.zeros(3))
    )
    before, after = (np.linalg.norm(points[i] - solution) for i in (0, -1))
    assert after < FINISHED * before


def test_without_a_memory_it_is_the_inner_strategy(quadratic, float64):
    game = quadratic([2, 1])
    found = points_of(game, Anderson("alternating", memory=0), 4)
    expected = points_of(game, Alternating(), 4)
    np.testing.assert_array_equal(found, expected)


def test_at_the_equilibrium_it_stays(bilinear, float64):
    """All residuals are zero there: nothing may be divided by them."""
    bilinear.start = np.zeros(2)
    points = points_of(bilinear, Anderson("alternating"), 5)
    np.testing.assert_array_equal(points, 0.0)


def test_in_single_precision_it_needs_more_regularization(bilinear):
    strategy = Anderson(regularization=1e-6)
    found = distances(bilinear, strategy, 20, dtype="float32")
    assert np.isfinite(found).all() and found[-1] < 1e-2


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"memory": -1}, ValueError, "`memory` is out of range"),
        ({"memory": 1.5}, TypeError, "`memory` must be a whole number"),
        ({"regularization": -1.0}, ValueError, "`regularization` is out"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        Anderson(**arguments)
