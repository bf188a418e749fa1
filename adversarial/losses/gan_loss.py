"""The base classes of losses on the scores of real and fake samples."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from adversarial.errors import unknown
from adversarial.losses.named_loss import NamedLoss, Names, listed
from adversarial.losses.seen import Seen, per_sample

if TYPE_CHECKING:
    from adversarial.losses.score_loss import ScoreLoss

Tensor = Any


class GANLoss(NamedLoss):
    """What generator and discriminator make of a pair of scores.

    Scores are not squashed: logits, or whatever the loss calls a score. They
    have the shape (batch, 1), (batch,), or (batch, height, width, 1) for a
    critic of patches, whose losses (not scores) are averaged per sample.
    Scores in half precision are taken in float32.

    Args:
        real: The output with the scores of real samples.
        fake: The output with the scores of generated samples.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that scores them; or a list.
    """

    def __init__(
        self,
        *,
        real: str = "yreal",
        fake: str = "yfake",
        generator: Names = "generator",
        discriminator: Names = "discriminator",
    ) -> None:
        self.real = real
        self.fake = fake
        self.generator = generator
        self.discriminator = discriminator

    @property
    def roles(self) -> Mapping[str, Callable[[Seen], Tensor]]:
        """What the generator and the discriminator minimise."""
        return {
            "generator": lambda seen: self.of_generator(*self.pair(seen)),
            "discriminator": lambda seen: self.of_discriminator(
                *self.pair(seen)
            ),
        }

    @abc.abstractmethod
    def pair(self, seen: Seen) -> tuple[Tensor, ...]:
        """Reads the scores of real and of fake samples."""

    @abc.abstractmethod
    def of_generator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Returns the generator's loss per sample."""

    @abc.abstractmethod
    def of_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Returns the discriminator's loss per sample."""

    @abc.abstractmethod
    def per_output(self, player: str) -> ScoreLoss:
        """Returns the loss of one player as a Keras loss with targets.

        Args:
            player: The name of a player of this loss.

        Raises:
            ValueError: for another player, or if the loss cannot be written
                as a loss per output.
        """


class SeparableLoss(GANLoss):
    """A GAN loss that has one term on real and one on fake scores."""

    @abc.abstractmethod
    def on_real(self, score: Tensor) -> Tensor:
        """Returns the discriminator's loss on real scores, elementwise."""

    @abc.abstractmethod
    def on_fake(self, score: Tensor) -> Tensor:
        """Returns the discriminator's loss on fake scores, elementwise."""

    @abc.abstractmethod
    def on_generated(self, score: Tensor) -> Tensor:
        """Returns the generator's loss on fake scores, elementwise."""

    def pair(self, seen: Seen) -> tuple[Tensor, ...]:
        """Reads the scores, which may differ in their patches."""
        return seen.pair(self.real, self.fake, alike=False)

    def of_generator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Returns the mean of `on_generated` per sample."""
        return per_sample(self.on_generated(fake))

    def of_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Returns the mean of `on_real` plus that of `on_fake`."""
        return per_sample(self.on_real(real)) + per_sample(self.on_fake(fake))

    def per_output(self, player: str) -> ScoreLoss:
        """Returns the loss of one player as a Keras loss with targets.

        Targets are those of `adversarial.builders.gan_targets`: 1 where the
        player wants a score to say "real", 0 where it wants "fake".

            generator:      target * on_generated(score)
            discriminator:  target * on_real(score)
                            + (1 - target) * on_fake(score)

        Args:
            player: The name of a player of this loss.

        Raises:
            ValueError: for another player.
        """
        from adversarial.losses.score_loss import ScoreLoss

        known = [*listed(self.generator), *listed(self.discriminator)]
        if player not in known:
            raise unknown(f"player of `{type(self).__name__}`", player, known)
        return ScoreLoss(self, player)
