"""Games that many tests play."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest

import adversarial
from adversarial import games

Array = Any


def in_precision(game: games.Quadratic, precision: str) -> games.Quadratic:
    """The game, whose models have this precision unless told otherwise."""
    made = game.model

    def model(start: Any = None, dtype: Any = None, **kwargs: Any) -> Any:
        return made(start, dtype or precision, **kwargs)

    game.model = model
    return game


@pytest.fixture
def quadratic() -> Callable[..., games.Quadratic]:
    """Makes a random quadratic game with the given sizes of blocks."""

    def make(
        blocks: list[int], dtype: str = "float64", seed: int = 0
    ) -> games.Quadratic:
        return in_precision(games.random_quadratic(blocks, seed), dtype)

    return make


@pytest.fixture
def bilinear() -> games.Quadratic:
    """min_x max_y xy, from (3, 4), in float64."""
    matrices = games.Bilinear().matrices
    game = games.Quadratic(matrices, start=[3.0, 4.0])
    return in_precision(game, "float64")


@pytest.fixture
def float64() -> Iterator[None]:
    """Keras in double precision, learning rates included."""
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    """Every test starts from the same random state and clean names."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    yield


@pytest.fixture
def small_gan() -> Callable[..., adversarial.AdversarialModel]:
    """Makes a small GAN with batch normalisation and dropout."""

    def make(**kwargs: Any) -> adversarial.AdversarialModel:
        layers = keras.layers
        generator = keras.Sequential(
            [
                keras.Input((2,)),
                layers.Dense(8, activation="tanh"),
                layers.BatchNormalization(),
                layers.Dense(3),
            ],
            name="generator",
        )
        discriminator = keras.Sequential(
            [
                keras.Input((3,)),
                layers.Dense(8, activation="tanh"),
                layers.BatchNormalization(),
                layers.Dropout(0.2, seed=5),
                layers.Dense(1),
            ],
            name="discriminator",
        )
        latent = adversarial.layers.NormalLatent(2, seed=7)
        return adversarial.AdversarialModel(
            base_model=adversarial.builders.build_gan(
                generator, discriminator, latent
            ),
            player_params={
                "generator": generator,
                "discriminator": discriminator,
            },
            **kwargs,
        )

    return make


class Probe(adversarial.AdversarialOptimizer):
    """Runs a function on the game of one step and keeps what it returns."""

    def __init__(self, function: Callable[[adversarial.Game], Any]) -> None:
        super().__init__()
        self.function = function

    def step(self, game: adversarial.Game) -> None:
        found = self.function(game)
        self.found = keras.tree.map_structure(
            lambda x: None if x is None else keras.ops.convert_to_numpy(x),
            {k: list(v) for k, v in found.items()}
            if isinstance(found, adversarial.Joint)
            else found,
        )


@pytest.fixture
def probe_strategy() -> type[Probe]:
    return Probe


@pytest.fixture
def probe() -> Callable[..., Any]:
    """Plays one eager step of a function on a quadratic game."""

    def run(
        game: games.AnalyticGame,
        function: Callable[[adversarial.Game], Any],
        optimizers: Any = "sgd",
    ) -> Any:
        model = game.model()
        strategy = Probe(function)
        model.compile(strategy, optimizers, game.loss(), run_eagerly=True)
        model.train_on_batch(np.ones((1, 1)))
        found = strategy.found
        if not isinstance(found, dict):
            return found
        blocks = found.values()
        return np.concatenate([np.ravel(x) for block in blocks for x in block])

    return run


@pytest.fixture
def joint_of() -> Callable[[games.AnalyticGame, Array], adversarial.Joint]:
    """Makes a joint vector of a flat one."""
    return lambda game, vector: adversarial.Joint(
        {
            player: [keras.ops.convert_to_tensor(x) for x in block]
            for player, block in game.tensors(vector).items()
        }
    )
