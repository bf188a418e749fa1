"""The losses of the first GANs: binary cross-entropies of logits."""

from __future__ import annotations

from typing import Any

from keras import ops

from adversarial.arguments import checked_number
from adversarial.losses.gan_loss import SeparableLoss
from adversarial.losses.named_loss import Names
from adversarial.registry import register

Tensor = Any


class Logistic(SeparableLoss):
    """The discriminator's cross-entropy, with smoothed labels.

    Args:
        real: The output with the logits of real samples.
        fake: The output with the logits of generated samples.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that scores them; or a list.
        smooth_real: By how much the label 1 of real samples is lowered, from
            0 to below 0.5.
        smooth_fake: By how much the label 0 of fake samples is raised, from
            0 to below 0.5.

    Raises:
        ValueError: if a smoothing is out of its range.
    """

    def __init__(
        self,
        *,
        real: str = "yreal",
        fake: str = "yfake",
        generator: Names = "generator",
        discriminator: Names = "discriminator",
        smooth_real: float = 0.0,
        smooth_fake: float = 0.0,
    ) -> None:
        super().__init__(
            real=real,
            fake=fake,
            generator=generator,
            discriminator=discriminator,
        )
        self.smooth_real = checked_number(
            "smooth_real", smooth_real, least=0, below=0.5
        )
        self.smooth_fake = checked_number(
            "smooth_fake", smooth_fake, least=0, below=0.5
        )

    # softplus(s) - softplus(-s) = s, so a smoothed label adds a line.
    def on_real(self, score: Tensor) -> Tensor:
        """Returns softplus(-s) + smooth_real s."""
        loss = ops.softplus(-score)
        return loss + self.smooth_real * score if self.smooth_real else loss

    def on_fake(self, score: Tensor) -> Tensor:
        """Returns softplus(s) - smooth_fake s."""
        loss = ops.softplus(score)
        return loss - self.smooth_fake * score if self.smooth_fake else loss


@register("losses")
class NonSaturating(Logistic):
    """Makes the generator raise the logit of its samples.

    The usual first choice: the discriminator's cross-entropy, and for the
    generator the same with the label turned round, so that it learns most
    where the discriminator is surest.

        generator:      softplus(-D(G(z)))                = -log p(G(z))
        discriminator:  softplus(-D(x)) + softplus(D(G(z)))

    where p = sigmoid(D) and softplus(s) = log(1 + e^s). Where the
    discriminator cannot tell, p = 1/2: log 2 for the generator, 2 log 2 for
    the discriminator.

    Facts: not zero-sum; gradients of the generator stay in [0, 1] per score
    and do not vanish where it loses; finite at any finite logit.

    Args:
        real: The output with the logits of real samples.
        fake: The output with the logits of generated samples.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that scores them; or a list.
        smooth_real: By how much the discriminator's label 1 of real samples
            is lowered, from 0 to below 0.5. One-sided smoothing, of 0.1 say,
            is what is recommended.
        smooth_fake: By how much its label 0 of fake samples is raised. It
            rewards the generator for staying where it is: leave it at 0.

    Raises:
        ValueError: if a smoothing is out of its range.

    Example:

    >>> import numpy
    >>> from adversarial.losses import NonSaturating
    >>> scores = {"yreal": numpy.zeros((8, 1)), "yfake": numpy.zeros((8, 1))}
    >>> found = NonSaturating()(["generator", "discriminator"], scores)
    >>> {name: round(float(loss), 4) for name, loss in found.items()}
    {'generator': 0.6931, 'discriminator': 1.3863}

    References:
        - Goodfellow et al., Generative Adversarial Nets, NIPS 2014,
          arXiv 1406.2661, section 3.
        - Salimans et al., Improved Techniques for Training GANs, NIPS 2016,
          arXiv 1606.03498, section 3.4 (one-sided label smoothing).
    """

    def on_generated(self, score: Tensor) -> Tensor:
        """Returns softplus(-s)."""
        return ops.softplus(-score)


@register("losses")
class Minimax(Logistic):
    """Makes the generator undo what the discriminator minimises.

    The game of the theory: zero-sum, and the generator's gradient vanishes
    where the discriminator is sure of its samples ("saturates"). For training
    prefer `NonSaturating`.

        generator:      -softplus(D(G(z)))                = log(1 - p(G(z)))
        discriminator:  softplus(-D(x)) + softplus(D(G(z)))

    where p = sigmoid(D). Where the discriminator cannot tell, p = 1/2:
    -log 2 for the generator, 2 log 2 for the discriminator.

    Facts: zero-sum up to the real term, which does not depend on the
    generator, smoothed labels included; finite at any finite logit.

    Args:
        real: The output with the logits of real samples.
        fake: The output with the logits of generated samples.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that scores them; or a list.
        smooth_real: By how much the label 1 of real samples is lowered, from
            0 to below 0.5.
        smooth_fake: By how much the label 0 of fake samples is raised, for
            both players.

    Raises:
        ValueError: if a smoothing is out of its range.

    Example:

    >>> import numpy
    >>> from adversarial.losses import Minimax
    >>> scores = {"yreal": numpy.zeros((8, 1)), "yfake": numpy.zeros((8, 1))}
    >>> found = Minimax()(["generator", "discriminator"], scores)
    >>> {name: round(float(loss), 4) for name, loss in found.items()}
    {'generator': -0.6931, 'discriminator': 1.3863}

    References:
        - Goodfellow et al., Generative Adversarial Nets, NIPS 2014,
          arXiv 1406.2661, equation 1.
    """

    def on_generated(self, score: Tensor) -> Tensor:
        """Returns what the discriminator minimises, with the sign changed."""
        return -self.on_fake(score)
