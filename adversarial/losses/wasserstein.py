"""The loss of Wasserstein GANs."""

from __future__ import annotations

from typing import Any

from adversarial.losses.gan_loss import SeparableLoss
from adversarial.registry import register

Tensor = Any


@register("losses")
class Wasserstein(SeparableLoss):
    """Makes the critic's mean scores of real and fake samples differ.

    Only of use with a critic whose slope is bounded: by a gradient penalty,
    spectral normalisation or clipped weights. Without one the critic's loss
    falls without end. Then minus the critic's loss estimates the Wasserstein
    distance, so that it can be watched.

        generator:      -D(G(z))
        discriminator:  D(G(z)) - D(x)

    Where the critic cannot tell, D is some constant s: -s for the generator,
    0 for the discriminator.

    Facts: zero-sum up to the real term, which does not depend on the
    generator; linear in the scores. Give the critic several moves per move of
    the generator (`Scheduled`).

    Args:
        real: The output with the scores of real samples.
        fake: The output with the scores of generated samples.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that scores them; or a list.

    Example:

    >>> import numpy
    >>> from adversarial.losses import Wasserstein
    >>> scores = {"yreal": numpy.full(8, 3.0), "yfake": numpy.full(8, 1.0)}
    >>> found = Wasserstein()(["generator", "discriminator"], scores)
    >>> {name: float(loss) for name, loss in found.items()}
    {'generator': -1.0, 'discriminator': -2.0}

    References:
        - Arjovsky, Chintala, Bottou, Wasserstein Generative Adversarial
          Networks, ICML 2017, arXiv 1701.07875, equation 2, algorithm 1.
    """

    def on_real(self, score: Tensor) -> Tensor:
        """Returns -s."""
        return -score

    def on_fake(self, score: Tensor) -> Tensor:
        """Returns s."""
        return score

    def on_generated(self, score: Tensor) -> Tensor:
        """Returns -s."""
        return -score
