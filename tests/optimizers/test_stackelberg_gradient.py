import numpy as np
import pytest
from engines import TRACED

from adversarial import games
from adversarial.optimizers import Simultaneous, StackelbergGradient
from adversarial.testing import LinearGame

EXACT = {"tolerance": 1e-13, "max_iterations": 12}
# The minimax toys are in the tests of follow the ridge.


def test_without_damping_it_is_the_slope_of_the_answered_loss(play, begin):
    """The leader's loss along the followers' best answer, differentiated."""
    game = LinearGame.random((2, 3, 1), 4)
    theta = begin(game)
    follow = slice(2, 6)
    own, mixed = game.J[follow, follow], game.J[follow, :2]

    def answered(x, step):
        moved = theta.copy()
        moved[:2] += step * x
        moved[follow] -= step * np.linalg.solve(own, mixed @ x)
        return game.losses(moved)[0]

    e = 1e-6
    slope = [(answered(x, e) - answered(x, -e)) / (2 * e) for x in np.eye(2)]
    found = play(StackelbergGradient("p0", 0.0, **EXACT), game, 1)
    g = (theta - found[1]) / np.diag(game.D)
    np.testing.assert_allclose(g[:2], slope, rtol=1e-7)
    np.testing.assert_allclose(g[2:], game.field(theta)[2:], rtol=1e-12)


def test_large_damping_leaves_the_gradients(play):
    found = play(StackelbergGradient("p2", 1e9))
    np.testing.assert_allclose(found, play(Simultaneous()), rtol=1e-7)


def test_cg_and_gmres_agree_where_both_may_be_used(play):
    q = LinearGame.random((2, 3), 0)
    curved = q.matrices + np.stack([0 * q.E[0], 4 * q.E[1]])
    game = LinearGame(q.blocks, curved, q.vectors, q.rates)
    one, other = (
        play(StackelbergGradient("p0", 0.1, solver=solver, **EXACT), game)
        for solver in ("cg", "gmres")
    )
    np.testing.assert_allclose(one, other, rtol=1e-10)


def test_in_a_duopoly_the_leader_earns_more_than_in_equilibrium(float64):
    game = games.Cournot()
    nash = game.values(game.equilibria[0].theta)
    leader = game.players[0]
    model = game.compiled(
        StackelbergGradient(leader, 0.0, **EXACT),
        0.1,
        dtype="float64",
        jit_compile=TRACED,
        steps_per_execution=300,
    )
    model.fit(np.ones((300, 1)), batch_size=1, verbose=0)
    assert game.values(game.point(model))[0] < nash[0] - 1e-3


def test_a_leader_that_does_not_exist_is_refused(refused):
    words = refused(StackelbergGradient("generator"))
    assert words.startswith("Unknown player: 'generator'.")
    assert "one of 'p0', 'p1'" in words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"damping": -1.0}, "`damping` is out of range"),
        ({"solver": "lu"}, "Unknown `solver`: 'lu'"),
        ({"max_iterations": 0}, "`max_iterations` is out of range"),
    ],
    ids=str,
)
def test_arguments_out_of_range_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        StackelbergGradient("p0", **arguments)
