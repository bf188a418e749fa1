"""Losses, fields and their derivatives, on random quadratic games."""

import keras
import numpy as np
import pytest

import adversarial

ROUNDING = 1e-12
"""Float64 sums over up to 6 numbers near 1."""


@pytest.fixture
def game(quadratic, float64):
    return quadratic([2, 3, 1])


@pytest.fixture
def other(game):
    return np.random.default_rng(9).normal(size=6)


def test_losses_at_the_real_point_and_elsewhere(game, other, probe, joint_of):
    here = probe(game, lambda g: list(g.losses().values()))
    there = probe(
        game, lambda g: list(g.losses(joint_of(game, other)).values())
    )
    np.testing.assert_allclose(here, game.values(game.start), rtol=ROUNDING)
    np.testing.assert_allclose(there, game.values(other), rtol=ROUNDING)


def test_a_point_of_some_players_leaves_the_others_where_they_are(
    game, other, probe, joint_of
):
    mixed = game.start.copy()
    mixed[2:5] = other[2:5]
    found = probe(
        game,
        lambda g: list(g.losses(joint_of(game, other).only(["p1"])).values()),
    )
    np.testing.assert_allclose(found, game.values(mixed), rtol=ROUNDING)


def test_the_field_holds_each_players_own_gradient(
    game, other, probe, joint_of
):
    found = probe(game, lambda g: g.field(joint_of(game, other)))
    np.testing.assert_allclose(found, game.field(other), atol=ROUNDING)


def test_the_field_of_some_players_has_only_their_blocks(game, probe):
    found = probe(game, lambda g: g.field(players=["p2", "p0"]))
    parts = game.split(game.field(game.start))
    np.testing.assert_allclose(
        found, np.concatenate([parts[2], parts[0]]), atol=ROUNDING
    )


@pytest.mark.parametrize(("i", "j"), [(0, 1), (2, 0), (1, 1)])
def test_cross_gradients(game, other, i, j, probe, joint_of):
    found = probe(
        game,
        lambda g: g.gradient(
            lambda at: g.losses(at, [f"p{i}"])[f"p{i}"],
            joint_of(game, other),
            wrt=[f"p{j}"],
        ),
    )
    full = game.matrices[i] @ other + game.vectors[i]
    np.testing.assert_allclose(found, game.split(full)[j], atol=ROUNDING)


def test_jvp_and_vjp_are_products_with_the_explicit_jacobian(
    game, other, probe, joint_of
):
    v = joint_of(game, other)
    np.testing.assert_allclose(
        probe(game, lambda g: g.jvp(v)),
        game.jacobian(game.start) @ other,
        atol=ROUNDING,
    )
    np.testing.assert_allclose(
        probe(game, lambda g: g.vjp(v)),
        game.jacobian(game.start).T @ other,
        atol=ROUNDING,
    )


def test_jvp_and_vjp_of_some_players_take_the_others_as_zero(
    game, other, probe, joint_of
):
    masked = other.copy()
    masked[2:5] = 0
    v = joint_of(game, other).only(["p0", "p2"])
    np.testing.assert_allclose(
        probe(game, lambda g: g.jvp(v)),
        game.jacobian(game.start) @ masked,
        atol=ROUNDING,
    )
    np.testing.assert_allclose(
        probe(game, lambda g: g.vjp(v)),
        game.jacobian(game.start).T @ masked,
        atol=ROUNDING,
    )


def test_gradient_goes_through_the_field(game, other, probe, joint_of):
    """grad (|xi|^2 / 2) = J^T xi, and its own derivative is J^T J."""

    def energy(g, theta):
        xi = g.field(theta)
        return xi.dot(xi) / 2

    at = joint_of(game, other)
    found = probe(game, lambda g: g.gradient(lambda t: energy(g, t), at))
    j = game.jacobian(game.start)
    np.testing.assert_allclose(found, j.T @ game.field(other), atol=ROUNDING)
    fixed = joint_of(game, other)
    twice = probe(
        game,
        lambda g: g.gradient(
            lambda t: g.gradient(lambda s: energy(g, s), t).dot(fixed), at
        ),
    )
    np.testing.assert_allclose(twice, j.T @ j @ other, atol=10 * ROUNDING)


@pytest.mark.parametrize("players", [["p1"], ["p2", "p0"]])
def test_jvp_of_some_players_has_only_their_blocks(
    game, other, players, probe, joint_of
):
    v = joint_of(game, other)
    found = probe(game, lambda g: g.jvp(v, players=players))
    parts = game.split(game.jacobian(game.start) @ other)
    expected = np.concatenate([parts[int(name[1])] for name in players])
    np.testing.assert_allclose(found, expected, atol=ROUNDING)


def test_products_without_the_players_own_blocks(game, other, probe, joint_of):
    interaction = game.jacobian(game.start)
    for a, b in zip(game.edges, game.edges[1:], strict=False):
        interaction[a:b, a:b] = 0
    v = joint_of(game, other)
    np.testing.assert_allclose(
        probe(game, lambda g: g.jvp(v, own=False)),
        interaction @ other,
        atol=ROUNDING,
    )
    np.testing.assert_allclose(
        probe(game, lambda g: g.vjp(v, own=False)),
        interaction.T @ other,
        atol=ROUNDING,
    )


def test_products_are_taken_at_the_point_that_is_given(
    bilinear, float64, probe, joint_of
):
    """In a game of fourth powers, whose Jacobian depends on the point."""
    bilinear.loss = lambda: _Quartic()
    at = np.array([0.5, -2.0])
    found = probe(
        bilinear,
        lambda g: g.jvp(
            joint_of(bilinear, np.array([1.0, 3.0])), joint_of(bilinear, at)
        ),
    )
    np.testing.assert_allclose(found, 12 * at**2 * [1, 3], rtol=ROUNDING)


class _Quartic(adversarial.losses.AdversarialLoss):
    def call(self, outputs, targets=None):
        return [y**4 for y in outputs]


def test_products_are_right_through_batch_normalisation(
    small_gan, probe_strategy, float64
):
    """TensorFlow's moments alone hide the mean from second derivatives."""

    def products(game):
        xi = game.field()
        h = 1e-5
        wide, narrow = (
            game.field(game.point + s * xi) - game.field(game.point - s * xi)
            for s in (2 * h, h)
        )
        # What is left is h^4 of a fifth derivative: each engine draws other
        # weights, of which some leave almost no variance to divide by.
        return [
            *(game.jvp(xi) - (8 * narrow - wide) / (12 * h)).flatten(),
            game.vjp(xi).dot(xi) - xi.dot(game.jvp(xi)),
        ]

    model = small_gan()
    model.compile(
        strategy := probe_strategy(products),
        "adam",
        keras.losses.BinaryCrossentropy(True),
        run_eagerly=True,
    )
    x = np.random.default_rng(0).normal(size=(8, 3))
    model.train_on_batch(x, adversarial.builders.gan_targets(8))
    differences = np.concatenate([np.ravel(x) for x in strategy.found])
    np.testing.assert_allclose(differences, 0, atol=1e-9)
