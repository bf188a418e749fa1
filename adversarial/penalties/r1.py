"""R1: a zero-centred gradient penalty on real samples."""

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
class R1(NetworkPenalty):
    """Half the squared slope of the discriminator at real samples.

    When you want it: nearly always. It lets the discriminator come to rest
    where the samples are real, without which alternating training circles
    around the optimum or leaves it. With `R2` and a relativistic loss it is
    the recipe to begin with.

        r1 = 1/2 |d D(x) / d x|^2      for each real sample x

    Facts:
        The weight in the loss is the paper's gamma. Scores of patches are
        added up before they are differentiated. Costs a forward and two
        backward passes of the discriminator, of which the compiler may merge
        the forward one with the game's own. See `NetworkPenalty` for what all
        penalties have in common.

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

    Input: samples, shape (batch, ...), floats; or a list or dict of such, over
    all of which the norm is taken. `given`: further inputs of the network.
    Output: shape (batch,), float32 at least.

    Example:

    >>> import keras, numpy
    >>> from adversarial.penalties import R1
    >>> start = keras.initializers.Constant(2.0)
    >>> dense = keras.layers.Dense(1, kernel_initializer=start)
    >>> discriminator = keras.Sequential([keras.Input((3,)), dense])
    >>> R1(discriminator)(numpy.ones((2, 3), "float32")).numpy().tolist()
    [6.0, 6.0]

    References:
        - Mescheder, Geiger, Nowozin, Which Training Methods for GANs do
          actually Converge?, ICML 2018, arXiv 1801.04406, section 4.1.
        - Karras et al., Analyzing and Improving the Image Quality of
          StyleGAN, CVPR 2020, arXiv 1912.04958, section 3.1: every 16 steps.

    Differs from the paper: StyleGAN2 adapts the rates of Adam to the interval,
    too; that is left to you.
    """

    reads: ClassVar[str] = "real"

    def penalty(
        self, samples: Samples, network: Network, training: bool
    ) -> Tensor:
        """Returns half the squared slope."""
        slopes = self.slopes(lambda x: self.score(network, x), samples)
        return 0.5 * squared_norms(slopes)
