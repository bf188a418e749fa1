"""How a game looks to a strategy, and to players who search."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize


@pytest.fixture
def as_played(probe_strategy, joint_of):
    """Returns losses, field xi and J v at a point, of the game as a model."""

    def look_at(game, theta, v):
        def flat(joint):
            pairs = zip(joint.flatten(), sizes, strict=True)
            return np.concatenate(
                [np.zeros(n) if x is None else np.ravel(x) for x, n in pairs]
            )

        sizes = [math.prod(s) for each in game.shapes.values() for s in each]
        strategy = probe_strategy(
            lambda played: (
                list(played.losses().values()),
                flat(played.field()),
                flat(played.jvp(joint_of(game, v))),
            )
        )
        model = game.model(theta, "float64")
        model.compile(strategy, "sgd", game.loss(), run_eagerly=True)
        model.train_on_batch(np.ones((1, 1)))
        return strategy.found

    return look_at


@pytest.fixture
def brute_force():
    """Returns the mean gain of players who search for better answers."""

    def search(game, theta, starts=4):
        rng = np.random.default_rng(0)
        edges, gains = game.edges, []
        for i, size in enumerate(game.blocks):
            block = slice(edges[i], edges[i + 1])

            def value(mine, block=block, i=i):
                moved = np.array(theta, "float64")
                moved[block] = mine
                return game.values(moved)[i]

            best = min(
                minimize(value, rng.normal(size=size), tol=1e-12).fun
                for _ in range(starts)
            )
            gains.append(game.values(theta)[i] - best)
        return np.mean(gains)

    return search
