"""The gradient penalty of DRAGAN."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from adversarial.penalties.checks import check_range
from adversarial.penalties.network_penalty import (
    Network,
    NetworkPenalty,
    Samples,
    Tensor,
)
from adversarial.penalties.slopes import like, norms
from adversarial.registry import register


@register("penalties")
class DRAGAN(NetworkPenalty):
    """Holds the slope of a discriminator at 1 around the real samples.

    When you want it: with the non-saturating loss, weight 10, against mode
    collapse; it does not need generated samples.

        s = standard deviation of all numbers of the batch
        m = x + u strength s d,  u ~ U[0, 1), one number for each sample,
                                 d ~ U[0, 1), one for each of its numbers
        dragan = (|d D(m) / d m| - target)^2

    Facts:
        The norm is that of each sample alone. Where a slope is zero,
        derivatives are 0, not NaN. Of several tensors of samples each has its
        own standard deviation. See `NetworkPenalty` for what all penalties
        have in common.

    Args:
        network: The built discriminator.
        target: The slope that is wanted, from 0.
        strength: How far the samples are moved, in standard deviations, from
            0, at which they stay.
        seed: An integer for reproducible draws, or `None`.
        **kwargs: `interval`, `output` and what else `NetworkPenalty` takes.

    Raises:
        TypeError: if `network` is no layer; for samples that are no floats.
        ValueError: if `target` or `strength` is negative, and for what
            `NetworkPenalty` refuses.

    Input: real samples, shape (batch, ...), floats; or a list or dict of such.
    `given`: further inputs of the network.
    Output: shape (batch,), float32 at least.

    Example:

    >>> import keras, numpy
    >>> from adversarial.penalties import DRAGAN
    >>> start = keras.initializers.Constant(2.0)
    >>> dense = keras.layers.Dense(1, kernel_initializer=start)
    >>> discriminator = keras.Sequential([keras.Input((4,)), dense])
    >>> DRAGAN(discriminator)(numpy.eye(4, dtype="float32")).numpy().tolist()
    [9.0, 9.0, 9.0, 9.0]

    References:
        - Kodali, Abernethy, Hays, Kira, On Convergence and Stability of GANs,
          2017, arXiv 1705.07215.

    Differs from the paper: the paper moves samples by normal noise. This is
    the noise of the authors' code, which is uniform and never negative.
    """

    reads: ClassVar[str] = "real"

    def __init__(
        self,
        network: keras.Layer,
        target: float = 1.0,
        strength: float = 0.5,
        *,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(network, **kwargs)
        self.target = check_range("target", target, 0.0)
        self.strength = check_range("strength", strength, 0.0)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def penalty(
        self, samples: Samples, network: Network, training: bool
    ) -> Tensor:
        """Returns the squared distance of the slope from the target."""
        moved = self._moved(samples)
        slopes = self.slopes(lambda x: self.score(network, x), moved)
        return (norms(slopes) - self.target) ** 2

    def _moved(self, samples: Samples) -> Samples:
        first = keras.tree.flatten(samples)[0]
        rows = (ops.shape(first)[0],)
        u = keras.random.uniform(
            rows, dtype=first.dtype, seed=self.seed_generator
        )

        def moved(x: Tensor) -> Tensor:
            d = keras.random.uniform(
                ops.shape(x), dtype=x.dtype, seed=self.seed_generator
            )
            far = ops.cast(like(u, x), x.dtype) * self.strength
            return x + far * _deviation(x) * d

        return keras.tree.map_structure(moved, samples)

    def own_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments without `network`."""
        own = {
            "target": self.target,
            "strength": self.strength,
            "seed": self.seed,
        }
        return {**super().own_config(), **own}


def _deviation(x: Tensor) -> Tensor:
    """The standard deviation over the batch, a scalar."""
    centred = x - ops.mean(x)
    each = norms([ops.reshape(centred, (1, -1))])[0]
    return each / ops.sqrt(ops.cast(ops.size(x), x.dtype))
