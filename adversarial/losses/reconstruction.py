"""Losses on samples that should come out as others: cycles and identities."""

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
from adversarial.losses.seen import Seen, check_same, per_sample
from adversarial.registry import register

Tensor = Any
DISTANCES = {"l1": ops.absolute, "l2": ops.square}
"""What a difference of two numbers costs."""


class Reconstruction(NamedLoss):
    """The distance of pairs of outputs, summed over the pairs.

    Args:
        samples: The output with samples; or a list.
        images: The output with what should equal them; or a list as long.
        distance: `"l1"` for absolute values, `"l2"` for squares.
        generator: The player that makes the images; or a list of players that
            all minimise the sum.

    Raises:
        ValueError: for lists of different lengths or an unknown distance.
    """

    def __init__(
        self,
        samples: Names,
        images: Names,
        *,
        distance: str = "l1",
        generator: Names = "generator",
    ) -> None:
        check_layers(samples, images)
        check_choice("distance", distance, list(DISTANCES))
        self.samples = samples
        self.images = images
        self.distance = distance
        self.generator = generator

    @property
    def roles(self) -> Mapping[str, Callable[[Seen], Tensor]]:
        """What the generators minimise."""
        return {"generator": self._distance}

    def _distance(self, seen: Seen) -> Tensor:
        total: Tensor = 0.0
        pairs = zip(listed(self.samples), listed(self.images), strict=True)
        for names in pairs:
            x, image = (
                seen.read(argument, name)
                for argument, name in zip(
                    ("samples", "images"), names, strict=True
                )
            )
            check_same(seen.reader, names, tuple(x.shape), tuple(image.shape))
            total += per_sample(DISTANCES[self.distance](x - image))
        return total


@register("losses")
class CycleConsistency(Reconstruction):
    """Makes a sample come back from a journey through two generators.

    The term that lets CycleGAN learn from images without pairs:
    `LeastSquares(...) + LeastSquares(...) + 10.0 *
    CycleConsistency(["x", "y"], ["x_again", "y_again"], generator=["G", "F"])`.

        generator:  mean |F(G(x)) - x| + mean |G(F(y)) - y|

    and nothing for the discriminators; or squares, with `distance="l2"`.
    0 where every sample comes back.

    Facts: a mean over all numbers of a sample, then a sum over the pairs; all
    generators minimise the same number.

    Args:
        samples: The output with samples, any shape; or a list.
        images: The output with what they came back as; or a list as long.
        distance: `"l1"` for absolute values, `"l2"` for squares.
        generator: The player that makes the journey; or a list of players
            that all minimise the sum.

    Raises:
        ValueError: for lists of different lengths or an unknown distance;
            when called, for shapes that differ.

    Example:

    >>> from adversarial.losses import CycleConsistency
    >>> outputs = {"x": [[1.0, 2.0]], "back": [[1.5, 2.5]]}
    >>> found = CycleConsistency("x", "back")(["generator"], outputs)
    >>> float(found["generator"])
    0.5

    References:
        - Zhu et al., Unpaired Image-to-Image Translation using
          Cycle-Consistent Adversarial Networks, ICCV 2017, arXiv 1703.10593,
          equation 2.

    Differs from the paper: means, as in its published code, not norms.
    """


@register("losses")
class Identity(Reconstruction):
    """Makes a generator leave alone what is already as it should be.

    CycleGAN's term that keeps colours: a generator from X to Y is shown
    samples of Y. Half the weight of the cycle is usual.

        generator:  mean |G(y) - y|, summed over the generators

    and nothing for the discriminators; or squares, with `distance="l2"`.
    0 where every sample stays as it is.

    Facts: a mean over all numbers of a sample, then a sum over the pairs; all
    generators minimise the same number.

    Args:
        samples: The output with samples, any shape; or a list.
        images: The output with what was made of them; or a list as long.
        distance: `"l1"` for absolute values, `"l2"` for squares.
        generator: The player that makes the images; or a list of players that
            all minimise the sum.

    Raises:
        ValueError: for lists of different lengths or an unknown distance;
            when called, for shapes that differ.

    Example:

    >>> from adversarial.losses import Identity
    >>> outputs = {"y": [[1.0, 2.0]], "same": [[1.0, 2.5]]}
    >>> found = Identity("y", "same")(["generator"], outputs)
    >>> float(found["generator"])
    0.25

    References:
        - Taigman, Polyak, Wolf, Unsupervised Cross-Domain Image Generation,
          ICLR 2017, arXiv 1611.02200.
        - Zhu et al., Unpaired Image-to-Image Translation using
          Cycle-Consistent Adversarial Networks, ICCV 2017, arXiv 1703.10593,
          section 5.2.
    """
