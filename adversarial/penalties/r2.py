"""R2: a zero-centred gradient penalty on generated samples."""

from __future__ import annotations

from typing import ClassVar

from adversarial.penalties.network_penalty import (
    Network,
    NetworkPenalty,
    Samples,
    Tensor,
)
from adversarial.penalties.slopes import squared_norms
from adversarial.registry import register


@register("penalties")
class R2(NetworkPenalty):
    """Half the squared slope of the discriminator at generated samples.

    When you want it: beside `R1`. Where only real samples are held flat, the
    discriminator may grow steep at generated ones, in few dimensions at first.

        r2 = 1/2 |d D(g) / d g|^2      for each generated sample g = G(z)

    Facts:
        The same formula as `R1`, at the other samples. It depends on the
        generator through g, and its full derivatives are kept: give it to the
        discriminator alone, as `losses.Penalty` does, and the generator is
        not moved by it. Costs what `R1` costs. See `NetworkPenalty` for what
        all penalties have in common.

    Args:
        network: The built discriminator.
        interval: Every how many steps the penalty is computed, above 0. It is
            multiplied by `interval` then, so that its mean over the steps is
            that of `interval=1`.
        output: The name or the number of the output that is differentiated;
            `None` if there is one only.
        **kwargs: Arguments of `keras.layers.Layer`, without `dtype`.

    Raises:
        TypeError: if `network` is no layer; for samples that are no floats.
        ValueError: for a network that is not built or has no such output, an
            `interval` that is not positive, a `dtype`, and scores that are not
            one per sample or patch.

    Input: generated samples, shape (batch, ...), floats; or a list or dict of
    such. `given`: further inputs of the network.
    Output: shape (batch,), float32 at least.

    Example:

    >>> import keras, numpy
    >>> from adversarial.penalties import R2
    >>> start = keras.initializers.Constant(2.0)
    >>> dense = keras.layers.Dense(1, kernel_initializer=start)
    >>> discriminator = keras.Sequential([keras.Input((3,)), dense])
    >>> R2(discriminator)(numpy.ones((2, 3), "float32")).numpy().tolist()
    [6.0, 6.0]

    References:
        - Mescheder, Geiger, Nowozin, Which Training Methods for GANs do
          actually Converge?, ICML 2018, arXiv 1801.04406, section 4.1.
        - Huang, Gokaslan, Kuleshov, Tompkin, The GAN is dead; long live the
          GAN! A Modern Baseline GAN, NeurIPS 2024, arXiv 2501.05441.
    """

    reads: ClassVar[str] = "fake"

    def penalty(
        self, samples: Samples, network: Network, training: bool
    ) -> Tensor:
        """Returns half the squared slope."""
        slopes = self.slopes(lambda x: self.score(network, x), samples)
        return 0.5 * squared_norms(slopes)
