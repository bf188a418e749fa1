"""Games that many tests play."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import pytest
from engines import COMPILES

import adversarial
from adversarial import games, optimizers as o

Array = Any
# Programs of their own, which set TensorFlow up in another way.
collect_ignore_glob = [
    "two_*.py",
    "peak_memory.py",
    "replica_cases.py",
    "small_games.py",
    "loss_games.py",
    "conformance_cases.py",
    "jax_steps.py",
    "data/*.py",
]
ENGINE = keras.backend.backend()
OF_ONE_ENGINE = {
    "tensorflow": [
        *(
            f"backend/test_{name}.py"
            for name in (
                "directional",
                "moments",
                "replicas",
                "summaries",
                "tensorflow",
                "workers",
            )
        ),
        "fuzz/test_fit.py",  # It knows by which errors TensorFlow refuses.
        "test_replicas.py",
        "test_workers.py",
    ],
    "jax": [
        "backend/test_captured_jax.py",
        "backend/test_jax.py",
        "backend/test_paths_jax.py",
        "backend/test_shapes_jax.py",
        "backend/test_trainer_jax.py",
        "test_devices.py",
    ],
    "torch": [
        "backend/test_noise_torch.py",
        "backend/test_scopes_torch.py",
        "backend/test_torch.py",
        "backend/test_trainer_torch.py",
    ],
}
"""Tests of what only one engine has."""
collect_ignore = [
    path
    for engine, paths in OF_ONE_ENGINE.items()
    for path in paths
    if engine != ENGINE
]


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


FIRST_ORDER: dict[str, Callable[[], adversarial.AdversarialOptimizer]] = {
    "simultaneous": o.Simultaneous,
    "alternating": o.Alternating,
    "anderson": lambda: o.Anderson("simultaneous", regularization=1e-3),
    "averaging": o.Averaging,
    "extra_gradient": o.ExtraGradient,
    "historical_averaging": lambda: o.HistoricalAveraging("simultaneous"),
    "lookahead": lambda: o.Lookahead("alternating", 2),
    "optimistic": o.Optimistic,
    "prediction": o.Prediction,
    "runge_kutta": o.RungeKutta,
    "scheduled": lambda: o.Scheduled([[0, 1], [0]]),
}
"""Every strategy that takes first derivatives only, by its name."""
SAME_STEPS = {"rtol": 2e-3, "atol": 2e-4}
"""Float32, four SGD steps of 0.05, compiled in another way.

XLA draws other random numbers: the games here have no noise of their own.
"""
HALF = {"mixed_float16": 2e-2, "mixed_bfloat16": 1e-1}
"""Of a loss of order 1: a few roundings of 2^-11 or 2^-8."""


@pytest.fixture
def conforms() -> Callable[..., None]:
    """Asserts that a game trains under every strategy and in every mode.

    Args of what it returns:
        make: Makes the model, from the same weights at each call.
        compiling: The arguments of `compile` but strategy and optimizers.
        data: What `fit` takes, some batches.
        batch: The size of a batch.
        noisy: Whether something is drawn in each step: XLA draws other
            numbers, so that only the losses before the first step are compared.
    """

    def weights(model: adversarial.AdversarialModel) -> list[Array]:
        return [np.array(v) for v in model.trainable_variables]

    def trained(
        make: Callable[[], adversarial.AdversarialModel],
        data: Sequence[Any],
        batch: int,
        strategy: Any = "simultaneous",
        **compiling: Any,
    ) -> tuple[dict[str, float], list[Array]]:
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(0)
        model = make()
        start = weights(model)
        rates = [keras.optimizers.SGD(0.05) for _ in model.players]
        model.compile(strategy, rates, **compiling)
        logs = model.fit(
            *data, batch_size=batch, shuffle=False, verbose=0
        ).history
        for v, before in zip(model.trainable_variables, start, strict=True):
            assert np.isfinite(v).all(), v.path
            assert np.any(before != np.asarray(v)), f"{v.path} did not move"
        return {name: values[0] for name, values in logs.items()}, weights(
            model
        )

    def check(
        make: Callable[[], adversarial.AdversarialModel],
        compiling: dict[str, Any],
        data: Sequence[Any],
        batch: int,
        *,
        noisy: bool = False,
    ) -> None:
        one = keras.tree.map_structure(lambda x: x[:batch], tuple(data))
        firsts = {
            name: trained(
                make, one, batch, strategy(), run_eagerly=True, **compiling
            )[0]
            for name, strategy in FIRST_ORDER.items()
        }
        # What is reported is from before the step, whoever makes it.
        for name, logs in firsts.items():
            for key, value in firsts["simultaneous"].items():
                np.testing.assert_allclose(
                    logs[key], value, rtol=1e-5, atol=1e-6, err_msg=name
                )
        logs, expected = trained(
            make, data, batch, run_eagerly=True, **compiling
        )
        for mode in (
            {"jit_compile": False, "steps_per_execution": 2},
            *([{"jit_compile": True}] if COMPILES else []),
        ):
            again, found = trained(make, data, batch, **mode, **compiling)
            for a, b in () if noisy else zip(found, expected, strict=True):
                np.testing.assert_allclose(
                    a, b, **SAME_STEPS, err_msg=f"{mode}"
                )
            assert set(again) == set(logs)
        for policy, bound in HALF.items():
            keras.config.set_dtype_policy(policy)
            try:
                half, _ = trained(make, one, batch, **compiling)
            finally:
                keras.config.set_dtype_policy("float32")
            for key, value in firsts["simultaneous"].items():
                np.testing.assert_allclose(
                    half[key], value, rtol=bound, atol=bound, err_msg=policy
                )

    return check
