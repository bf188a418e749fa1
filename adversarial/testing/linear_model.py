"""Linear games as models, for any strategy to play."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from adversarial.backend.tracing import jit_of_traced_steps
from adversarial.game import Game
from adversarial.losses import AdversarialLoss
from adversarial.model import AdversarialModel
from adversarial.registry import PACKAGE
from adversarial.testing.linear_game import Array, LinearGame

Tensor = Any


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Makes a floating-point type Keras' default, for a while.

    Args:
        name: `"float32"` or `"float64"`.
    """
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


@keras.saving.register_keras_serializable(package=PACKAGE)
class LinearLoss(AdversarialLoss):
    """The losses of a linear game, whose numbers are the targets.

    So that one compiled model can play all games of some blocks. As few
    operations as can be: they are most of the time that tracing takes.
    """

    def call(self, outputs: Any, targets: Any = None) -> list[Tensor]:
        """Returns theta' Q_i theta / 2 + b_i' theta for each player."""
        flat = keras.tree.flatten(outputs)
        theta = flat[0] if len(flat) == 1 else ops.concatenate(flat)
        n, size = len(flat), theta.shape[0]
        column = theta[:, None]
        rows = ops.reshape(targets, (n * (size + 1), size))
        forces = ops.reshape(rows[:-n] @ (0.5 * column), (n, size)) + rows[-n:]
        return list(ops.unstack(forces @ column, n))


@keras.saving.register_keras_serializable(package=PACKAGE)
class LinearPlayer(keras.layers.Layer):  # type: ignore[misc]
    """Returns the parameters of one player, a vector, whatever its input is.

    Args:
        size: How many they are.
        split: Whether they are in two variables, if they are several.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, size: int, *, split: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.size = size
        self.split = split
        sizes = [size // 2, size - size // 2] if split else [size]
        self.pieces = [
            self.add_weight(shape=(k,), initializer="zeros", name=f"piece_{i}")
            for i, k in enumerate(sizes)
            if k
        ]
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Returns the vector."""
        pieces = [ops.convert_to_tensor(piece) for piece in self.pieces]
        return pieces[0] if len(pieces) == 1 else ops.concatenate(pieces)

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        """Returns the shape `(size,)` and the compute dtype."""
        return keras.KerasTensor((self.size,), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"size": self.size, "split": self.split}
        return {**super().get_config(), **own}


class LinearModel:
    """Plays linear games on a compiled model, in double precision.

    To be made and used under `precision("float64")`. The model is traced
    once, whatever games it plays.

    Args:
        model: A model of `linear_model`, which nobody has played on yet.

    Attributes:
        model: The model.
        strategy: Its strategy.
        traces: How often the strategy's step was called to be compiled or,
            when run eagerly, to be played.
        watch: Is shown the game whenever the strategy's step is called.
    """

    def __init__(self, model: AdversarialModel) -> None:
        self.model = model
        self.strategy = model.optimizer
        self.traces = 0
        self.watch: Callable[[Game], None] = lambda game: None
        step = self.strategy.step

        def counted(game: Game) -> None:
            self.traces += 1
            self.watch(game)
            step(game)

        self.strategy.step = counted  # type: ignore[method-assign]
        self._fresh = [(v, np.array(v)) for v in self.strategy.variables]

    @property
    def theta(self) -> Array:
        """The point where the players are."""
        each = [np.ravel(v.numpy()) for v in self._parameters()]
        return np.concatenate(each, dtype="float64")

    def place(self, theta: Array) -> None:
        """Moves the players to a point, and nothing else."""
        start = 0
        for v in self._parameters():
            v.assign(theta[start : start + v.shape[0]])
            start += v.shape[0]

    def reset(self) -> None:
        """Forgets all that the strategy and the optimizers remember."""
        for variable, value in self._fresh:
            variable.assign(value)

    def step(self, game: Array | LinearGame) -> Array:
        """Plays one step and returns the losses that it reports.

        Args:
            game: A game, or the batch of targets that stands for one.
        """
        y = numbers(game) if isinstance(game, LinearGame) else game
        self.model.reset_metrics()
        logs = self.model.train_on_batch(np.ones((1, 1)), y, return_dict=True)
        return np.array([logs[f"{name}_loss"] for name in self.model.players])

    def play(self, game: LinearGame, theta: Array, steps: int) -> Array:
        """Plays a game from its beginning.

        Args:
            game: The game; its rates are given to the players' optimizers.
            theta: The point before the first step.
            steps: How many steps.

        Returns:
            The points, of shape `(steps + 1, size)`.
        """
        self.reset()
        self.place(np.asarray(theta))
        optimizers = self.strategy.optimizers
        for optimizer, rate in zip(optimizers, game.rates, strict=True):
            optimizer.learning_rate = rate
        points = [self.theta]
        for _ in range(steps):
            self.step(game)
            points.append(self.theta)
        return np.stack(points)

    def _parameters(self) -> list[keras.Variable]:
        return [v for p in self.model.players.values() for v in p.variables]


def linear_model(
    strategy: Any,
    blocks: Sequence[int],
    names: Sequence[str],
    *,
    split: bool = False,
    optimizer: type = keras.optimizers.SGD,
    **kwargs: Any,
) -> LinearModel:
    """Makes a model that plays all linear games of some blocks.

    Args:
        strategy: The strategy, unused, its name or its config.
        blocks: The number of parameters of each player.
        names: The names of the players.
        split: Whether every block of several numbers is in two variables.
        optimizer: The class of the players' optimizers, made with a learning
            rate.
        **kwargs: Arguments of `AdversarialModel.compile`.
    """
    one = keras.Input((1,))
    layers = {
        name: LinearPlayer(size, split=split, name=name)
        for name, size in zip(names, blocks, strict=True)
    }
    outputs = [layer(one) for layer in layers.values()]
    model = AdversarialModel(keras.Model(one, outputs), player_params=layers)
    rates = {name: optimizer(0.1) for name in layers}
    kwargs = {"jit_compile": jit_of_traced_steps(), **kwargs}
    model.compile(strategy, rates, LinearLoss(), **kwargs)
    return LinearModel(model)


def numbers(game: LinearGame) -> Array:
    """Returns the batch of targets that stands for a game."""
    return np.concatenate(
        [game.matrices.reshape(1, -1), game.vectors.reshape(1, -1)], axis=1
    )
