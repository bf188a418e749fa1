import math

import keras
import numpy as np
import pytest

import adversarial
from adversarial.diagnostics import Spectrum, spectrum

ROUNDING = 1e-12
"""Float64 eigenvalues of well-conditioned matrices of a few rows."""
SOLVED = 1e-8
"""Arnoldi's default tolerance in float64, times the eigenvalues' condition."""
ONE = np.ones((1, 1))
ROOT = np.sqrt(2)


def seen(*eigenvalues, size=None, **kwargs):
    l = np.array(eigenvalues, "complex128")
    options = {"which": "LM", "accuracy": 1e-9, "rates": {"a": 1.0}} | kwargs
    size = size or len(l)
    wanted = options.pop("wanted", len(l))
    return Spectrum(l, size, wanted=wanted, **options)


def balduzzi(linear, epsilon):
    n = 4
    return linear(
        epsilon * np.eye(n)
        + np.triu(np.ones((n, n)), 1)
        - np.tril(np.ones((n, n)), -1)
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_random_game_has_the_eigenvalues_of_its_jacobian(
    quadratic, playing, float64, seed
):
    game = quadratic([2, 3, 1], seed=seed)
    found = spectrum(playing(game), ONE, k=None).eigenvalues
    expected = np.linalg.eigvals(game.jacobian(game.start))
    np.testing.assert_allclose(
        np.sort_complex(found), np.sort_complex(expected), atol=ROUNDING
    )


def test_a_larger_game_has_the_leading_eigenvalues_of_its_jacobian(
    quadratic, playing, float64
):
    game = quadratic([15, 20, 10])
    model = playing(game)
    everything = np.linalg.eigvals(game.jacobian(game.start))
    for which, key in {"LM": -abs(everything), "SR": everything.real}.items():
        found = spectrum(model, ONE, k=4, which=which)
        expected = everything[np.argsort(key)][:4]
        np.testing.assert_allclose(
            np.sort_complex(found.eigenvalues),
            np.sort_complex(expected),
            atol=SOLVED,
        )
        assert (found.size, found.wanted, found.complete) == (45, 4, False)


@pytest.mark.parametrize("epsilon", [0.01, -0.01])
def test_balduzzis_four_players(linear, playing, float64, epsilon):
    found = spectrum(playing(balduzzi(linear, epsilon)), ONE)
    a, b = 1 + ROOT, ROOT - 1
    expected = epsilon + 1j * np.array([a, -a, b, -b])
    np.testing.assert_allclose(found.eigenvalues, expected, atol=ROUNDING)
    assert found.complete and found.rotating.all()
    if epsilon > 0:
        step = 2 * epsilon / (epsilon**2 + a**2)
        np.testing.assert_allclose(found.largest_step, step, rtol=1e-10)
        np.testing.assert_allclose(found.radius(step), 1, rtol=1e-10)
        assert found.radius(0.99 * step) < 1 < found.radius(1.01 * step)
        assert found.kinds == ["attracting, rotating"] * 4
    else:
        assert found.largest_step is None
        assert found.kinds == ["repelling, rotating"] * 4


def test_the_largest_step_is_where_training_turns_from_stable_to_unstable(
    linear, playing, float64
):
    game = balduzzi(linear, 0.3)
    h = spectrum(playing(game), ONE).largest_step
    for factor, grows in ((0.8, False), (1.2, True)):
        model = game.compiled("simultaneous", factor * h)
        points = game.play(model, 60)
        sizes = np.linalg.norm(points, axis=1)
        assert (sizes[-1] > 1.25 * sizes[0]) == grows
        assert (sizes[-1] < 0.8 * sizes[0]) == (not grows)


def test_a_bilinear_game_has_no_stable_step(bilinear, playing):
    found = spectrum(playing(bilinear), ONE)
    np.testing.assert_allclose(found.eigenvalues, [1j, -1j], atol=ROUNDING)
    assert found.kinds == ["rotating", "rotating"]
    assert found.largest_step is None
    assert found.rotation_index == 1.0
    assert "2 eigenvalues turn without attracting" in found.verdict()


def test_learning_rates_of_the_players_multiply_their_rows(
    linear, playing, float64
):
    """min_x max_y -3x^2 - y^2 + 4xy is stable iff y is 3 times as fast."""
    model = playing(linear([[-6.0, 4.0], [-4.0, 2.0]]))
    for tau, stable in ((2.9, False), (3.1, True)):
        found = spectrum(model, ONE, rates={"p1": tau})
        expected = np.linalg.eigvals([[-6.0, 4.0], [-4 * tau, 2 * tau]])
        np.testing.assert_allclose(
            np.sort_complex(found.eigenvalues),
            np.sort_complex(expected),
            atol=1e-10,
        )
        assert (found.largest_step is not None) == stable
        assert found.rates == {"p0": 1.0, "p1": tau}
        assert f"Learning rates: h times p0 1, p1 {tau:g}." in str(found)


def test_players_alone_have_the_spectrum_of_their_own_block(
    quadratic, playing, float64
):
    game = quadratic([2, 3, 1])
    model = playing(game)
    j = game.jacobian(game.start)
    for players, rows in {("p1",): [2, 3, 4], ("p0", "p2"): [0, 1, 5]}.items():
        found = spectrum(model, ONE, players=players)
        np.testing.assert_allclose(
            np.sort_complex(found.eigenvalues),
            np.sort_complex(np.linalg.eigvals(j[np.ix_(rows, rows)])),
            atol=ROUNDING,
        )
        assert found.size == 3
    assert not spectrum(model, ONE, players=["p1"]).rotating.any()


def test_another_point_can_be_looked_at(float64):
    """l_i of a game that is not quadratic: J depends on the point."""

    class Cubic(adversarial.losses.AdversarialLoss):
        def call(self, outputs, targets=None):
            return [outputs**3]

    x = keras.Input((1,))
    layer = keras.layers.Dense(1, use_bias=False)
    model = adversarial.AdversarialModel(
        keras.Model(x, layer(x)), player_params={"a": layer}
    )
    model.compile("simultaneous", "sgd", Cubic())
    found = spectrum(model, ONE, at={"a": [np.array([[0.5]])]})
    np.testing.assert_allclose(found.eigenvalues, [3.0], rtol=ROUNDING)


def test_kinds_and_steps():
    found = seen(2, -1, 1 + 2j, -1 + 2j, 3j, 2 + 1j, 1e-12)
    assert found.kinds == [
        "attracting",
        "repelling",
        "attracting, rotating",
        "repelling, rotating",
        "rotating",
        "attracting",
        "flat",
    ]
    assert found.largest_step is None
    assert seen(2, 1e-12).largest_step == 1.0
    assert seen(2, 1 + 2j).largest_step == pytest.approx(0.4)
    assert seen(0, 0).largest_step == math.inf
    assert seen(3 + 4j, 1).rotation_index == pytest.approx(0.8)
    assert seen(0).rotation_index == 0.0


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (seen(1, -1), "No step size is stable: 1 eigenvalue pushes away"),
        (seen(-2, -1), "2 eigenvalues push away"),
        (seen(1, 1j, -1j), "2 eigenvalues turn without attracting"),
        (seen(0), "every eigenvalue is zero"),
        (seen(2), "steps are stable below h = 1."),
        (seen(2, size=9), "unstable above h = 1; the eigenvalues that were"),
    ],
)
def test_the_verdict_is_honest(found, words):
    assert words in found.verdict()
    assert str(found).endswith(found.verdict())


def test_a_spectrum_reads_as_a_list():
    lines = str(seen(1 - 2j, size=9, wanted=3)).splitlines()
    assert lines[0] == "1 of 9 eigenvalues (which='LM')"
    assert lines[1] == "Only 1 of 3 wanted converged."
    assert lines[2].split() == ["1", "-", "2", "i", "attracting,", "rotating"]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"which": "SM"}, "Unknown which: 'SM'"),
        ({"k": 0}, "`k` must be a positive"),
        ({"players": ["p9"]}, "Unknown player: 'p9'"),
        ({"rates": {"p9": 1.0}}, "Unknown player in `rates`"),
        ({"rates": {"p1": 0.0}}, "must be positive.*\n.*'p1'"),
        ({"at": {"p9": []}}, "Unknown player"),
    ],
)
def test_wrong_arguments_are_refused(bilinear, playing, arguments, match):
    with pytest.raises(ValueError, match=match):
        spectrum(playing(bilinear), ONE, **arguments)


def test_a_jacobian_that_is_not_finite_is_refused(bilinear, playing):
    bilinear.matrices = np.full((2, 2, 2), np.nan)
    with pytest.raises(ArithmeticError, match="must be finite"):
        spectrum(playing(bilinear), ONE)
