"""Small networks with what makes trouble, for any strategy to train."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from adversarial.backend.tracing import jit_of_traced_steps
from adversarial.builders import build_gan
from adversarial.layers import NormalLatent
from adversarial.losses import AdversarialLoss
from adversarial.model import AdversarialModel
from adversarial.testing.linear_game import Array

Tensor = Any
ROWS = 4
HALF_SCALE = 2.0**19
"""A first loss scale at which gradients near 1 overflow in float16."""


class SmallModel:
    """A compiled model with data to train on.

    It is the same in every run; no global random state is used.

    Args:
        model: The model.
        features: The number of features of its data.
        counters: The layers that count the passes through a player's network,
            in order, if there are such.

    Attributes:
        model: The model.
        strategy: Its strategy.
        counters: The counting layers.
    """

    def __init__(
        self,
        model: AdversarialModel,
        features: int,
        counters: Sequence[PassCounter] = (),
    ) -> None:
        self.model = model
        self.strategy = model.optimizer
        self.counters = counters
        self._features = features
        self._data = np.random.default_rng(7)

    def step(self, *, good: bool = True) -> None:
        """Trains on a batch; on one of NaN if it is not to be a good one."""
        x: Array = self._data.normal(size=(ROWS, self._features))
        x = x if good else np.full_like(x, np.nan)
        self.model.train_on_batch(x.astype("float32"))

    @property
    def updates(self) -> list[float]:
        """How many evaluations each player's state has kept."""
        return [float(c.count.numpy()) / c.passes for c in self.counters]


class PassCounter(layers.Layer):  # type: ignore[misc]
    """Counts the passes in training; its state is their number.

    Args:
        passes: How many passes an evaluation makes.
        name: The name of the layer.
    """

    def __init__(self, passes: int, name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self.passes = passes
        self.count = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="count"
        )

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Returns the inputs."""
        if training:
            self.count.assign(self.count + 1)
        return inputs


def small_gan(
    strategy: Any,
    names: Sequence[str],
    *,
    zero_sum: bool = False,
    **kwargs: Any,
) -> SmallModel:
    """Makes a GAN with batch normalisation, dropout, latents and Adam.

    Args:
        strategy: The strategy, unused.
        names: The names of the generator and of the discriminator.
        zero_sum: Whether the two losses add up to zero; by default they are
            the non-saturating ones.
        **kwargs: Arguments of `AdversarialModel.compile`.
    """
    counters = [PassCounter(1, "passes_0"), PassCounter(2, "passes_1")]
    generator = keras.Sequential(
        [
            keras.Input((2,)),
            _dense(2, 1),
            layers.BatchNormalization(),
            counters[0],
        ],
        name="generator_of_small_gan",
    )
    discriminator = keras.Sequential(
        [
            keras.Input((2,)),
            _dense(2, 2, activation="tanh"),
            layers.Dropout(0.2, seed=3),
            counters[1],
            _dense(1, 4),
        ],
        name="discriminator_of_small_gan",
    )
    model = AdversarialModel(
        build_gan(generator, discriminator, NormalLatent(2, seed=5)),
        player_params=dict(zip(names, (generator, discriminator), strict=True)),
    )
    adam = [keras.optimizers.Adam(0.01) for _ in names]
    _compile(model, strategy, adam, _GANLoss(zero_sum), kwargs)
    return SmallModel(model, 2, counters)


def small_chase(
    strategy: Any,
    names: Sequence[str],
    *,
    dtypes: Sequence[str] = ("float32",),
    zero_sum: bool = False,
    **kwargs: Any,
) -> SmallModel:
    """Makes a chase of any number of small networks, with Adam.

    Under `"mixed_float16"` the first loss scale is so large that the first
    steps overflow.

    Args:
        strategy: The strategy, unused.
        names: The names of the players.
        dtypes: The names of the policies of their layers, in turn.
        zero_sum: Whether the losses add up to zero.
        **kwargs: Arguments of `AdversarialModel.compile`.
    """
    x = keras.Input((2,))
    policies = dict(zip(names, cycle(dtypes), strict=False))
    nets = {
        name: _dense(
            2, i, activation="tanh", use_bias=False, dtype=dtype, name=name
        )
        for i, (name, dtype) in enumerate(policies.items())
    }
    model = AdversarialModel(
        keras.Model(x, [net(x) for net in nets.values()]), player_params=nets
    )
    adam: list[Any] = []
    for dtype in policies.values():
        adam.append(keras.optimizers.Adam(0.01))
        if dtype == "mixed_float16":
            adam[-1] = keras.optimizers.LossScaleOptimizer(
                adam[-1], initial_scale=HALF_SCALE
            )
    _compile(model, strategy, adam, _ChaseLoss(zero_sum), kwargs)
    return SmallModel(model, 2)


class _GANLoss(AdversarialLoss):
    def __init__(self, zero_sum: bool) -> None:
        self.zero_sum = zero_sum

    def call(self, outputs: Any, targets: Any = None) -> list[Tensor]:
        yfake, yreal = outputs
        told = ops.softplus(yfake) + ops.softplus(-yreal)
        return [-told if self.zero_sum else ops.softplus(-yfake), told]


class _ChaseLoss(AdversarialLoss):
    """Each is drawn to the next, which is driven away, and to zero."""

    def __init__(self, zero_sum: bool) -> None:
        self.zero_sum = zero_sum

    def call(self, outputs: Any, targets: Any = None) -> list[Tensor]:
        each = [ops.cast(y, "float32") for y in keras.tree.flatten(outputs)]
        ring = [
            ops.sum(each[i - 1] * each[i], axis=-1) for i in range(len(each))
        ]
        around = [*ring[1:], ring[0]]
        losses = [a - b for a, b in zip(around, ring, strict=True)]
        if len(each) < 3:
            losses = [ring[0], -ring[0]][: len(each)]
        if self.zero_sum:
            return losses
        own = [0.1 * ops.sum(y**2, axis=-1) for y in each]
        return [a + b for a, b in zip(losses, own, strict=True)]


def _dense(units: int, seed: int, **kwargs: Any) -> layers.Dense:
    start = keras.initializers.GlorotUniform(seed=seed)
    return layers.Dense(units, kernel_initializer=start, **kwargs)


def _compile(
    model: AdversarialModel,
    strategy: Any,
    optimizers: Any,
    loss: AdversarialLoss,
    kwargs: dict[str, Any],
) -> None:
    jit = jit_of_traced_steps()
    kwargs = {"jit_compile": jit, "on_nonfinite": "warn", **kwargs}
    model.compile(strategy, optimizers, loss, **kwargs)
