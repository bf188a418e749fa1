import numpy as np
import pytest

from adversarial.optimizers import CompetitiveGradient, Simultaneous
from adversarial.testing import LinearGame

EXACT = {"tolerance": 1e-13, "max_iterations": 12}
# Solved to 1e-13, of condition numbers near 1.
SOLVED = 1e-11


def pair(seed=0, rate=0.5):
    return LinearGame.random((2, 3), seed, zero_sum=True, rates=[rate] * 2)


def dense(game, theta):
    """The step by a dense solve."""
    answer = np.eye(game.size) + game.D @ game.J_o
    return theta - np.linalg.solve(answer, game.D @ game.field(theta))


@pytest.mark.parametrize("solver", ["cg", "gmres"])
@pytest.mark.parametrize("seed", [0, 1])
def test_on_zero_sum_pairs_every_solver_finds_the_dense_solution(
    play, begin, solver, seed
):
    game = pair(seed)
    points = [begin(game)]
    for _ in range(3):
        points.append(dense(game, points[-1]))
    found = play(CompetitiveGradient(solver, **EXACT), game)
    np.testing.assert_allclose(found, points, rtol=SOLVED, atol=SOLVED)


@pytest.mark.parametrize("solver", ["cg", "gmres"])
def test_on_the_bilinear_game_steps_of_any_length_converge(play, solver):
    game, start = LinearGame.bilinear(30.0), np.array([3.0, 4.0])
    points = play(CompetitiveGradient(solver, **EXACT), game, start=start)
    np.testing.assert_allclose(
        np.linalg.norm(points, axis=1),
        5 * (1 + 30.0**2) ** (-np.arange(4) / 2),
        rtol=1e-9,
    )


@pytest.mark.parametrize("solver", ["cg", "gmres", "neumann"])
def test_without_interaction_it_is_simultaneous(play, solver):
    whole = LinearGame.random((2, 3), 0)
    apart = [e @ q @ e for e, q in zip(whole.E, whole.matrices, strict=True)]
    game = LinearGame((2, 3), np.stack(apart), whole.vectors, whole.rates)
    np.testing.assert_allclose(
        play(CompetitiveGradient(solver), game),
        play(Simultaneous(), game),
        rtol=1e-13,
    )


def test_the_adaptive_form_by_a_series_is_that_of_a_dense_solve(play, begin):
    """ACGD, over 20 steps."""
    game = LinearGame.random((2, 3), 1, rates=[0.1, 0.05])
    beta, epsilon, v = 0.9, 0.3, np.zeros(5)
    points = [begin(game)]
    for t in range(1, 21):
        xi = game.field(points[-1])
        v = beta * v + (1 - beta) * xi**2
        d = np.diag(game.D) / (np.sqrt(v / (1 - beta**t)) + epsilon)
        answer = np.eye(5) + d[:, None] * game.J_o
        points.append(points[-1] - np.linalg.solve(answer, d * xi))
    strategy = CompetitiveGradient(
        "neumann",
        adaptive=True,
        beta_2=beta,
        epsilon=epsilon,
        tolerance=1e-13,
        max_iterations=80,
    )
    found = play(strategy, game, 20, run_eagerly=False)
    np.testing.assert_allclose(found, points, rtol=1e-9, atol=1e-9)


def test_a_game_that_is_not_zero_sum_is_detected_by_cg(made, begin):
    game = LinearGame.random((2, 3), 0)
    model = made(CompetitiveGradient("cg"), game.blocks, run_eagerly=True)
    with pytest.raises(ValueError) as error:
        model.play(game, begin(game), 3)
    assert str(error.value) == (
        "The solver 'cg' is for games whose two losses sum to a constant.\n"
        "  Expected: J_12 = -J_21^T, up to rounding.\n"
        "  Received: a game in which they differ.\n"
        "  Fix: use `CompetitiveGradient(solver='gmres')`."
    )


def test_losses_that_sum_to_a_constant_need_not_be_opposite(play, begin):
    """Terms of one's own are not interaction."""
    zero, own = pair(), LinearGame.random((2, 3), 5)
    apart = [e @ q @ e for e, q in zip(own.E, own.matrices, strict=True)]
    game = LinearGame(
        zero.blocks, zero.matrices + apart, zero.vectors, zero.rates
    )
    found = play(CompetitiveGradient("cg", **EXACT), game, 1)
    expected = dense(game, begin(game))
    np.testing.assert_allclose(found[1], expected, rtol=SOLVED, atol=SOLVED)


def test_a_solver_that_is_cut_short_is_counted_and_warned_of_once(made, begin):
    game = pair(rate=3.0)
    strategy = CompetitiveGradient(max_iterations=2, warm_start=False)
    model = made(strategy, game.blocks, run_eagerly=True)
    words = r"stopped after 2 iterations with a residual of \d\.\de-0\d, above"
    with pytest.warns(UserWarning, match=words):
        model.play(game, begin(game), 1)
    assert int(strategy.solver_iterations) == 2
    assert 1e-6 < float(strategy.solver_residual) < 1
    model.step(game)  # A warning would be an error here.
    assert int(strategy.unconverged) == 2


def test_a_warm_start_saves_iterations(made, begin):
    """Steps that grow little by little have solutions like the last one."""
    game = LinearGame.random((8, 9), 0, rates=[0.01, 0.01])
    needed = {}
    for warm in (True, False):
        strategy = CompetitiveGradient(
            tolerance=1e-3, max_iterations=12, warm_start=warm
        )
        model = made(strategy, game.blocks)
        model.play(game, begin(game), 3)
        needed[warm] = int(strategy.solver_iterations)
        assert int(strategy.unconverged) == 0
    assert needed[True] < needed[False]


def test_cg_is_for_two_players(refused):
    assert refused(CompetitiveGradient("cg"), 3) == (
        "The solver 'cg' is for two players.\n"
        "  Received: 3: 'p0', 'p1', 'p2'.\n"
        "  Fix: use `solver='gmres'`."
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"solver": "gmrs"}, "did you mean 'gmres'"),
        ({"tolerance": -1e-3}, "`tolerance` is out of range"),
        ({"max_iterations": 0}, "a whole number, at least 1"),
        ({"beta_2": 1.5}, "`beta_2` is out of range"),
        ({"epsilon": 0.0}, "`epsilon` is out of range"),
    ],
    ids=str,
)
def test_arguments_out_of_range_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        CompetitiveGradient(**arguments)
