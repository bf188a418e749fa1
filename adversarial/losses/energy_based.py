"""Losses on energies: EBGAN and its pulling-away term."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keras import ops

from adversarial.arguments import checked_number
from adversarial.losses.gan_loss import SeparableLoss
from adversarial.losses.named_loss import NamedLoss, Names
from adversarial.losses.rows import cosines, rows
from adversarial.losses.seen import Seen
from adversarial.registry import register

Tensor = Any


@register("losses")
class EnergyBased(SeparableLoss):
    """Makes the energy of fake samples at least a margin.

    For a discriminator that is an autoencoder: its score is an energy,
    usually the reconstruction error of a sample, low for real samples. Add
    `0.1 * PullingAway(...)` against collapse.

        generator:      D(G(z))
        discriminator:  D(x) + max(0, m - D(G(z)))

    Where the discriminator cannot tell, D is some constant s in [0, m]: s for
    the generator, m for the discriminator.

    Facts: unlike other scores, an energy is low for real samples; the
    discriminator's gradient is 0 for fake samples above the margin.

    Args:
        margin: The number m > 0, in the unit of the energy.
        real: The output with the energies of real samples, one per sample;
            sum or average a reconstruction error over its pixels first.
        fake: The output with the energies of generated samples.
        generator: The player that makes samples; or a list of players that
            all minimise its loss.
        discriminator: The player that scores them; or a list.

    Raises:
        ValueError: if the margin is not positive.

    Example:

    >>> import numpy
    >>> from adversarial.losses import EnergyBased
    >>> energies = {"yreal": numpy.full(8, 2.0), "yfake": numpy.full(8, 2.0)}
    >>> found = EnergyBased(10.0)(["generator", "discriminator"], energies)
    >>> {name: float(loss) for name, loss in found.items()}
    {'generator': 2.0, 'discriminator': 10.0}

    References:
        - Zhao, Mathieu, LeCun, Energy-based Generative Adversarial Network,
          ICLR 2017, arXiv 1609.03126, equations 1 and 2.
    """

    def __init__(
        self,
        margin: float,
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
        self.margin = checked_number("margin", margin, above=0)

    def on_real(self, score: Tensor) -> Tensor:
        """Returns s."""
        return score

    def on_fake(self, score: Tensor) -> Tensor:
        """Returns max(0, m - s)."""
        return ops.relu(self.margin - score)

    def on_generated(self, score: Tensor) -> Tensor:
        """Returns s."""
        return score


@register("losses")
class PullingAway(NamedLoss):
    """Makes the features of a batch of fake samples orthogonal.

    A term against collapse, for the generator; made for `EnergyBased`, of use
    with any loss: `EnergyBased(10.0) + 0.1 * PullingAway("hfake")`.

        generator:      1 / (N (N - 1)) sum_i sum_(j != i) cos(h_i, h_j)^2

    where h_i are the features of sample i of N, flattened. 0 if all are
    orthogonal, 1 if all are parallel.

    Facts: needs two samples or more, and is 0 for one; each sample has its
    own share, the mean over j, so that sample weights apply.

    Args:
        fake: The output with features of generated samples, such as the
            encoding of an autoencoder, shape (batch, ...).
        generator: The player that makes samples; or a list of players.

    Example:

    >>> from adversarial.losses import PullingAway
    >>> same = PullingAway("h")(["generator"], {"h": [[1.0, 0.0], [2.0, 0.0]]})
    >>> float(same["generator"])
    1.0

    References:
        - Zhao, Mathieu, LeCun, Energy-based Generative Adversarial Network,
          ICLR 2017, arXiv 1609.03126, equation 4.
    """

    def __init__(
        self, fake: str = "hfake", *, generator: Names = "generator"
    ) -> None:
        self.fake = fake
        self.generator = generator

    @property
    def roles(self) -> Mapping[str, Callable[[Seen], Tensor]]:
        """What the generator minimises."""
        return {"generator": self._pull_away}

    def _pull_away(self, seen: Seen) -> Tensor:
        h = rows(seen.read("fake", self.fake))
        squares = cosines(h, h) ** 2
        n = ops.shape(h)[0]
        others = squares * (1 - ops.eye(n, dtype=h.dtype))
        pairs = ops.cast(ops.maximum(n - 1, 1), h.dtype)
        return ops.sum(others, axis=1) / pairs
