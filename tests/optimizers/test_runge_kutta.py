import numpy as np
import pytest
from scipy.integrate import solve_ivp

from adversarial import games
from adversarial.optimizers import Consensus, RungeKutta, Simultaneous
from adversarial.testing import LinearGame

STEPS = 20
# Rounding of 20 steps of numbers near 1.
ROUNDING = 1e-12
ORDERS = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}
RALSTON = ([[], [2 / 3]], [1 / 4, 3 / 4])


def test_order_four_contracts_up_to_2_root_2(bilinear_radius):
    radius = bilinear_radius(RungeKutta())
    assert radius(2.82) < 1 < radius(2.83)


@pytest.mark.parametrize("tableau", [*ORDERS, RALSTON])
def test_the_error_shrinks_by_the_order_of_the_method(tableau, float64):
    """On a game with a bent field, against a solver of high order."""
    game = games.RidgeG3()
    order = ORDERS.get(tableau, 2) if isinstance(tableau, str) else 2
    start = [2.0, 1.0]
    model = game.compiled(RungeKutta(tableau), 1.0, start=start)
    exact = solve_ivp(
        lambda t, theta: -game.field(theta),
        (0.0, 2.0),
        start,
        rtol=1e-12,
        atol=1e-13,
    ).y[:, -1]
    errors = []
    for steps in (20, 40):
        game.place(model, start)
        model.optimizer.learning_rate = 2.0 / steps
        errors.append(np.linalg.norm(game.play(model, steps)[-1] - exact))
    # The next term of the error is about a tenth of the first.
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.2)


def test_euler_is_simultaneous(play):
    found = play(RungeKutta("euler"), steps=STEPS)
    assert np.array_equal(found, play(Simultaneous(), steps=STEPS))


def test_it_counts_one_evaluation_per_stage():
    counts = [RungeKutta(x).field_evaluations for x in (*ORDERS, RALSTON)]
    assert counts == [1, 2, 2, 4, 2]
    assert RungeKutta("heun", Consensus(1.0)).field_evaluations == 4


def test_a_stage_of_one_player_can_be_asked_for(made):
    """As a player alone: the stages are still those of all players."""
    game = LinearGame.random((2, 1))
    theta = np.array([1.0, -1.0, 0.5])
    model = made(RungeKutta(), game.blocks, run_eagerly=True)
    asked = []
    model.watch = lambda played: asked.append(
        [
            np.ravel(model.strategy.direction(played, players=[name])[name][0])
            for name in ("p0", "p1")
        ]
    )
    found = model.play(game, theta, 1)
    moved = theta - game.D @ np.concatenate(asked[0])
    np.testing.assert_allclose(found[1], moved, rtol=0, atol=ROUNDING)


def test_an_unknown_tableau_gets_the_nearest_spelling():
    with pytest.raises(ValueError, match="Unknown `tableau`: 'rk5'") as error:
        RungeKutta("rk5")
    assert "did you mean 'rk4'?" in str(error.value)


@pytest.mark.parametrize(
    "wrong",
    [
        ([[], [0.5]], [1.0]),
        ([[0.0], [0.5, 0.0]], [0.5, 0.5]),
        ([[], [0.5]], [0.5, 0.4]),
        ([], []),
        ([[]],),
        ([[], ["half"]], [0.5, 0.5]),
        4,
        None,
    ],
)
def test_what_is_no_explicit_method_is_refused(wrong):
    with pytest.raises(ValueError, match="explicit Runge-Kutta") as error:
        RungeKutta(wrong)
    assert f"Received: {wrong!r}." in str(error.value)


def test_an_inner_strategy_that_is_no_direction_is_refused():
    with pytest.raises(TypeError, match="only chooses directions"):
        RungeKutta("rk4", "alternating")
