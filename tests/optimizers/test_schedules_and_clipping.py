"""Learning-rate schedules and gradient clipping of single players.

Both belong to a player's Keras optimizer. The reference here is a transcription
in NumPy that shares no code with the package.
"""

import keras
import numpy as np
import pytest
from engines import JITS

from adversarial.optimizers import (
    Alternating,
    ExtraGradient,
    Scheduled,
    Unrolled,
)

STEPS = 6
ROUNDING = 1e-9
"""Relative: rates and bounds go through Keras as float64, some through
float32 constants that are exact here."""
RATE, BOUND = 0.125, 0.5


class Steps:
    """Plain SGD of one player, with a schedule and clipping.

    Args:
        sizes: Of its variables.
        rate: A function of the number of moves made.
        clip: A function of the list of its gradients.
    """

    def __init__(self, sizes, rate=lambda n: RATE, clip=lambda g: g):
        self.sizes, self.rate, self.clip, self.moves = sizes, rate, clip, 0

    def __call__(self, g):
        """The displacement, a flat vector; counts the move."""
        parts = self.clip(np.split(g, np.cumsum(self.sizes)[:-1]))
        step = -self.rate(self.moves) * np.concatenate(parts)
        self.moves += 1
        return step


def gradient(game, theta, player):
    return game.split(game.field(theta))[player]


def moved(game, theta, player, step):
    theta = theta.copy()
    start, end = game.edges[player], game.edges[player + 1]
    theta[start:end] += step
    return theta


def simultaneous(game, theta, players):
    g = [gradient(game, theta, i) for i in range(2)]
    for i in range(2):
        theta = moved(game, theta, i, players[i](g[i]))
    return theta


def alternating(game, theta, players):
    """The second player moves twice in its turn."""
    for i in (0, 1, 1):
        theta = moved(game, theta, i, players[i](gradient(game, theta, i)))
    return theta


def extra_gradient(game, theta, players):
    """The state of the optimizers, the counter included, goes on."""
    half = simultaneous(game, theta, players)
    g = [gradient(game, half, i) for i in range(2)]
    for i in range(2):
        theta = moved(game, theta, i, players[i](g[i]))
    return theta


def apart(game, theta, players):
    """The look ahead counts nothing."""
    counts = [p.moves for p in players]
    half = simultaneous(game, theta, players)
    g = [gradient(game, half, i) for i in range(2)]
    for i in range(2):
        players[i].moves = counts[i]
        theta = moved(game, theta, i, players[i](g[i]))
    return theta


STRATEGIES = {
    "simultaneous": ("simultaneous", simultaneous),
    "alternating": (lambda: Alternating(steps={"p1": 2}), alternating),
    "extra_gradient": ("extra_gradient", extra_gradient),
    "extra_gradient_apart": (
        lambda: ExtraGradient(optimizer_state="discard"),
        apart,
    ),
}


def by_value(g):
    return [np.clip(x, -BOUND, BOUND) for x in g]


def by_norm(g):
    return [x * min(1, BOUND / np.linalg.norm(x)) for x in g]


def by_global_norm(g):
    norm = np.linalg.norm(np.concatenate(g))
    return [x * min(1, BOUND / norm) for x in g]


CLIPS = {
    "clipvalue": by_value,
    "clipnorm": by_norm,
    "global_clipnorm": by_global_norm,
}


def sizes(model, player):
    return [int(np.prod(v.shape)) for v in model.players[player].variables]


def strategy_of(name):
    made = STRATEGIES[name][0]
    return made if isinstance(made, str) else made()


def assert_same_path(game, model, players, rule):
    theta = game.point(model)
    found = game.play(model, STEPS)
    for row in found[1:]:
        theta = rule(game, theta, players)
        np.testing.assert_allclose(row, theta, rtol=ROUNDING, atol=ROUNDING)


@pytest.fixture
def game(quadratic, float64):
    return quadratic([3, 4])


@pytest.mark.parametrize("player", ["p0", "p1"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_schedule_counts_the_moves_of_its_player_alone(game, name, player):
    schedule = keras.optimizers.schedules.ExponentialDecay(RATE, 1, 0.5)
    optimizers = {p: keras.optimizers.SGD(RATE) for p in ("p0", "p1")}
    optimizers[player] = keras.optimizers.SGD(schedule)
    model = game.compiled(
        strategy_of(name), optimizers, split=True, run_eagerly=True
    )
    players = [
        Steps(
            sizes(model, p),
            rate=(lambda n: RATE * 0.5**n) if p == player else lambda n: RATE,
        )
        for p in ("p0", "p1")
    ]
    assert_same_path(game, model, players, STRATEGIES[name][1])
    counts = [int(optimizers[p].iterations) for p in ("p0", "p1")]
    assert counts == [p.moves for p in players]
    rates = [float(h) for h in model.optimizer.learning_rates.values()]
    want = [p.rate(p.moves) for p in players]
    np.testing.assert_allclose(rates, want, rtol=ROUNDING)


@pytest.mark.parametrize(
    ("name", "moves"),
    [
        ("simultaneous", [4, 4]),
        ("alternating", [4, 8]),
        ("extra_gradient", [8, 8]),
        ("extra_gradient_apart", [4, 4]),
        ("scheduled", [1, 3]),
    ],
)
def test_what_a_schedule_counts_in_a_step_is_what_the_page_says(
    game, name, moves
):
    turns = Scheduled([0, 1, 1, 1]) if name == "scheduled" else None
    model = game.compiled(turns or strategy_of(name), RATE, run_eagerly=True)
    game.play(model, 4)
    found = [int(o.iterations) for o in model.optimizer.optimizers]
    assert found == moves
    assert int(model.optimizer.iterations) == 4


@pytest.mark.parametrize("player", ["p0", "p1"])
@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("name", STRATEGIES)
def test_clipping_acts_on_the_gradient_of_its_player_alone(
    game, name, clip, player
):
    optimizers = {p: keras.optimizers.SGD(RATE) for p in ("p0", "p1")}
    optimizers[player] = keras.optimizers.SGD(RATE, **{clip: BOUND})
    model = game.compiled(
        strategy_of(name), optimizers, split=True, run_eagerly=True
    )
    assert len(sizes(model, player)) == 2
    players = [
        Steps(sizes(model, p), clip=CLIPS[clip] if p == player else list)
        for p in ("p0", "p1")
    ]
    start = game.point(model)
    g = gradient(game, start, int(player[1]))
    assert np.abs(g).max() > BOUND, "nothing would be clipped"
    assert_same_path(game, model, players, STRATEGIES[name][1])


@pytest.mark.parametrize("jit_compile", JITS)
def test_compiled_steps_clip_and_schedule_as_eager_ones_do(game, jit_compile):
    def played(**kwargs):
        schedule = keras.optimizers.schedules.ExponentialDecay(RATE, 1, 0.5)
        optimizers = {
            "p0": keras.optimizers.SGD(schedule, global_clipnorm=BOUND),
            "p1": keras.optimizers.SGD(RATE, clipvalue=BOUND),
        }
        model = game.compiled("extra_gradient", optimizers, **kwargs)
        return game.play(model, 3)

    np.testing.assert_allclose(
        played(jit_compile=jit_compile), played(run_eagerly=True), rtol=ROUNDING
    )


def test_the_steps_that_are_unrolled_are_clipped_as_real_ones(game):
    # One virtual step of p1, clipped to nothing: p0 sees p1 where it is.
    model = game.compiled(
        Unrolled(depth={"p0": 1, "p1": 0}),
        {
            "p0": keras.optimizers.SGD(RATE),
            "p1": keras.optimizers.SGD(RATE, clipvalue=1e-30),
        },
        run_eagerly=True,
    )
    theta = game.point(model)
    found = game.play(model, 1)[1]
    want = moved(game, theta, 0, -RATE * gradient(game, theta, 0))
    np.testing.assert_allclose(found, want, rtol=ROUNDING)
