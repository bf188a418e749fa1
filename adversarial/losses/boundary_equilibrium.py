"""BEGAN: a loss on energies, and the layer that keeps their balance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from adversarial.arguments import checked_number
from adversarial.losses.named_loss import NamedLoss, Names
from adversarial.losses.seen import Seen, at_least_float32, per_sample
from adversarial.registry import PACKAGE, register

Tensor = Any


@register("losses")
class BoundaryEquilibrium(NamedLoss):
    """Keeps the energies of real and fake samples in a fixed proportion.

    For a discriminator that is an autoencoder with the reconstruction error
    as its energy D, low for real samples. How much it attends to fakes is a
    number k that an `EquilibriumBalance` in the discriminator moves, so that
    neither player wins.

        generator:      D(G(z))
        discriminator:  D(x) - k D(G(z))

    At the equilibrium E D(G(z)) = gamma E D(x): gamma e for the generator,
    (1 - k gamma) e for the discriminator, with e = E D(x).

    Facts: no gradient flows into k; linear in the energies.

    Args:
        real: The output with the energies of real samples, (batch, 1).
        fake: The output with the energies of generated samples.
        balance: The output with k, that of an `EquilibriumBalance`.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that owns the autoencoder and the balance;
            or a list.

    Example:

    >>> import numpy
    >>> from adversarial.losses import BoundaryEquilibrium
    >>> numbers = {"yreal": 3.0, "yfake": 2.0, "balance": 0.5}
    >>> outputs = {name: numpy.full((4, 1), x) for name, x in numbers.items()}
    >>> found = BoundaryEquilibrium()(["generator", "discriminator"], outputs)
    >>> {name: float(loss) for name, loss in found.items()}
    {'generator': 2.0, 'discriminator': 2.0}

    References:
        - Berthelot, Schumm, Metz, BEGAN: Boundary Equilibrium Generative
          Adversarial Networks, 2017, arXiv 1703.10717, section 3.4.

    Differs from the paper: one batch of latents for both players.
    """

    def __init__(
        self,
        *,
        real: str = "yreal",
        fake: str = "yfake",
        balance: str = "balance",
        generator: Names = "generator",
        discriminator: Names = "discriminator",
    ) -> None:
        self.real = real
        self.fake = fake
        self.balance = balance
        self.generator = generator
        self.discriminator = discriminator

    @property
    def roles(self) -> Mapping[str, Callable[[Seen], Tensor]]:
        """What the generator and the discriminator minimise."""
        return {
            "generator": lambda seen: self._energies(seen)[1],
            "discriminator": self._told,
        }

    def _energies(self, seen: Seen) -> list[Tensor]:
        pair = seen.pair(self.real, self.fake, alike=False)
        return [per_sample(x) for x in pair]

    def _told(self, seen: Seen) -> Tensor:
        real, fake = self._energies(seen)
        k = per_sample(seen.score("balance", self.balance))
        return real - ops.stop_gradient(ops.cast(k, fake.dtype)) * fake


@keras.saving.register_keras_serializable(package=PACKAGE)
class EquilibriumBalance(keras.layers.Layer):  # type: ignore[misc]
    """Keeps the number k of BEGAN, and moves it once per training step.

        k <- min(1, max(0, k + rate (gamma E D(x) - E D(G(z)))))

    Put it into one model with the discriminator's layers, called on both
    energies, so that it belongs to the discriminator: then k is updated by
    the discriminator's own move, never by a virtual evaluation, and it is
    saved with the model. The step itself is made with the k from before it.

    Args:
        gamma: The wanted proportion of fake to real energy, above 0: the
            lower, the sharper and the less varied the samples.
        rate: How fast k moves, above 0.
        start: The first k, from 0 to 1.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if a number is out of its range.

    Input: a list of the energies of real and of fake samples, (batch, 1).
    Output: k for every sample, shape (batch, 1).

    Example:

    >>> import numpy
    >>> from adversarial.losses import EquilibriumBalance
    >>> balance = EquilibriumBalance(gamma=0.5, rate=0.1)
    >>> energies = [numpy.full((2, 1), 4.0), numpy.full((2, 1), 1.0)]
    >>> k = balance(energies, training=True)
    >>> float(k[0, 0]), round(float(balance.k.value), 4)
    (0.0, 0.1)

    References:
        - Berthelot, Schumm, Metz, BEGAN: Boundary Equilibrium Generative
          Adversarial Networks, 2017, arXiv 1703.10717, section 3.4.
    """

    def __init__(
        self,
        gamma: float = 0.5,
        rate: float = 0.001,
        start: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.gamma = checked_number("gamma", gamma, above=0)
        self.rate = checked_number("rate", rate, above=0)
        self.start = checked_number("start", start, least=0, most=1)
        self.k = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(start),
            trainable=False,
            dtype=self.variable_dtype,
            name="k",
        )
        self.built = True

    def call(self, inputs: Sequence[Tensor], training: bool = False) -> Tensor:
        """Returns k, and in training moves it."""
        real, fake = (at_least_float32(x) for x in inputs)
        k = self.k + 0.0  # a tensor of its own, which the move leaves alone
        if training:
            error = self.gamma * ops.mean(real) - ops.mean(fake)
            step = self.rate * ops.cast(ops.stop_gradient(error), k.dtype)
            self.k.assign(ops.clip(k + step, 0.0, 1.0))
        rows = ops.shape(fake)[0]
        return ops.broadcast_to(ops.cast(k, self.compute_dtype), (rows, 1))

    def compute_output_spec(
        self, inputs: Any, training: bool = False
    ) -> keras.KerasTensor:
        """Returns the shape (batch, 1)."""
        return keras.KerasTensor((inputs[1].shape[0], 1), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"gamma": self.gamma, "rate": self.rate, "start": self.start}
        return {**super().get_config(), **own}
