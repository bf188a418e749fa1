import numpy as np
import pytest

from adversarial import games
from adversarial.optimizers import (
    JARE,
    Consensus,
    GradientNorm,
    HamiltonianDescent,
    ODEGANRegularizer,
)

ROUNDING = 1e-12
"""Float64 sums over up to 6 numbers near 1."""


def one_step(game, strategy):
    return game.play(game.compiled(strategy), 1)[-1]


@pytest.mark.parametrize(
    ("weights", "like"),
    [
        (
            {"p0": {"p0": 0.5, "p1": 0.5}, "p1": {"p0": 0.5, "p1": 0.5}},
            Consensus(0.5),
        ),
        ({"p0": {"p1": 0.5}, "p1": {"p0": 0.5}}, JARE(0.5)),
        ({"p1": {"p0": 1.0}}, ODEGANRegularizer(0.5, of="p0", payer="p1")),
    ],
)
def test_the_others_are_cases_of_the_general_form(
    quadratic, float64, weights, like
):
    game = quadratic([2, 3])
    found = one_step(game, GradientNorm(weights))
    expected = one_step(game, like)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)
    assert np.abs(found - one_step(game, "simultaneous")).max() > 1e-3


@pytest.mark.parametrize(
    "strategy",
    [
        lambda: Consensus(0.0),
        lambda: JARE(0.0),
        lambda: GradientNorm({}),
        lambda: ODEGANRegularizer(0.0, "p0", "p1"),
    ],
)
def test_without_weight_it_is_simultaneous(quadratic, float64, strategy):
    game = quadratic([2, 3])
    np.testing.assert_array_equal(
        one_step(game, strategy()), one_step(game, "simultaneous")
    )


def test_on_a_rotation_jare_is_consensus(bilinear, float64):
    np.testing.assert_allclose(
        one_step(bilinear, JARE(0.7)),
        one_step(bilinear, Consensus(0.7)),
        rtol=0,
        atol=ROUNDING,
    )


def test_large_strengths_are_attracted_by_what_repels():
    """Balduzzi's game of four players, whose center repels for epsilon < 0."""
    game = games.Hamiltonian(epsilon=-0.01)
    assert np.linalg.eigvals(game.jacobian(game.start)).real.min() < 0
    ends = {}
    for name, strategy in {
        "consensus": Consensus(1.0),
        "simultaneous": "simultaneous",
    }.items():
        model = game.compiled(strategy, 0.1)
        ends[name] = np.linalg.norm(game.play(model, 100)[-1])
    assert ends["consensus"] < 0.5 * np.linalg.norm(game.start)
    assert ends["simultaneous"] > 2 * np.linalg.norm(game.start)


def test_hamiltonian_descent_goes_to_a_maximum_too():
    """-x^2 / 2 for one player: no minimum, but no slope at 0."""
    game = games.QuadraticZeroSum(-1.0, 0.0, -1.0, start=[1.0, 1.0])
    model = game.compiled(HamiltonianDescent(), 0.1)
    points = game.play(model, 10)
    np.testing.assert_allclose(points[10], 0.9**10, rtol=1e-5)


def test_a_variable_out_of_the_penaltys_reach_follows_the_gradient():
    """A bias that the others' gradient does not depend on still moves."""
    game = games.Quadratic(
        np.array([np.diag([1.0, 0.0]), np.diag([0.0, 1.0])]),
        np.array([[0.0, 0.0], [0.0, 1.0]]),
        start=[1.0, 2.0],
    )
    model = game.compiled(JARE(5.0), 0.1)
    np.testing.assert_allclose(
        game.play(model, 1)[-1], [0.9, 2 - 0.1 * 3], rtol=1e-6
    )


@pytest.mark.parametrize("cls", [Consensus, JARE, ODEGANRegularizer])
def test_negative_strengths_are_refused(cls):
    with pytest.raises(ValueError, match="`strength` is out of range"):
        cls(-0.1)


def test_wrong_weights_are_refused(quadratic):
    with pytest.raises(TypeError, match="dict by player of dicts"):
        GradientNorm({"p0": 0.5})
    with pytest.raises(TypeError, match="dict by player of dicts"):
        GradientNorm([[0.0, 1.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match=r"`weights\['p0'\]\['p1'\]` is out"):
        GradientNorm({"p0": {"p1": -1.0}})
    game = quadratic([1, 1])
    for strategy in (
        GradientNorm({"p0": {"p2": 1.0}}),
        GradientNorm({"p3": {"p0": 1.0}}),
        ODEGANRegularizer(),
    ):
        with pytest.raises(ValueError, match="Unknown player"):
            game.model().compile(strategy, "sgd", game.loss())
