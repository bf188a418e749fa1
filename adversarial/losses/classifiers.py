"""Terms of classifiers that go with a GAN loss: AC, twin AC, ADC."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keras import ops

from adversarial.losses.class_labels import (
    class_scores,
    cross_entropy,
    one_hot_labels,
)
from adversarial.losses.conditional_loss import ConditionalLoss
from adversarial.losses.named_loss import NamedLoss, Names, check_count
from adversarial.losses.seen import Seen
from adversarial.registry import register

Tensor = Any


@register("losses")
class AuxiliaryClassifier(ConditionalLoss):
    """Adds a classifier to the discriminator: the term of AC-GAN.

    The discriminator has a second output, logits of classes, and both players
    want it to be right. Added to a loss of the source it is AC-GAN:
    `NonSaturating() + AuxiliaryClassifier(10)`.

        generator:      -log p(y' | G(z))
        discriminator:  -log p(y | x) - log p(y' | G(z))

    with p = softmax of the logits, y the label of a real sample and y' that
    for which a fake one was made. 0 where classes can be told with certainty;
    log K and 2 log K where they cannot be told at all.

    Facts: a cross-entropy of logits, finite at any finite logit. It rewards
    samples that are easy to classify, at the cost of variety within a class;
    the other terms here mend that.

    Args:
        classes: The number K of classes.
        real: The output with the K logits of real samples.
        fake: The output with the K logits of generated samples.
        labels: The output that passes the labels (0 to K - 1) of the real
            samples through; `None` for the targets, `fit(x, labels)`.
        fake_labels: The output with the labels that the generated samples
            were made for; `None` if they are those of the real samples.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that owns the classifier; or a list.

    Raises:
        ValueError: for fewer than two classes; when called, for outputs
            without K scores, for missing labels, and, run eagerly, for labels
            out of range (in a compiled step these make the loss NaN, which is
            refused as a game that has diverged).

    Example:

    >>> import numpy
    >>> from adversarial.losses import AuxiliaryClassifier
    >>> logits = {"creal": numpy.zeros((2, 4)), "cfake": numpy.zeros((2, 4))}
    >>> loss, labels = AuxiliaryClassifier(4), numpy.array([0, 3])
    >>> found = loss(["generator", "discriminator"], logits, labels)
    >>> {name: round(float(value), 4) for name, value in found.items()}
    {'generator': 1.3863, 'discriminator': 2.7726}

    References:
        - Odena, Olah, Shlens, Conditional Image Synthesis with Auxiliary
          Classifier GANs, ICML 2017, arXiv 1610.09585, equation 3.
    """

    def __init__(
        self,
        classes: int,
        *,
        real: str = "creal",
        fake: str = "cfake",
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
        """Returns the cross-entropy of the generated samples."""
        k = self.classes
        logits = class_scores(seen, "fake", self.fake, k, "one per class")
        return cross_entropy(self.fake_rows(seen, k), logits)

    def of_discriminator(self, seen: Seen) -> Tensor:
        """Returns the cross-entropies of real and of generated samples."""
        k = self.classes
        logits = class_scores(seen, "real", self.real, k, "one per class")
        on_real = cross_entropy(self.real_rows(seen, k), logits)
        return on_real + self.of_generator(seen)


@register("losses")
class TwinAuxiliaryClassifier(NamedLoss):
    """Adds the second classifier of TAC-GAN, which only knows fakes.

    It learns the classes of generated samples, and the generator keeps it from
    succeeding, which takes back the reward for samples that are easy to
    classify:
    `NonSaturating() + AuxiliaryClassifier(10) + TwinAuxiliaryClassifier(10)`.

        generator:  log q(y' | G(z))
        twin:       -log q(y' | G(z))

    with q = softmax of the twin's logits and y' the label for which a sample
    was made. Zero-sum: plus and minus the entropy of y' given a sample, which
    is log K where fakes of all classes are alike.

    Facts: zero-sum; the generator's part has no lower bound, so that weights
    below 1 are usual.

    Args:
        classes: The number K of classes.
        fake: The output with the twin's K logits of generated samples.
        labels: The output with the labels that the generated samples were
            made for; `None` for the targets, `fit(x, labels)`.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        twin: The player that owns the twin, usually the discriminator; or a
            list.

    Raises:
        ValueError: as `AuxiliaryClassifier`.

    Example:

    >>> import numpy
    >>> from adversarial.losses import TwinAuxiliaryClassifier
    >>> loss, logits = TwinAuxiliaryClassifier(4), numpy.zeros((2, 4))
    >>> players, labels = ["generator", "discriminator"], numpy.array([0, 3])
    >>> found = loss(players, {"tfake": logits}, labels)
    >>> {name: round(float(value), 4) for name, value in found.items()}
    {'generator': -1.3863, 'discriminator': 1.3863}

    References:
        - Gong et al., Twin Auxiliary Classifiers GAN, NeurIPS 2019,
          arXiv 1907.02690, equation 6.
    """

    def __init__(
        self,
        classes: int,
        *,
        fake: str = "tfake",
        labels: str | None = None,
        generator: Names = "generator",
        twin: Names = "discriminator",
    ) -> None:
        check_count(classes)
        self.classes = classes
        self.fake = fake
        self.labels = labels
        self.generator = generator
        self.twin = twin

    @property
    def roles(self) -> Mapping[str, Callable[[Seen], Tensor]]:
        """What the generator and the twin minimise."""
        return {
            "generator": lambda seen: -self._of_twin(seen),
            "twin": self._of_twin,
        }

    def _of_twin(self, seen: Seen) -> Tensor:
        k = self.classes
        logits = class_scores(seen, "fake", self.fake, k, "one per class")
        rows = one_hot_labels(seen, "labels", self.labels, k)
        return cross_entropy(rows, logits)


@register("losses")
class AuxiliaryDiscriminativeClassifier(ConditionalLoss):
    """Adds a classifier that tells real from fake within each class.

    The term of ADC-GAN. Where AC-GAN's classifier knows nothing of real and
    fake, this one has two logits per class, one for real and one for fake
    samples of it, and the generator raises the first against the second:
    `NonSaturating() + AuxiliaryDiscriminativeClassifier(10)`.

        generator:      -log p(y'+ | G(z)) + log p(y'- | G(z))
        discriminator:  -log p(y+ | x) - log p(y'- | G(z))

    with p = softmax over the 2 K logits. Where the classifier cannot tell
    real from fake, p(y+) = p(y-): 0 for the generator; for the discriminator
    2 log 2 plus twice the entropy of the label of a sample.

    Facts: in the generator's loss the normalisation cancels: it is the
    difference of two logits. Finite at any finite logit.

    Args:
        classes: The number K of classes.
        real: The output with the 2 K logits of real samples: first K for
            real, then K for fake samples.
        fake: The output with the 2 K logits of generated samples.
        labels: The output that passes the labels (0 to K - 1) of the real
            samples through; `None` for the targets, `fit(x, labels)`.
        fake_labels: The output with the labels that the generated samples
            were made for; `None` if they are those of the real samples.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that owns the classifier; or a list.

    Raises:
        ValueError: as `AuxiliaryClassifier`.

    Example:

    >>> import numpy
    >>> from adversarial.losses import AuxiliaryDiscriminativeClassifier
    >>> logits = {"creal": numpy.zeros((2, 6)), "cfake": numpy.zeros((2, 6))}
    >>> loss, labels = AuxiliaryDiscriminativeClassifier(3), numpy.arange(2)
    >>> found = loss(["generator", "discriminator"], logits, labels)
    >>> {name: round(float(value), 4) for name, value in found.items()}
    {'generator': 0.0, 'discriminator': 3.5835}

    References:
        - Hou et al., Conditional GANs with Auxiliary Discriminative
          Classifier, ICML 2022, arXiv 2107.10060, section 4.
    """

    def __init__(
        self,
        classes: int,
        *,
        real: str = "creal",
        fake: str = "cfake",
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
        """Returns the logit of being fake less that of being real."""
        rows, logits = self._fakes(seen)
        k = self.classes
        rows = ops.cast(rows, logits.dtype)
        return ops.sum(rows * (logits[:, k:] - logits[:, :k]), axis=-1)

    def of_discriminator(self, seen: Seen) -> Tensor:
        """Returns the cross-entropies over real and fake classes."""
        rows, logits = self._fakes(seen)
        none = ops.zeros_like(rows)
        on_fake = cross_entropy(ops.concatenate([none, rows], 1), logits)
        logits = self._logits(seen, "real")
        rows = self.real_rows(seen, self.classes)
        none = ops.zeros_like(rows)
        on_real = cross_entropy(ops.concatenate([rows, none], 1), logits)
        return on_real + on_fake

    def _fakes(self, seen: Seen) -> tuple[Tensor, Tensor]:
        return self.fake_rows(seen, self.classes), self._logits(seen, "fake")

    def _logits(self, seen: Seen, argument: str) -> Tensor:
        why = f"two for each of {self.classes} classes, real and fake"
        name = getattr(self, argument)
        return class_scores(seen, argument, name, 2 * self.classes, why)
