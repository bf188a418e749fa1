"""Terms that contrast the samples of a batch by class: 2C and D2D-CE."""

from __future__ import annotations

import abc
from typing import Any

from keras import ops

from adversarial.arguments import checked_number
from adversarial.losses.conditional_loss import ConditionalLoss
from adversarial.losses.named_loss import Names
from adversarial.losses.rows import cosines, rows, unit
from adversarial.losses.seen import Seen, check_same
from adversarial.registry import register

Tensor = Any
NEVER = -1e9
"""What takes a number out of a sum of exponentials, without infinities."""


class Contrastive(ConditionalLoss):
    """A loss on the cosines between embeddings, and between them and proxies.

    Args:
        real: The output with embeddings of real samples.
        fake: The output with embeddings of generated samples.
        real_proxy: The output with the embeddings of the real labels.
        fake_proxy: The output with those of the labels of fake samples.
        temperature: What cosines are divided by, above 0.
        labels: The output that passes the labels of the real samples through;
            `None` for the targets.
        fake_labels: The output with the labels of the fake samples; `None` if
            they are those of the real ones.
        generator: The player that makes samples; or a list.
        discriminator: The player that owns the embedding; or a list.

    Raises:
        ValueError: if the temperature is not positive.
    """

    def __init__(
        self,
        *,
        real: str,
        fake: str,
        real_proxy: str,
        fake_proxy: str,
        temperature: float,
        labels: str | None,
        fake_labels: str | None,
        generator: Names,
        discriminator: Names,
    ) -> None:
        super().__init__(
            real=real,
            fake=fake,
            labels=labels,
            fake_labels=fake_labels,
            generator=generator,
            discriminator=discriminator,
        )
        self.real_proxy = real_proxy
        self.fake_proxy = fake_proxy
        self.temperature = checked_number("temperature", temperature, above=0)

    def of_generator(self, seen: Seen) -> Tensor:
        """Returns the contrast of the generated samples."""
        return self._contrast(seen, "fake", self.fake_classes(seen))

    def of_discriminator(self, seen: Seen) -> Tensor:
        """Returns the contrast of the real samples."""
        return self._contrast(seen, "real", self.real_classes(seen))

    @abc.abstractmethod
    def contrast(self, to_proxy: Tensor, between: Tensor, same: Any) -> Tensor:
        """Returns the loss per sample.

        Args:
            to_proxy: The cosines of samples and their proxies, (batch,).
            between: The cosines among samples, (batch, batch).
            same: Whether two samples have one class, (batch, batch).
        """

    def _contrast(self, seen: Seen, kind: str, labels: Tensor) -> Tensor:
        names = getattr(self, kind), getattr(self, f"{kind}_proxy")
        h = rows(seen.read(kind, names[0]))
        e = rows(seen.read(f"{kind}_proxy", names[1]))
        check_same(seen.reader, names, tuple(h.shape), tuple(e.shape))
        to_proxy = ops.sum(unit(h) * unit(e), axis=-1)
        same = ops.equal(labels[:, None], labels[None, :])
        return self.contrast(to_proxy, cosines(h, h), same)


@register("losses")
class ConditionalContrastive(Contrastive):
    """Adds the conditional contrastive term (2C) of ContraGAN.

    Pulls the embedding of a sample towards the embedding of its label and
    towards samples of its class, and away from the others. Each player has it
    on the samples that it answers for:
    `Hinge() + ConditionalContrastive()`.

        generator:      -log(A(G(z)) / (A(G(z)) + B(G(z))))
        discriminator:  -log(A(x) / (A(x) + B(x)))

        A(x_i) = exp(h_i.e_i / t) + sum_(k != i, y_k = y_i) exp(h_i.h_k / t)
        B(x_i) = sum_(k: y_k != y_i) exp(h_i.h_k / t)

    with embeddings h of samples and e of labels, taken at length 1. Near 0
    where classes are apart; log(1 + n / m) where all embeddings are one, for
    n samples of other classes and m of its own.

    Facts: the losses depend on the batch as a whole; computed with logarithms
    of sums of exponentials, so that any temperature is safe.

    Args:
        real: The output with embeddings of real samples, (batch, d).
        fake: The output with embeddings of generated samples, (batch, d).
        real_proxy: The output with the embedding of each real sample's label,
            (batch, d), of a layer that the discriminator owns.
        fake_proxy: The output with that of each generated sample's label.
        temperature: What cosines are divided by, above 0: below 1 the nearest
            samples count most.
        labels: The output that passes the labels of the real samples through;
            `None` for the targets, `fit(x, labels)`.
        fake_labels: The output with the labels that the generated samples
            were made for; `None` if they are those of the real samples.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that owns the embeddings; or a list.

    Raises:
        ValueError: if the temperature is not positive; when called, for
            missing labels or shapes that differ.

    Example:

    >>> import numpy
    >>> from adversarial.losses import ConditionalContrastive
    >>> names = ("hreal", "hfake", "preal", "pfake")
    >>> outputs = dict.fromkeys(names, numpy.ones((4, 8)))
    >>> loss, labels = ConditionalContrastive(), numpy.array([0, 0, 1, 1])
    >>> found = loss(["generator", "discriminator"], outputs, labels)
    >>> {name: round(float(value), 4) for name, value in found.items()}
    {'generator': 0.6931, 'discriminator': 0.6931}

    References:
        - Kang, Park, ContraGAN: Contrastive Learning for Conditional Image
          Generation, NeurIPS 2020, arXiv 2006.12681, equation 8.
    """

    def __init__(
        self,
        *,
        real: str = "hreal",
        fake: str = "hfake",
        real_proxy: str = "preal",
        fake_proxy: str = "pfake",
        temperature: float = 1.0,
        labels: str | None = None,
        fake_labels: str | None = None,
        generator: Names = "generator",
        discriminator: Names = "discriminator",
    ) -> None:
        super().__init__(
            real=real,
            fake=fake,
            real_proxy=real_proxy,
            fake_proxy=fake_proxy,
            temperature=temperature,
            labels=labels,
            fake_labels=fake_labels,
            generator=generator,
            discriminator=discriminator,
        )

    def contrast(self, to_proxy: Tensor, between: Tensor, same: Any) -> Tensor:
        """Returns log(A + B) - log A."""
        proxy = ops.expand_dims(to_proxy, 1) / self.temperature
        among = between / self.temperature
        itself = ops.eye(ops.shape(among)[0], dtype="bool")
        others = ops.where(itself, NEVER, among)
        kin = ops.where(same, others, NEVER)
        everything = ops.concatenate([proxy, others], axis=1)
        attracted = ops.concatenate([proxy, kin], axis=1)
        return ops.logsumexp(everything, axis=1) - ops.logsumexp(
            attracted, axis=1
        )


@register("losses")
class DataToDataCrossEntropy(Contrastive):
    """Adds the data-to-data cross-entropy (D2D-CE) of ReACGAN.

    Like `ConditionalContrastive`, but samples of a class do not attract each
    other, and easy cases are left alone: those nearer to their proxy than one
    margin, and pairs of other classes further apart than the other:
    `Hinge() + 0.5 * DataToDataCrossEntropy()`.

        generator:      -log(P(G(z)) / (P(G(z)) + N(G(z))))
        discriminator:  -log(P(x) / (P(x) + N(x)))

        P(x_i) = exp(min(0, h_i.e_i - a) / t)
        N(x_i) = sum_(j: y_j != y_i) exp(max(0, h_i.h_j - b) / t)

    with embeddings h of samples and e of labels, taken at length 1. Where all
    is told apart by the margins it is log(1 + n), for n samples of other
    classes in the batch: easy cases have no gradient, but a loss.

    Facts: the losses depend on the batch as a whole; computed with logarithms
    of sums of exponentials, so that any temperature is safe.

    Args:
        real: The output with embeddings of real samples, (batch, d).
        fake: The output with embeddings of generated samples, (batch, d).
        real_proxy: The output with the embedding of each real sample's label,
            (batch, d), of a layer that the discriminator owns.
        fake_proxy: The output with that of each generated sample's label.
        temperature: What cosines are divided by, above 0.
        positive_margin: The cosine a to a proxy that is enough, -1 to 1.
        negative_margin: The cosine b to a sample of another class that is
            low enough, -1 to 1.
        labels: The output that passes the labels of the real samples through;
            `None` for the targets, `fit(x, labels)`.
        fake_labels: The output with the labels that the generated samples
            were made for; `None` if they are those of the real samples.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that owns the embeddings; or a list.

    Raises:
        ValueError: if the temperature is not positive or a margin no cosine;
            when called, for missing labels or shapes that differ.

    Example:

    >>> import numpy
    >>> from adversarial.losses import DataToDataCrossEntropy
    >>> names, apart = ("hreal", "hfake", "preal", "pfake"), numpy.eye(2)
    >>> loss, outputs = DataToDataCrossEntropy(), dict.fromkeys(names, apart)
    >>> found = loss(["generator", "discriminator"], outputs, numpy.arange(2))
    >>> {name: round(float(value), 4) for name, value in found.items()}
    {'generator': 0.6931, 'discriminator': 0.6931}

    References:
        - Kang et al., Rebooting ACGAN: Auxiliary Classifier GANs with Stable
          Training, NeurIPS 2021, arXiv 2111.01118, equation 7.
    """

    def __init__(
        self,
        *,
        real: str = "hreal",
        fake: str = "hfake",
        real_proxy: str = "preal",
        fake_proxy: str = "pfake",
        temperature: float = 0.5,
        positive_margin: float = 0.98,
        negative_margin: float = 0.02,
        labels: str | None = None,
        fake_labels: str | None = None,
        generator: Names = "generator",
        discriminator: Names = "discriminator",
    ) -> None:
        super().__init__(
            real=real,
            fake=fake,
            real_proxy=real_proxy,
            fake_proxy=fake_proxy,
            temperature=temperature,
            labels=labels,
            fake_labels=fake_labels,
            generator=generator,
            discriminator=discriminator,
        )
        self.positive_margin = checked_number(
            "positive_margin", positive_margin, least=-1, most=1
        )
        self.negative_margin = checked_number(
            "negative_margin", negative_margin, least=-1, most=1
        )

    def contrast(self, to_proxy: Tensor, between: Tensor, same: Any) -> Tensor:
        """Returns log(P + N) - log P."""
        t = self.temperature
        near = ops.minimum(to_proxy - self.positive_margin, 0) / t
        far = ops.maximum(between - self.negative_margin, 0) / t
        far = ops.where(same, NEVER, far)
        both = ops.concatenate([ops.expand_dims(near, 1), far], axis=1)
        return ops.logsumexp(both, axis=1) - near
