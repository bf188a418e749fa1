"""The gradient penalty of WGAN-GP."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from adversarial.arguments import checked_flag
from adversarial.penalties.checks import check_range
from adversarial.penalties.network_penalty import (
    Network,
    NetworkPenalty,
    Samples,
    Tensor,
)
from adversarial.penalties.slopes import between, norms, pair_of
from adversarial.registry import register


@register("penalties")
class GradientPenalty(NetworkPenalty):
    """Holds the slope of a critic at 1 between real and generated samples.

    When you want it: with `losses.Wasserstein`, weight 10 and several moves of
    the critic per step, for a critic whose loss measures a distance.

        m = x + u (g - x),  u ~ U[0, 1), one number for each pair (x, g)
        gradient_penalty = (|d D(m) / d m| - target)^2
        one-sided:         max(0, |d D(m) / d m| - target)^2

    Facts:
        The norm is that of each sample alone; the mean over the batch is
        taken of the squares. Where a slope is zero, its norm counts as one
        that cannot be changed: derivatives are 0, not NaN. Gradients flow
        through m to the generator, of which the critic's loss makes no use.
        See `NetworkPenalty` for what all penalties have in common.

    Args:
        network: The built critic.
        target: The slope that is wanted, from 0: the critic is to be steep by
            it everywhere between the samples.
        one_sided: Whether lower slopes are free.
        seed: An integer for reproducible draws of u, or `None`.
        **kwargs: `interval`, `output` and what else `NetworkPenalty` takes.

    Raises:
        TypeError: if `network` is no layer; for samples that are no floats.
        ValueError: if `target` is negative, for what `NetworkPenalty` refuses,
            and for real and generated samples of different shapes.

    Input: a list of real and generated samples, each (batch, ...), floats, or
    each a list or dict of such. `given`: further inputs of the network.
    Output: shape (batch,), float32 at least.

    Example:

    >>> import keras, numpy
    >>> from adversarial.penalties import GradientPenalty
    >>> start = keras.initializers.Constant(2.0)
    >>> dense = keras.layers.Dense(1, kernel_initializer=start)
    >>> critic = keras.Sequential([keras.Input((4,)), dense])
    >>> real, fake = (numpy.full((2, 4), x, "float32") for x in (0, 1))
    >>> GradientPenalty(critic)([real, fake]).numpy().tolist()
    [9.0, 9.0]

    References:
        - Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, Improved Training
          of Wasserstein GANs, NeurIPS 2017, arXiv 1704.00028, section 4,
          algorithm 1.
        - Petzka, Fischer, Lukovnikov, On the Regularization of Wasserstein
          GANs, ICLR 2018, arXiv 1709.08894: one-sided.
    """

    reads: ClassVar[str] = "both"

    def __init__(
        self,
        network: keras.Layer,
        target: float = 1.0,
        one_sided: bool = False,
        *,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(network, **kwargs)
        self.target = check_range("target", target, 0.0)
        self.one_sided = checked_flag("one_sided", one_sided)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def penalty(
        self, samples: Samples, network: Network, training: bool
    ) -> Tensor:
        """Returns the squared distance of the slope from the target."""
        mixed = between(
            *pair_of("GradientPenalty", samples), self.seed_generator
        )
        slopes = self.slopes(lambda x: self.score(network, x), mixed)
        excess = norms(slopes) - self.target
        return (ops.relu(excess) if self.one_sided else excess) ** 2

    def compute_output_spec(
        self, inputs: Samples, given: Any = None, training: bool = False
    ) -> keras.KerasTensor:
        """Returns the shape (batch,)."""
        pair_of("GradientPenalty", inputs)
        return super().compute_output_spec(inputs, given, training)

    def own_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments without `network`."""
        own = {
            "target": self.target,
            "one_sided": self.one_sided,
            "seed": self.seed,
        }
        return {**super().own_config(), **own}
