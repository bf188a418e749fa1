"""Strategies on linear games, and on games with known answers."""

import numpy as np
import pytest
from engines import TRACED

from adversarial.testing import LinearGame
from adversarial.testing.linear_model import linear_model

BLOCKS = (2, 3, 1)


@pytest.fixture
def made(float64):
    """Makes a model of a strategy, which plays all linear games of blocks."""

    def make(strategy, blocks=BLOCKS, **kwargs):
        names = [f"p{i}" for i in range(len(blocks))]
        return linear_model(strategy, blocks, names, **kwargs)

    return make


@pytest.fixture
def begin():
    """The point of a linear game where `play` starts."""
    return lambda game: np.random.default_rng(11).normal(size=game.size)


@pytest.fixture
def play(made, begin):
    """Plays a linear game, eagerly unless told otherwise; all points."""

    def points(strategy, game=None, steps=3, *, start=None, **kwargs):
        game = game or LinearGame.random(BLOCKS)
        start = begin(game) if start is None else start
        kwargs = {"run_eagerly": True, **kwargs}
        return made(strategy, game.blocks, **kwargs).play(game, start, steps)

    return points


@pytest.fixture
def bilinear_radius(made):
    """Makes the spectral radius on min_x max_y xy a function of the step.

    It is read off some steps from the basis vectors, of rules that remember
    nothing then.
    """

    def measured(strategy, steps=1):
        model = made(strategy, (1, 1))

        def radius(eta):
            game = LinearGame.bilinear(eta)
            columns = [model.play(game, e, steps)[-1] for e in np.eye(2)]
            return np.abs(np.linalg.eigvals(np.transpose(columns))).max()

        return radius

    return measured


@pytest.fixture
def refused(made):
    """Compiles a strategy that does not fit, and returns the words."""

    def words(strategy, players=2):
        with pytest.raises(ValueError) as error:
            made(strategy, [1] * players)
        return str(error.value)

    return words


@pytest.fixture
def contracts(float64):
    """Plays a game to the end; how far from its equilibrium that is."""

    def distance(game, strategy, rate, steps):
        model = game.compiled(
            strategy, rate, jit_compile=TRACED, steps_per_execution=steps
        )
        model.fit(np.ones((steps, 1)), batch_size=1, verbose=0)
        rest = game.equilibria[0].theta
        return np.linalg.norm(game.point(model) - rest)

    return distance
