"""A loss that holds two outputs together: consistency regularisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keras import ops

from adversarial.losses.named_loss import (
    NamedLoss,
    Names,
    check_choice,
    check_layers,
    listed,
)
from adversarial.losses.rows import rows
from adversarial.losses.seen import Seen, check_same
from adversarial.registry import register

Tensor = Any
REDUCTIONS = {"mean": ops.mean, "sum": ops.sum}
"""What becomes of the squares of one sample."""


@register("losses")
class Consistency(NamedLoss):
    """Makes two outputs agree, such as scores of a sample and of a copy of it.

    When you want it: a discriminator that overfits should not care how a
    sample is shifted or flipped. Score the samples and augmented copies of
    them in the base model, and add the term to the discriminator's loss.

        player:  sum over pairs of mean (first - second)^2

    for each sample, the mean over all its numbers; or their sum,
    |first - second|^2, with `reduction="sum"`. 0 where both agree. With
    `real_moved` the score of an augmented real sample, `fake_moved` that of an
    augmented fake one, and `yfake_near` the score of G(z + noise):

        CR     w Consistency("yreal", "real_moved")
        bCR    ... + w Consistency("yfake", "fake_moved")
        zCR    w Consistency("yfake", "yfake_near")
               - v Consistency("xfake", "xfake_near", player="generator")

    where the second term of zCR, on the samples themselves, has the generator
    tell latents apart that lie close together. For scores, one number a
    sample, mean and sum are the same.

    Facts: the gradient flows into both outputs, of the player's parameters
    only: a discriminator that minimises a term on fake samples leaves the
    generator alone. Each sample has its own value, so that sample weights
    apply. A negative weight pushes apart, without a bound: keep it small.

    Args:
        first: An output of any shape (batch, ...); or a list.
        second: The output that should equal it; or a list as long.
        player: The player that minimises the term; or a list of players.
        reduction: `"mean"` or `"sum"`, over the numbers of one sample.

    Raises:
        ValueError: for lists of different lengths or an unknown reduction;
            when called, for shapes that differ.

    Example:

    >>> from adversarial.losses import Consistency
    >>> outputs = {"yreal": [[1.0], [2.0]], "real_moved": [[1.0], [4.0]]}
    >>> loss = 10.0 * Consistency("yreal", "real_moved")
    >>> float(loss(["discriminator"], outputs)["discriminator"])
    20.0

    References:
        - Zhang, Zhang, Odena, Lee, Consistency Regularization for Generative
          Adversarial Networks, ICLR 2020, arXiv 1910.12027 (CR).
        - Zhao, Singh, Lee, Zhang, Odena, Zhang, Improved Consistency
          Regularization for GANs, AAAI 2021, arXiv 2002.04724 (bCR, zCR).

    Differs from the papers: they write squared norms also for images; the
    default is a mean, so that a weight means the same at any resolution.
    """

    def __init__(
        self,
        first: Names,
        second: Names,
        *,
        player: Names = "discriminator",
        reduction: str = "mean",
    ) -> None:
        check_layers(first, second)
        check_choice("reduction", reduction, list(REDUCTIONS))
        self.first = first
        self.second = second
        self.player = player
        self.reduction = reduction

    @property
    def roles(self) -> Mapping[str, Callable[[Seen], Tensor]]:
        """What the player minimises."""
        return {"player": self._distance}

    def _distance(self, seen: Seen) -> Tensor:
        reduced = REDUCTIONS[self.reduction]
        total: Tensor = 0.0
        pairs = zip(listed(self.first), listed(self.second), strict=True)
        for names in pairs:
            a = seen.read("first", names[0])
            b = seen.read("second", names[1])
            check_same(seen.reader, names, tuple(a.shape), tuple(b.shape))
            total += reduced(rows(ops.square(a - b)), axis=-1)
        return total
