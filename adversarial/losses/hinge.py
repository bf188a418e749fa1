"""The hinge loss of GANs."""

from __future__ import annotations

from typing import Any

from keras import ops

from adversarial.losses.gan_loss import SeparableLoss
from adversarial.registry import register

Tensor = Any


@register("losses")
class Hinge(SeparableLoss):
    """Lets the discriminator rest once it is right by a margin.

    Usual with spectral normalisation, and for large images (SN-GAN, SAGAN,
    BigGAN). The generator's loss has no hinge: a sample is pushed on however
    well it does.

        generator:      -D(G(z))
        discriminator:  max(0, 1 - D(x)) + max(0, 1 + D(G(z)))

    Where the discriminator cannot tell it minimises its loss with any
    constant score s in [-1, 1]: -s for the generator, 2 for the
    discriminator.

    Facts: not zero-sum; the discriminator's gradient is 0 for samples beyond
    the margin, the generator's is -1 per score everywhere.

    `compile(loss="hinge")` is Keras' own hinge loss on targets of -1 and 1;
    for this one write `loss=adversarial.losses.Hinge()`.

    Args:
        real: The output with the scores of real samples.
        fake: The output with the scores of generated samples.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that scores them; or a list.

    Example:

    >>> import numpy
    >>> from adversarial.losses import Hinge
    >>> half = numpy.full((8, 1), 0.5)
    >>> found = Hinge()(
    ...     ["generator", "discriminator"], {"yreal": half, "yfake": half}
    ... )
    >>> {name: float(loss) for name, loss in found.items()}
    {'generator': -0.5, 'discriminator': 2.0}

    References:
        - Lim, Ye, Geometric GAN, 2017, arXiv 1705.02894.
        - Miyato et al., Spectral Normalization for Generative Adversarial
          Networks, ICLR 2018, arXiv 1802.05957, equations 16 and 17.
    """

    def on_real(self, score: Tensor) -> Tensor:
        """Returns max(0, 1 - s)."""
        return ops.relu(1 - score)

    def on_fake(self, score: Tensor) -> Tensor:
        """Returns max(0, 1 + s)."""
        return ops.relu(1 + score)

    def on_generated(self, score: Tensor) -> Tensor:
        """Returns -s."""
        return -score
