"""Least squares in place of cross-entropies."""

from __future__ import annotations

from typing import Any

from adversarial.losses.gan_loss import SeparableLoss
from adversarial.losses.named_loss import Names
from adversarial.registry import register

Tensor = Any


@register("losses")
class LeastSquares(SeparableLoss):
    """Pulls scores towards numbers for "fake" and "real".

    It also moves samples that are on the right side of the decision but far
    from it, and its gradient does not fade there. Usual for images to images
    (CycleGAN, pix2pixHD).

        generator:      1/2 (D(G(z)) - c)^2
        discriminator:  1/2 (D(x) - b)^2 + 1/2 (D(G(z)) - a)^2

    Two choices are published: a, b, c = 0, 1, 1 (the default), and -1, 1, 0,
    which minimises a Pearson chi^2 divergence (b - c = 1, b - a = 2). Where
    the discriminator cannot tell, D = (a + b)/2: with the default 1/8 for the
    generator and 1/4 for the discriminator, with the other 0 and 1.

    Facts: not zero-sum; gradients grow with the score, which must not be
    squashed. Smoothed labels are other numbers: `b=0.9`.

    Args:
        a: What the discriminator wants to say of fake samples.
        b: What it wants to say of real ones.
        c: What the generator wants it to say of fake ones.
        real: The output with the scores of real samples.
        fake: The output with the scores of generated samples.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that scores them; or a list.

    Example:

    >>> import numpy
    >>> from adversarial.losses import LeastSquares
    >>> half = numpy.full((8, 1), 0.5)
    >>> found = LeastSquares()(
    ...     ["generator", "discriminator"], {"yreal": half, "yfake": half}
    ... )
    >>> {name: float(loss) for name, loss in found.items()}
    {'generator': 0.125, 'discriminator': 0.25}

    References:
        - Mao et al., Least Squares Generative Adversarial Networks, ICCV
          2017, arXiv 1611.04076, equations 2, 8 and 9.
    """

    def __init__(
        self,
        a: float = 0.0,
        b: float = 1.0,
        c: float = 1.0,
        *,
        real: str = "yreal",
        fake: str = "yfake",
        generator: Names = "generator",
        discriminator: Names = "discriminator",
    ) -> None:
        super().__init__(
            real=real,
            fake=fake,
            generator=generator,
            discriminator=discriminator,
        )
        self.a = a
        self.b = b
        self.c = c

    def on_real(self, score: Tensor) -> Tensor:
        """Returns 1/2 (s - b)^2."""
        return 0.5 * (score - self.b) ** 2

    def on_fake(self, score: Tensor) -> Tensor:
        """Returns 1/2 (s - a)^2."""
        return 0.5 * (score - self.a) ** 2

    def on_generated(self, score: Tensor) -> Tensor:
        """Returns 1/2 (s - c)^2."""
        return 0.5 * (score - self.c) ** 2
