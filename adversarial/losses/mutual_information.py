"""The mutual information of InfoGAN."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from keras import ops

from adversarial.arguments import checked_number
from adversarial.errors import conversation, quoted
from adversarial.losses.class_labels import cross_entropy, one_hot_labels
from adversarial.losses.named_loss import NamedLoss, Names
from adversarial.losses.rows import rows
from adversarial.losses.seen import Seen, check_same
from adversarial.registry import register

Tensor = Any


@register("losses")
class MutualInformation(NamedLoss):
    """Makes a latent code readable from the samples made of it: InfoGAN.

    Some of the generator's inputs are a code c; a recogniser Q, a head of the
    discriminator, reads it off the samples, and both players want it to be
    right. One term per code, added to a GAN loss: `NonSaturating() +
    MutualInformation("digit", logits="digit_logits") + 0.1 *
    MutualInformation("style", mean="style_mean")`.

        generator:      -log Q(c | G(z, c))
        discriminator:  -log Q(c | G(z, c))

    A categorical code has logits: the cross-entropy, 0 where the code is
    known and log K where nothing is. A Gaussian one has a mean and a
    variance v, fixed or read off as well:

        -log Q = sum_d [ (c_d - mean_d)^2 / (2 v_d) + 1/2 log(2 pi v_d) ]

    that is 1/2 log(2 pi v) per number where the code is known. The mutual
    information is at least the entropy of the code minus this loss.

    Facts: the same for both players, so no conflict; gradients reach the
    generator through its samples.

    Args:
        code: The output that passes the code through: rows of 0 and 1 or
            numbers of classes for a categorical code, (batch, d) for a
            Gaussian one.
        logits: The output with Q's K logits of a categorical code.
        mean: The output with Q's means of a Gaussian code, (batch, d).
        log_variance: The output with the logarithms of Q's variances,
            (batch, d); bound them, say by 5 tanh. `None` if the variance is
            fixed.
        variance: The fixed variance v > 0; `None` is 1.
        generator: The player that makes samples; or a list.
        discriminator: The player that owns Q; or a list.

    Raises:
        ValueError: unless exactly one of `logits` and `mean` is given; for a
            variance with logits, or given twice, or not positive; when
            called, for shapes that differ.

    Example:

    >>> import numpy
    >>> from adversarial.losses import MutualInformation
    >>> outputs = {"c": numpy.eye(4), "q": numpy.zeros((4, 4))}
    >>> loss = MutualInformation("c", logits="q")
    >>> found = loss(["generator", "discriminator"], outputs)
    >>> {name: round(float(value), 4) for name, value in found.items()}
    {'generator': 1.3863, 'discriminator': 1.3863}

    References:
        - Chen et al., InfoGAN: Interpretable Representation Learning by
          Information Maximizing Generative Adversarial Nets, NIPS 2016,
          arXiv 1606.03657, equations 5 and 6.

    Differs from the paper: without the entropy of the code, a constant.
    """

    def __init__(
        self,
        code: str,
        *,
        logits: str | None = None,
        mean: str | None = None,
        log_variance: str | None = None,
        variance: float | None = None,
        generator: Names = "generator",
        discriminator: Names = "discriminator",
    ) -> None:
        given = {
            "logits": logits,
            "mean": mean,
            "log_variance": log_variance,
            "variance": variance,
        }
        named = [name for name, value in given.items() if value is not None]
        kinds = (["logits"], ["mean"], ["mean", "log_variance"])
        if named not in (*kinds, ["mean", "variance"]):
            raise ValueError(
                conversation(
                    "The code must be categorical or Gaussian.",
                    expected="`logits`; or `mean`, alone or with "
                    "`log_variance` or with `variance`.",
                    received=f"{quoted(named)}.",
                )
            )
        if variance is not None:
            variance = checked_number("variance", variance, above=0)
        self.code = code
        self.logits = logits
        self.mean = mean
        self.log_variance = log_variance
        self.variance = variance
        self.generator = generator
        self.discriminator = discriminator

    @property
    def roles(self) -> Mapping[str, Callable[[Seen], Tensor]]:
        """What both players minimise."""
        loss = self._gaussian if self.logits is None else self._categorical
        return {"generator": loss, "discriminator": loss}

    def _categorical(self, seen: Seen) -> Tensor:
        logits = seen.read("logits", str(self.logits))
        code = seen.read("code", self.code)
        classes = logits.shape[-1]
        if len(code.shape) == 1 or (code.shape[-1] == 1 != classes):
            code = one_hot_labels(seen, "code", self.code, classes)
        names = self.code, str(self.logits)
        check_same(seen.reader, names, tuple(code.shape), tuple(logits.shape))
        return cross_entropy(code, logits)

    def _gaussian(self, seen: Seen) -> Tensor:
        mean = self._like_code(seen, "mean", str(self.mean))
        code = ops.cast(rows(seen.read("code", self.code)), mean.dtype)
        if self.log_variance is None:
            variance = 1.0 if self.variance is None else self.variance
            log_v = ops.zeros_like(mean) + math.log(variance)
        else:
            log_v = self._like_code(seen, "log_variance", self.log_variance)
        squares = (code - mean) ** 2 * ops.exp(-log_v)
        return 0.5 * ops.sum(squares + log_v + math.log(2 * math.pi), axis=-1)

    def _like_code(self, seen: Seen, argument: str, name: str) -> Tensor:
        found = rows(seen.read(argument, name))
        code = rows(seen.read("code", self.code))
        names = self.code, name
        check_same(seen.reader, names, tuple(code.shape), tuple(found.shape))
        return found
