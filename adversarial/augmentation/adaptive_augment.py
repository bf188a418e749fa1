"""Augmentation as strong as the discriminator overfits."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from adversarial import backend
from adversarial.augmentation.dice import Dice
from adversarial.augmentation.image_augmentation import (
    ImageAugmentation,
    Parameters,
    proportion,
)
from adversarial.augmentation.pipeline import draw_transforms, transformed
from adversarial.augmentation.transforms import known_transforms, transforms_of
from adversarial.augmentation.watched import watched
from adversarial.errors import conversation
from adversarial.layers.positive import finite, positive, positive_whole
from adversarial.registry import register

Tensor = Any


@register("layers")
class AdaptiveAugment(ImageAugmentation):
    """Augments images with a probability that follows the overfitting.

    When you want it: there are few images, and you do not know how much
    augmentation they need. Put it in front of the discriminator with
    `augmented`, and let it see the scores of real images with `watch`:

        ada = AdaptiveAugment()
        gan = build_gan(generator, augmented(discriminator, ada))
        gan = ada.watch(gan)

    Each transform is made of each image with probability p, on its own. With
    N(0, 1) and U(a, b) new numbers, and the range of values as -1 to 1:

        blit        x_flip                  with a chance of 1/2
                    rotate90                by 0, 90, 180 or 270 degrees
                    integer_translation     round(U(-1/8, 1/8) size)
        geometry    isotropic_scaling       2^(0.2 N)
                    rotation                U(-pi, pi), before and after:
                    anisotropic_scaling     2^(0.2 N) across, its inverse down
                    fractional_translation  N/8 of the size
        color       brightness              + 0.2 N
                    contrast                * 2^(0.5 N)
                    luma_flip               grey parts negated, chance 1/2
                    hue                     turned by U(-pi, pi) around grey
                    saturation              * 2^N
        corruption  noise                   + |0.1 N| N, N of each entry
                    cutout                  a hole of half the size

    Each of the two rotations has the chance 1 - sqrt(1 - p). What moves p:

        r = mean sign(D(x)) over the real images of `interval` steps
        p <- min(1, max(0, p + sign(r - target) images / speed))

    Facts:
        Affine in the images, with derivatives of every order. At p = 0, and
        outside of training, images pass bit for bit. While p stays below
        0.8, a generator is unlikely to learn the augmentations themselves.
        State: p, the last r (`overfitting`), and three sums; they belong to
        the player that owns the discriminator and move once per step, by
        that player's own move.

    Args:
        transforms: Names of transforms or of groups; the order does not
            matter.
        target: The wanted r, between -1 and 1; or `None` for a p that stays
            at `start`.
        speed: The number of images in which p moves by 1, above 0.
        interval: The number of steps after which p is moved, above 0.
        start: The first p, from 0 to 1.
        value_range: The lowest and the highest value of an image. Their middle
            is the grey of a cutout.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for that
            of Keras' configuration.
        seed: An integer for reproducible draws, or `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: for unknown transforms or none, or a number out of range;
            on a call, if the input is not of rank 4, or has not 1 or 3
            channels for colours to be changed.
        TypeError: on a call, if the images are not floats.

    Warns:
        UserWarning: once, if it is trained with a `target` and no scores.

    Input: images, shape `(batch, height, width, channels)`, floats; or scores,
    with `observe=True`.
    Output: the same shape and dtype; computed in float32 at least.

    Example:

    >>> import numpy
    >>> from adversarial.augmentation import AdaptiveAugment
    >>> ada = AdaptiveAugment(interval=1, speed=80)
    >>> scores = ada(numpy.full((8, 1), 2.0), observe=True, training=True)
    >>> print(f"r {ada.overfitting.numpy():.1f}, p {ada.p.numpy():.1f}")
    r 1.0, p 0.1

    References:
        - Karras, Aittala, Hellsten, Laine, Lehtinen, Aila, Training Generative
          Adversarial Networks with Limited Data, NeurIPS 2020, arXiv
          2006.06676, section 3 and appendix B; constants as in the authors'
          code.

    Differs from the paper: pixels between pixels are bilinear, where the paper
    filters with wavelets before and after, so that shrunk images are less
    smooth here; the image continues as its mirror image without end; there is
    no filtering of frequency bands; p is at most 1, and one batch of latents
    is for both players.
    """

    def __init__(
        self,
        transforms: str | Sequence[str] = ("blit", "geometry", "color"),
        *,
        target: float | None = 0.6,
        speed: float = 500_000,
        interval: int = 4,
        start: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.transforms = known_transforms(transforms)
        self.target = None if target is None else _target(target)
        self.speed = positive("speed", speed)
        self.interval = positive_whole("interval", interval)
        self.start = proportion("start", start)
        self.p = self._state("p", self.start)
        self.overfitting = self._state("overfitting")
        self._signs = self._state("signs")
        self._images = self._state("images")
        self._steps = self._state("steps")
        self._is_watching = False

    def watch(
        self,
        model: keras.Model,
        *,
        real: str = "yreal",
        fake: str | None = None,
    ) -> keras.Model:
        """Returns the model, with p moved by the scores in its outputs.

        Args:
            model: A graph of layers, with this layer in it; such as that of
                `build_gan`.
            real: The name of the output with the scores of real images, of
                any shape: above 0 for what is taken for real.
            fake: The name of that with the scores of generated images, for
                scores of which only differences mean something (relativistic
                and Wasserstein losses): then r is the mean sign of
                D(x) - mean D(G(z)).

        Returns:
            A model with the same inputs and outputs.

        Raises:
            ValueError: if this layer is not in the model; if p is to stay as
                it is; if there is no such output.
        """
        self._check_can_watch()
        return watched(model, self, real, fake)

    def drawn(self, dice: Dice) -> dict[str, Tensor]:
        """Draws the values of all transforms, neutral where there is none.

        Returns:
            By name: of `integer_translation` and `fractional_translation`
            pixels to the right and down, of `cutout` the center across and
            down as parts of the size, shape (batch, 2); of `noise_field`
            normal numbers in the shape of the images; of all others the
            number of the table, shape (batch, 1). Angles are in radian.
        """
        names = transforms_of(self.transforms)
        return draw_transforms(names, dice, backend.read(self.p))

    def changed(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Applies what was drawn."""
        return transformed(images, parameters, self.middle, self.half)

    def call(
        self, inputs: Any, training: bool = False, observe: bool = False
    ) -> Tensor:
        """Augments images; with `observe`, reads scores and passes them on.

        Args:
            inputs: Images; with `observe`, the scores of real images, or a
                list of them and of those of generated images.
            training: Whether images are changed, and scores counted.
            observe: Whether the input is scores.
        """
        if not observe:
            if training and self.target is not None and not self._is_watching:
                self._warn()
            return super().call(inputs, training=training)
        real, fake = self._scores(inputs)
        if training:
            self._count(real, fake)
        return real

    def compute_output_spec(
        self, inputs: Any, training: bool = False, observe: bool = False
    ) -> keras.KerasTensor:
        """Returns the shape and dtype of the images, or the real scores."""
        if not observe:
            return super().compute_output_spec(inputs, training)
        real, _ = self._scores(inputs)
        return keras.KerasTensor(real.shape, real.dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {
            "transforms": list(self.transforms),
            "target": self.target,
            "speed": self.speed,
            "interval": self.interval,
            "start": self.start,
        }
        return {**super().get_config(), **own}

    def _state(self, name: str, start: float = 0.0) -> keras.Variable:
        # In half precision, small moves of p would be lost.
        return self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(start),
            trainable=False,
            dtype="float32",
            autocast=False,
            aggregation="mean",
            name=name,
        )

    def _scores(self, inputs: Any) -> tuple[Tensor, Tensor | None]:
        self._check_can_watch()
        self._is_watching = True
        pair = inputs if isinstance(inputs, list | tuple) else [inputs]
        if len(pair) > 2:
            raise ValueError(
                conversation(
                    "`observe` takes the scores of real images, or those and "
                    "the scores of generated ones.",
                    received=f"a list of {len(pair)}.",
                )
            )
        return pair[0], pair[1] if len(pair) == 2 else None

    def _count(self, real: Tensor, fake: Tensor | None) -> None:
        """Counts the signs of a step, and moves p after enough of them."""
        scores = ops.cast(real, "float32")
        if fake is not None:
            scores = scores - ops.mean(ops.cast(fake, "float32"))
        rows = ops.cast(ops.shape(real)[0] * backend.replicas(), "float32")
        images = self._images + rows
        signs = self._signs + rows * ops.mean(ops.sign(scores))
        steps = self._steps + 1.0
        due = steps >= self.interval
        r = signs / images
        way = ops.sign(r - self.target)
        p = ops.clip(self.p + way * images / self.speed, 0.0, 1.0)
        self.p.assign(ops.where(due, p, backend.read(self.p)))
        before = backend.read(self.overfitting)
        self.overfitting.assign(ops.where(due, r, before))
        for sum_, value in (
            (self._images, images),
            (self._signs, signs),
            (self._steps, steps),
        ):
            sum_.assign(ops.where(due, 0.0, value))

    def _check_can_watch(self) -> None:
        if self.target is None:
            raise ValueError(
                conversation(
                    f"'{self.name}' has no `target`: its p stays at "
                    f"{self.start:g}.",
                    fix="leave `watch` out, or pass `target=0.6`.",
                )
            )

    def _warn(self) -> None:
        self._is_watching = True  # once is enough
        warnings.warn(
            f"Nothing moves the probability of '{self.name}', which stays at "
            f"{self.start:g}. Let it see the scores of real images with "
            "`model = layer.watch(model)`, or fix it with `target=None`.",
            stacklevel=2,
        )


def _target(value: Any) -> float:
    if finite(value) and -1 < value < 1:
        return float(value)
    raise ValueError(
        conversation(
            "`target` must be a mean of signs.",
            expected="a number between -1 and 1; `None` for a fixed p.",
            received=f"{value!r}.",
        )
    )
