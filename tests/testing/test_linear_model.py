import keras
import numpy as np
import pytest
from engines import COMPILES

from adversarial.optimizers import Lookahead, Simultaneous
from adversarial.testing import LinearGame, references
from adversarial.testing.linear_model import (
    LinearModel,
    LinearPlayer,
    linear_model,
    numbers,
    precision,
)

STEPS = 6
NAMES = ["a", "b", "c"]


@pytest.fixture(autouse=True)
def double():
    with precision("float64"):
        yield


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("blocks", [(2, 3, 1), (3, 2), (4,)], ids=str)
def test_one_model_plays_every_game_of_its_blocks(blocks, split):
    model = linear_model(
        Simultaneous(), blocks, NAMES[: len(blocks)], split=split
    )
    for seed in (0, 1):
        game = LinearGame.random(blocks, seed)
        start = np.random.default_rng(seed).normal(size=game.size)
        np.testing.assert_allclose(
            model.play(game, start, STEPS),
            references.play(
                references.STEPS["simultaneous"], game, start, STEPS
            ),
            rtol=1e-13,
        )
    assert model.traces == (1 if COMPILES else 2 * STEPS)


def test_the_losses_of_a_step_are_those_of_the_game():
    game = LinearGame.random((2, 3, 1), 0)
    model = linear_model(Simultaneous(), game.blocks, NAMES)
    theta = np.arange(6.0)
    model.play(game, theta, 0)
    expected = game.losses(theta)
    np.testing.assert_allclose(model.step(game), expected, rtol=1e-12)
    other = LinearGame.random((2, 3, 1), 1)
    expected = other.losses(model.theta)
    np.testing.assert_allclose(model.step(numbers(other)), expected, rtol=1e-12)


def test_every_play_begins_with_nothing_remembered():
    game, start = LinearGame.random((2, 3), 0), np.ones(5)
    model = linear_model(
        Lookahead("simultaneous", 4), (2, 3), NAMES[:2], run_eagerly=True
    )
    first = model.play(game, start, STEPS)
    np.testing.assert_array_equal(model.play(game, start, STEPS), first)
    assert int(model.strategy.iterations) == STEPS


def test_the_players_step_at_the_rates_of_the_game():
    game = LinearGame.random((2, 3), 0, rates=[0.5, 0.25])
    model = linear_model(Simultaneous(), (2, 3), NAMES[:2], run_eagerly=True)
    model.play(game, np.ones(5), 0)
    rates = [float(o.learning_rate) for o in model.strategy.optimizers]
    assert rates == [0.5, 0.25]


def test_it_counts_and_shows_the_games_when_it_is_run_eagerly():
    seen = []
    game = LinearGame.random((2, 3), 0)
    model = linear_model(Simultaneous(), (2, 3), NAMES[:2], run_eagerly=True)
    model.watch = lambda game: seen.append(game.players)
    model.play(game, np.ones(5), 2)
    assert model.traces == 2 and seen == [("a", "b")] * 2


def test_it_can_be_saved_and_loaded(tmp_path):
    game = LinearGame.random((2, 3), 0)
    model = linear_model(Simultaneous(), (2, 3), NAMES[:2], split=True)
    model.play(game, np.ones(5), 2)
    model.model.save(tmp_path / "m.keras")
    again = LinearModel(keras.saving.load_model(tmp_path / "m.keras"))
    np.testing.assert_array_equal(again.theta, model.theta)
    np.testing.assert_array_equal(again.step(game), model.step(game))
    assert len(again.model.players["a"].variables) == 2


def test_a_single_number_is_not_split():
    assert [len(LinearPlayer(n, split=True).pieces) for n in (1, 2, 3)] == [
        1,
        2,
        2,
    ]


def test_precision_is_given_back():
    with precision("float32"):
        assert keras.config.floatx() == "float32"
        assert keras.config.dtype_policy().name == "float32"
        with pytest.raises(KeyError), precision("float64"):
            raise KeyError
        assert keras.config.floatx() == "float32"
    assert keras.config.floatx() == "float64"
    assert keras.config.dtype_policy().name == "float64"
