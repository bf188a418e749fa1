import numpy as np
import pytest

from adversarial import games
from adversarial.optimizers import (
    Simultaneous,
    SymplecticGradientAdjustment as SGA,
)
from adversarial.testing import LinearGame

# Balduzzi's game, epsilon = 0.01, steps of 0.1: from its eigenvalues.
RADIUS = {"sga": 0.982699, "simultaneous": 1.027757}
SIX_DIGITS = 1e-6


@pytest.mark.parametrize("align", ["paper", "cosine", None])
def test_without_strength_it_is_simultaneous_bit_for_bit(play, align):
    np.testing.assert_array_equal(play(SGA(0.0, align)), play(Simultaneous()))


@pytest.mark.parametrize("align", ["paper", "cosine", None])
def test_a_potential_game_is_left_alone(play, align):
    """Where all losses are the same nothing rotates."""
    one = LinearGame.random((2, 3, 1), 0)
    shared = np.broadcast_to(one.matrices.mean(0), one.matrices.shape)
    game = LinearGame(one.blocks, shared, one.vectors, one.rates)
    np.testing.assert_allclose(
        play(SGA(5.0, align), game), play(Simultaneous(), game), rtol=1e-13
    )


def test_balduzzis_game_contracts_as_its_eigenvalues_say(contracts):
    game = games.Hamiltonian(4, epsilon=0.01)
    J = game.jacobian(game.start)
    A = (J - J.T) / 2
    eye, steps = np.eye(4), 300
    for name, strategy, M in (
        ("sga", SGA(1.0), eye - 0.1 * (eye + A.T) @ J),
        ("simultaneous", Simultaneous(), eye - 0.1 * J),
    ):
        radius = np.abs(np.linalg.eigvals(M)).max()
        assert radius == pytest.approx(RADIUS[name], abs=SIX_DIGITS)
        expected = np.linalg.matrix_power(M, steps) @ game.start
        found = contracts(game, strategy, 0.1, steps)
        assert found == pytest.approx(np.linalg.norm(expected), rel=1e-9)


def test_alignment_leaves_a_point_that_repels_but_only_from_afar(made):
    """The bias to + has the say where the products are small."""
    h, size = games.Hamiltonian(4, epsilon=-0.01), 0.01
    game = LinearGame(
        [1, 1, 1, 1], h.matrices, h.vectors, [size, size, size, size]
    )
    direction = h.start / np.linalg.norm(h.start)
    ends = {}
    for align in ("paper", "cosine"):
        model = made(SGA(1.0, align), game.blocks)
        for start in (6.7, 0.67, 0.07):
            points = model.play(game, start * direction, 30)
            ends[align, start] = np.linalg.norm(points[-1]) / start
    assert ends["paper", 6.7] > 1.1
    assert ends["paper", 0.67] < 0.95 and ends["paper", 0.07] < 0.95
    assert len({round(ends["cosine", s], 9) for s in (6.7, 0.67, 0.07)}) == 1


def test_aligned_by_cosines_the_scale_of_the_losses_does_not_matter(play):
    game = LinearGame.random((2, 3, 1), 3)
    scaled = LinearGame(
        game.blocks, game.matrices, 1e-3 * game.vectors, game.rates
    )
    start = np.random.default_rng(3).normal(size=6)
    for align, same in (("cosine", True), ("paper", False)):
        one, other = (
            play(SGA(1.0, align, -0.01), each, 1, start=at)
            for each, at in ((game, start), (scaled, 1e-3 * start))
        )
        assert np.allclose(one[1], 1e3 * other[1], rtol=1e-10) is same


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"strength": -1.0}, "`strength` is out of range"),
        ({"align": "papre"}, "did you mean 'paper'"),
        ({"align_epsilon": float("nan")}, "`align_epsilon` is out of range"),
    ],
    ids=str,
)
def test_arguments_out_of_range_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        SGA(**arguments)
