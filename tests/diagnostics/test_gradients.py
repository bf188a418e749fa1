import math

import numpy as np
import pytest

from adversarial.diagnostics import (
    GradientNorms,
    Rotation,
    gradient_norms,
    rotation,
)

ROUNDING = 1e-12
"""Float64 sums over up to 6 numbers near 1."""
ONE = np.ones((1, 1))


@pytest.fixture
def game(quadratic, float64):
    return quadratic([2, 3, 1])


def test_norms_and_losses_are_those_of_the_explicit_field(game, playing):
    found = gradient_norms(playing(game), ONE)
    parts = game.split(game.field(game.start))
    np.testing.assert_allclose(
        list(found.norms.values()),
        [np.linalg.norm(part) for part in parts],
        rtol=ROUNDING,
    )
    np.testing.assert_allclose(
        list(found.losses.values()), game.values(game.start), rtol=ROUNDING
    )
    total = np.linalg.norm(game.field(game.start))
    np.testing.assert_allclose(found.total, total, rtol=ROUNDING)
    np.testing.assert_allclose(found.hamiltonian, total**2 / 2, rtol=ROUNDING)


def test_another_point_can_be_looked_at(game, playing):
    other = np.random.default_rng(5).normal(size=6)
    model = playing(game)
    total = np.linalg.norm(game.field(other))
    for found in (
        gradient_norms(model, ONE, at=game.tensors(other)),
        rotation(model, ONE, at=game.tensors(other)).gradient,
    ):
        np.testing.assert_allclose(found.total, total, rtol=ROUNDING)


def test_rotation_is_that_of_the_explicit_jacobian(game, playing):
    found = rotation(playing(game), ONE)
    j, xi = game.jacobian(game.start), game.field(game.start)
    s, a = (j + j.T) / 2, (j - j.T) / 2
    s_xi, a_xi = np.linalg.norm(s @ xi), np.linalg.norm(a @ xi)
    np.testing.assert_allclose(found.symmetric, s_xi, rtol=ROUNDING)
    np.testing.assert_allclose(found.antisymmetric, a_xi, rtol=ROUNDING)
    np.testing.assert_allclose(
        found.fraction, a_xi / (a_xi + s_xi), rtol=ROUNDING
    )
    np.testing.assert_allclose(
        found.curvature, xi @ s @ xi / (xi @ xi), rtol=ROUNDING
    )


def test_a_bilinear_game_only_rotates(bilinear, playing):
    found = rotation(playing(bilinear), ONE)
    assert found.fraction == 1.0
    assert found.antisymmetric == 5.0
    assert found.curvature == 0.0


def test_a_common_interest_does_not_rotate(quadratic, playing, float64):
    game = quadratic([2, 1])
    game.matrices[1], game.vectors[1] = game.matrices[0], game.vectors[0]
    assert rotation(playing(game), ONE).fraction < ROUNDING


def test_at_rest_there_is_no_rotation_to_be_seen(bilinear, playing):
    bilinear.start = np.zeros(2)
    found = rotation(playing(bilinear), ONE)
    assert math.isnan(found.fraction) and math.isnan(found.curvature)
    assert found.gradient.total == 0.0
    assert "none to be seen" in str(found)


def test_norms_read_as_a_table():
    norms = GradientNorms({"g": 3.0, "critic": 4.0}, {"g": 0.5, "critic": 1.0})
    assert str(norms).splitlines() == [
        "player        loss    gradient",
        "g              0.5           3",
        "critic           1           4",
        "all            1.5           5",
    ]


def test_rotation_reads_as_sentences():
    norms = GradientNorms({"g": 3.0}, {"g": 0.5})
    turning = Rotation(1.0, 3.0, -2.0, norms)
    assert str(turning).splitlines() == [
        "rotation 0.750: the game turns more than it descends",
        "  ||A xi|| = 3, ||S xi|| = 1",
        "  curvature along the field -2: small steps make the gradients do "
        "not shrink",
    ]
    assert "descends more than it turns" in str(Rotation(3.0, 1.0, 2.0, norms))
