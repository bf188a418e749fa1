"""The maximum gradient penalty of Lipschitz GANs."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from adversarial.penalties.network_penalty import (
    Network,
    NetworkPenalty,
    Samples,
    Tensor,
)
from adversarial.penalties.slopes import between, pair_of, squared_norms
from adversarial.registry import register


@register("penalties")
class MaxGradientPenalty(NetworkPenalty):
    """Pulls down the steepest slope of a critic between the samples.

    When you want it: to keep the Lipschitz constant of a critic small with any
    loss, without asking for a slope of 1 everywhere.

        m = x + u (g - x),  u ~ U[0, 1), one number for each pair (x, g)
        max_gradient_penalty = max over the batch of |d D(m) / d m|^2

    Facts:
        Every sample is given the maximum, so that the mean over the batch is
        the maximum. Its gradient is that of the steepest sample; several that
        are equally steep share it. Across replicas it is the mean of each
        one's maximum. See `NetworkPenalty` for what all penalties have in
        common.

    Args:
        network: The built critic.
        seed: An integer for reproducible draws of u, or `None`.
        **kwargs: `interval`, `output` and what else `NetworkPenalty` takes.

    Raises:
        TypeError: if `network` is no layer; for samples that are no floats.
        ValueError: for what `NetworkPenalty` refuses, and for real and
            generated samples of different shapes.

    Input: a list of real and generated samples, each (batch, ...), floats, or
    each a list or dict of such. `given`: further inputs of the network.
    Output: shape (batch,), float32 at least.

    Example:

    >>> import keras, numpy
    >>> from adversarial.penalties import MaxGradientPenalty
    >>> start = keras.initializers.Constant(2.0)
    >>> dense = keras.layers.Dense(1, kernel_initializer=start)
    >>> critic = keras.Sequential([keras.Input((4,)), dense])
    >>> real, fake = (numpy.full((2, 4), x, "float32") for x in (0, 1))
    >>> MaxGradientPenalty(critic)([real, fake]).numpy().tolist()
    [16.0, 16.0]

    References:
        - Zhou et al., Lipschitz Generative Adversarial Nets, ICML 2019, arXiv
          1902.05687.
    """

    reads: ClassVar[str] = "both"

    def __init__(
        self, network: keras.Layer, *, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(network, **kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def penalty(
        self, samples: Samples, network: Network, training: bool
    ) -> Tensor:
        """Returns the largest squared slope, for every sample."""
        pair = pair_of("MaxGradientPenalty", samples)
        mixed = between(*pair, self.seed_generator)
        slopes = self.slopes(lambda x: self.score(network, x), mixed)
        squares = squared_norms(slopes)
        return ops.broadcast_to(ops.max(squares), ops.shape(squares))

    def compute_output_spec(
        self, inputs: Samples, given: Any = None, training: bool = False
    ) -> keras.KerasTensor:
        """Returns the shape (batch,)."""
        pair_of("MaxGradientPenalty", inputs)
        return super().compute_output_spec(inputs, given, training)

    def own_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments without `network`."""
        return {**super().own_config(), "seed": self.seed}
