"""Losses on how much more real one score is than another."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, NoReturn

from keras import ops

from adversarial.errors import conversation
from adversarial.losses.gan_loss import GANLoss
from adversarial.losses.named_loss import Names, check_choice
from adversarial.losses.seen import Seen, per_sample
from adversarial.registry import register

Tensor = Any
CONTRASTS: dict[str, Callable[[Tensor], Tensor]] = {
    "logistic": lambda t: ops.softplus(-t),
    "least_squares": lambda t: (t - 1) ** 2,
    "hinge": lambda t: ops.relu(1 - t),
}
"""What a difference of scores costs a player that wants it to be large."""


class Relativistic(GANLoss):
    """A GAN loss on differences of real and fake scores.

    Args:
        contrast: `"logistic"`, `"least_squares"` or `"hinge"`.
        real: The output with the scores of real samples.
        fake: The output with the scores of generated samples.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that scores them; or a list.

    Raises:
        ValueError: for an unknown contrast.
    """

    def __init__(
        self,
        contrast: str = "logistic",
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
        check_choice("contrast", contrast, list(CONTRASTS))
        self.contrast = contrast

    @abc.abstractmethod
    def prefer(self, high: Tensor, low: Tensor) -> Tensor:
        """Returns the loss per sample of whoever wants `high` above `low`."""

    def pair(self, seen: Seen) -> tuple[Tensor, ...]:
        """Reads the scores, which must have one shape."""
        return seen.pair(self.real, self.fake, alike=True)

    def of_generator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Returns the loss per sample of wanting fake above real."""
        return self.prefer(fake, real)

    def of_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Returns the loss per sample of wanting real above fake."""
        return self.prefer(real, fake)

    def per_output(self, player: str) -> NoReturn:
        """Is not possible: every term compares a real and a fake score.

        Raises:
            ValueError: always.
        """
        name = type(self).__name__
        raise ValueError(
            conversation(
                f"`{name}` cannot be written as a loss per output: every term "
                "compares a real score with a fake one.",
                received=f"`per_output({player!r})`.",
                fix=f"pass `loss={name}()` to `compile`, or take a loss with "
                "separate terms, such as `NonSaturating`.",
            )
        )


@register("losses")
class RelativisticPaired(Relativistic):
    """Makes each real score exceed that of the fake sample next to it.

    With R1 and R2 penalties the recommended start for a new GAN: a
    discriminator that must rank pairs cannot give up on a part of the data,
    which counters the loss of modes.

        generator:      f(D(G(z)) - D(x))
        discriminator:  f(D(x) - D(G(z)))

    with f(t) = softplus(-t) (`"logistic"`), (t - 1)^2 (`"least_squares"`) or
    max(0, 1 - t) (`"hinge"`). Pairs are formed by position in the batch, and
    by patch. Where the discriminator cannot tell, all scores are equal: f(0)
    for both players, that is log 2, 1 or 1.

    Facts: the logistic form is finite at any finite score; the players' losses
    are each other's mirror image, but their sum is not constant; only
    differences of scores matter.

    Args:
        contrast: `"logistic"`, `"least_squares"` or `"hinge"`.
        real: The output with the scores of real samples.
        fake: The output with the scores of generated samples, as many.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that scores them; or a list.

    Raises:
        ValueError: for an unknown contrast; when called, if there are not as
            many fake as real scores.

    Example:

    >>> import numpy
    >>> from adversarial.losses import RelativisticPaired
    >>> scores = {"yreal": numpy.full(8, 3.0), "yfake": numpy.full(8, 3.0)}
    >>> found = RelativisticPaired()(["generator", "discriminator"], scores)
    >>> {name: round(float(loss), 4) for name, loss in found.items()}
    {'generator': 0.6931, 'discriminator': 0.6931}

    References:
        - Jolicoeur-Martineau, The Relativistic Discriminator, ICLR 2019,
          arXiv 1807.00734, section 4.1.
        - Huang et al., The GAN Is Dead; Long Live the GAN!, NeurIPS 2024,
          arXiv 2501.05441, equation 2 (with R1 and R2).
    """

    def prefer(self, high: Tensor, low: Tensor) -> Tensor:
        """Returns f(high - low), averaged over patches."""
        return per_sample(CONTRASTS[self.contrast](high - low))


@register("losses")
class RelativisticAverage(Relativistic):
    """Compares each score with the mean score of the other kind.

    The relativistic loss of super-resolution (ESRGAN). Real samples take part
    in the generator's loss too, so that it also learns from them.

        generator:      f(D(G(z)) - E D(x)) + f(E D(G(z)) - D(x))
        discriminator:  f(D(x) - E D(G(z))) + f(E D(x) - D(G(z)))

    with f(t) = softplus(-t) (`"logistic"`), (t - 1)^2 (`"least_squares"`) or
    max(0, 1 - t) (`"hinge"`), and E the mean over the batch and, in a critic
    of patches, over all patches. Gradients flow through E. Where the
    discriminator cannot tell, all scores are equal: 2 f(0) for both players,
    that is 2 log 2, 2 or 2.

    Facts: the logistic form is finite at any finite score; the losses depend
    on the batch as a whole (sample weights weigh the terms, not E).

    Args:
        contrast: `"logistic"`, `"least_squares"` or `"hinge"`.
        real: The output with the scores of real samples.
        fake: The output with the scores of generated samples, as many.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that scores them; or a list.

    Raises:
        ValueError: for an unknown contrast; when called, if there are not as
            many fake as real scores.

    Example:

    >>> import numpy
    >>> from adversarial.losses import RelativisticAverage
    >>> scores = {"yreal": numpy.full(8, 3.0), "yfake": numpy.full(8, 3.0)}
    >>> found = RelativisticAverage()(["generator", "discriminator"], scores)
    >>> {name: round(float(loss), 4) for name, loss in found.items()}
    {'generator': 1.3863, 'discriminator': 1.3863}

    References:
        - Jolicoeur-Martineau, The Relativistic Discriminator, ICLR 2019,
          arXiv 1807.00734, section 4.2.

    Differs from the paper: its published code halves both losses.
    """

    def prefer(self, high: Tensor, low: Tensor) -> Tensor:
        """Returns f(high - E low) + f(E high - low), averaged over patches."""
        f = CONTRASTS[self.contrast]
        above, below = f(high - ops.mean(low)), f(ops.mean(high) - low)
        return per_sample(above) + per_sample(below)
