"""The hinge loss of a critic of classes."""

from __future__ import annotations

from typing import Any

from keras import ops

from adversarial.losses.class_labels import class_scores
from adversarial.losses.conditional_loss import ConditionalLoss
from adversarial.losses.named_loss import Names, check_count
from adversarial.losses.seen import Seen
from adversarial.registry import register

Tensor = Any
FAR = 1e30
"""Further below than any score that float32 can be added to."""


@register("losses")
class MultiClassHinge(ConditionalLoss):
    """Lets one critic tell the K classes, and fakes as one class more.

    For class-conditional generators: the critic ends in K + 1 scores, the
    last for "fake", and there is no other output.

        generator:      max(0, 1 - D_y(G(z)) + max_(k != y) D_k(G(z)))
        discriminator:  max(0, 1 - D_y(x)    + max_(k != y) D_k(x))
                        + max(0, 1 - D_F(G(z)) + max_(k != F) D_k(G(z)))

    with the label y of each sample and F the last class. Where the critic
    cannot tell, all its scores are equal: 1 for the generator, 2 for the
    discriminator.

    Facts: only differences of scores matter; of the wrong classes only the
    best has a gradient.

    Args:
        classes: The number K of classes, without the fake one.
        real: The output with the K + 1 scores of real samples.
        fake: The output with the K + 1 scores of generated samples.
        labels: The output that passes the labels (0 to K - 1) of the real
            samples through; `None` for the targets, `fit(x, labels)`.
        fake_labels: The output with the labels that the generated samples
            were made for; `None` if they are those of the real samples.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that scores them; or a list.

    Raises:
        ValueError: for fewer than two classes; when called, for outputs
            without K + 1 scores, for missing labels, and, run eagerly, for
            labels out of range (in a compiled step these make the loss NaN,
            which is refused as a game that has diverged).

    Example:

    >>> import numpy
    >>> from adversarial.losses import MultiClassHinge
    >>> scores = {"yreal": numpy.zeros((2, 4)), "yfake": numpy.zeros((2, 4))}
    >>> loss, labels = MultiClassHinge(3), numpy.array([0, 2])
    >>> found = loss(["generator", "discriminator"], scores, labels)
    >>> {name: float(value) for name, value in found.items()}
    {'generator': 1.0, 'discriminator': 2.0}

    References:
        - Crammer, Singer, On the Algorithmic Implementation of Multiclass
          Kernel-based Vector Machines, JMLR 2, 2001.
        - Kavalerov, Czaja, Chellappa, A Multi-Class Hinge Loss for
          Conditional GANs, WACV 2021, arXiv 1912.04216.
    """

    def __init__(
        self,
        classes: int,
        *,
        real: str = "yreal",
        fake: str = "yfake",
        labels: str | None = None,
        fake_labels: str | None = None,
        generator: Names = "generator",
        discriminator: Names = "discriminator",
    ) -> None:
        super().__init__(
            real=real,
            fake=fake,
            labels=labels,
            fake_labels=fake_labels,
            generator=generator,
            discriminator=discriminator,
        )
        check_count(classes)
        self.classes = classes

    def of_generator(self, seen: Seen) -> Tensor:
        """Returns the hinge of taking fakes for what they were made for."""
        rows = self.fake_rows(seen, self.classes)
        return _hinge(self._scores(seen, "fake"), _widened(rows, 0))

    def of_discriminator(self, seen: Seen) -> Tensor:
        """Returns the hinges of knowing real classes, and fakes as fakes."""
        real, fake = self._scores(seen, "real"), self._scores(seen, "fake")
        known = _widened(self.real_rows(seen, self.classes), 0)
        unmasked = _widened(ops.zeros_like(fake[:, :-1]), 1)
        return _hinge(real, known) + _hinge(fake, unmasked)

    def _scores(self, seen: Seen, argument: str) -> Tensor:
        why = f"one for each of {self.classes} classes, one for fakes"
        name = getattr(self, argument)
        return class_scores(seen, argument, name, self.classes + 1, why)


def _widened(rows: Tensor, last: float) -> Tensor:
    """Adds a last column."""
    return ops.concatenate([rows, ops.zeros_like(rows[:, :1]) + last], axis=1)


def _hinge(scores: Tensor, rows: Tensor) -> Tensor:
    rows = ops.cast(rows, scores.dtype)
    right = ops.sum(rows * scores, axis=-1)
    wrong = ops.max(scores - FAR * rows, axis=-1)
    return ops.relu(1 - right + wrong)
