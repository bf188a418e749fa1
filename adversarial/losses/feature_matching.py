"""Losses on features of real and fake samples."""

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
from adversarial.losses.seen import Seen, check_same, per_sample
from adversarial.registry import register

Tensor = Any


def _of_means(real: Tensor, fake: Tensor) -> Tensor:
    means = ops.mean(rows(real), axis=0), ops.mean(rows(fake), axis=0)
    return ops.sum((means[0] - means[1]) ** 2)


def _of_pairs(real: Tensor, fake: Tensor) -> Tensor:
    return per_sample(ops.absolute(real - fake))


MATCHES = {"means": _of_means, "pairs": _of_pairs}
"""How far features of real and of fake samples are apart."""


@register("losses")
class FeatureMatching(NamedLoss):
    """Makes the features of fake samples those of real ones.

    A term for the generator, which gives it a steadier aim than the score
    alone: `NonSaturating() + FeatureMatching("hreal", "hfake")`. Features are
    outputs of layers of the discriminator, or of any network.

        generator:  sum_l |mean h_l(x) - mean h_l(G(z))|^2    `match="means"`
                    sum_l mean |h_l(x) - h_l(G(z))|           `match="pairs"`

    and nothing for the discriminator. The first compares batches, its means
    are over samples; the second compares each fake sample with the real one
    at its place in the batch, for generators that were given a real sample to
    work from (pix2pixHD), and its mean is over the numbers of a layer. 0
    where the features agree.

    Facts: only the generator minimises it; the gradient of the real features
    does not concern the generator. `"means"` is a scalar, so that it takes no
    sample weights.

    Args:
        real: The output with features of real samples, (batch, ...); or a
            list, one per layer.
        fake: The output with those of generated samples; or a list as long.
        match: `"means"` or `"pairs"`.
        generator: The player that makes samples; or a list of players that
            all minimise the sum.

    Raises:
        ValueError: for lists of different lengths or an unknown `match`; when
            called, for shapes that differ.

    Example:

    >>> from adversarial.losses import FeatureMatching
    >>> outputs = {"hreal": [[1.0], [3.0]], "hfake": [[4.0], [0.0]]}
    >>> players = ["generator"]
    >>> float(FeatureMatching()(players, outputs)["generator"])
    0.0
    >>> float(FeatureMatching(match="pairs")(players, outputs)["generator"])
    3.0

    References:
        - Salimans et al., Improved Techniques for Training GANs, NIPS 2016,
          arXiv 1606.03498, section 3.1.
        - Wang et al., High-Resolution Image Synthesis and Semantic
          Manipulation with Conditional GANs, CVPR 2018, arXiv 1711.11585,
          equation 4.
    """

    def __init__(
        self,
        real: Names = "hreal",
        fake: Names = "hfake",
        *,
        match: str = "means",
        generator: Names = "generator",
    ) -> None:
        check_layers(real, fake)
        check_choice("match", match, list(MATCHES))
        self.real = real
        self.fake = fake
        self.match = match
        self.generator = generator

    @property
    def roles(self) -> Mapping[str, Callable[[Seen], Tensor]]:
        """What the generator minimises."""
        return {"generator": self._distance}

    def _distance(self, seen: Seen) -> Tensor:
        total: Tensor = 0.0
        for names in zip(listed(self.real), listed(self.fake), strict=True):
            real = seen.read("real", names[0])
            fake = seen.read("fake", names[1])
            check_same(seen.reader, names, tuple(real.shape), tuple(fake.shape))
            total += MATCHES[self.match](real, fake)
        return total
