"""The base class of losses about the classes of real and fake samples."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from typing import Any

from adversarial.losses.class_labels import one_hot_labels, raw_labels
from adversarial.losses.named_loss import NamedLoss, Names
from adversarial.losses.seen import Seen

Tensor = Any


class ConditionalLoss(NamedLoss):
    """A loss that reads labels of the real and of the generated samples.

    Args:
        real: The output about real samples.
        fake: The output about generated samples.
        labels: The output that passes the labels of the real samples through;
            `None` for the targets, `fit(x, labels)`.
        fake_labels: The output with the labels that the generated samples
            were made for; `None` if they are those of the real samples.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that judges them; or a list.
    """

    def __init__(
        self,
        *,
        real: str,
        fake: str,
        labels: str | None = None,
        fake_labels: str | None = None,
        generator: Names = "generator",
        discriminator: Names = "discriminator",
    ) -> None:
        self.real = real
        self.fake = fake
        self.labels = labels
        self.fake_labels = fake_labels
        self.generator = generator
        self.discriminator = discriminator

    @property
    def roles(self) -> Mapping[str, Callable[[Seen], Tensor]]:
        """What the generator and the discriminator minimise."""
        return {
            "generator": self.of_generator,
            "discriminator": self.of_discriminator,
        }

    @abc.abstractmethod
    def of_generator(self, seen: Seen) -> Tensor:
        """Returns the generator's loss per sample."""

    @abc.abstractmethod
    def of_discriminator(self, seen: Seen) -> Tensor:
        """Returns the discriminator's loss per sample."""

    def real_rows(self, seen: Seen, classes: int) -> Tensor:
        """Returns the labels of the real samples, one-hot."""
        return one_hot_labels(seen, "labels", self.labels, classes)

    def fake_rows(self, seen: Seen, classes: int) -> Tensor:
        """Returns the labels of the generated samples, one-hot."""
        if self.fake_labels is None:
            return self.real_rows(seen, classes)
        return one_hot_labels(seen, "fake_labels", self.fake_labels, classes)

    def real_classes(self, seen: Seen) -> Tensor:
        """Returns the labels of the real samples, as they came."""
        return raw_labels(seen, "labels", self.labels)

    def fake_classes(self, seen: Seen) -> Tensor:
        """Returns the labels of the generated samples, as they came."""
        if self.fake_labels is None:
            return self.real_classes(seen)
        return raw_labels(seen, "fake_labels", self.fake_labels)
