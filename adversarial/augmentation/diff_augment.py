"""Differentiable augmentation of everything that a discriminator sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from adversarial.augmentation.cutting import blanked, column, grid, shifted
from adversarial.augmentation.dice import Dice, whole
from adversarial.augmentation.image_augmentation import (
    ImageAugmentation,
    Parameters,
    per_image,
    proportion,
)
from adversarial.errors import conversation, unknown
from adversarial.registry import register

Tensor = Any
POLICIES = {
    "color": ("brightness", "saturation", "contrast"),
    "translation": ("translation",),
    "cutout": ("cutout",),
}
"""What each word of a policy draws, in the order in which it is applied."""


@register("layers")
class DiffAugment(ImageAugmentation):
    """Augments real and generated images alike, before the discriminator.

    When you want it: there are few images, and the discriminator learns them
    by heart. Put it in front with `augmented`, so that the generator learns
    through it too. Augmenting real images only would teach the generator to
    make augmented ones.

    For each image, with u a new uniform number from 0 to 1, and the range of
    values taken as -1 to 1:

        brightness   x + (u - 1/2)
        saturation   (x - m) 2 u + m,          m the mean over channels
        contrast     (x - m) (u + 1/2) + m,    m the mean of the image
        translation  by whole pixels, -s .. s down and across, grey moves in
                     s = floor(translation_ratio size + 1/2)
        cutout       grey where -floor(c / 2) <= i - o < c - floor(c / 2)
                     down and across, c = floor(cutout_ratio size + 1/2)
                     o one of 0 .. size - 1, or of 0 .. size if c is even

    Facts:
        Affine in the images, with derivatives of every order. Images pass
        unchanged outside of training. Grey images have no saturation. The
        window of a cutout may reach over the edge, so that it fills less.
        No trainable variables; no state but that of the random numbers.

    Args:
        policy: Words of `"color"`, `"translation"`, `"cutout"`, each at most
            once, in the order in which they are applied; or one string of
            them with commas.
        translation_ratio: The longest translation as a part of the size, from
            0 to 1.
        cutout_ratio: The side of the hole as a part of the size, from 0 to 1.
        value_range: The lowest and the highest value of an image. Their middle
            is the grey.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for that
            of Keras' configuration.
        seed: An integer for reproducible draws, or `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: for an unknown, missing or repeated word, or a ratio or
            range that is none; on a call, if the input is not of rank 4.
        TypeError: on a call, if the images are not floats.

    Input: images, shape `(batch, height, width, channels)`, floats.
    Output: the same shape and dtype; computed in float32 at least.

    Example:

    >>> import adversarial, numpy
    >>> layer = adversarial.augmentation.DiffAugment("translation,cutout")
    >>> images = numpy.ones((4, 32, 32, 3), "float32")
    >>> bool((layer(images) == images).numpy().all())
    True
    >>> seen = layer(images, training=True)
    >>> seen.shape, sorted(set(seen.numpy().ravel().tolist()))
    (TensorShape([4, 32, 32, 3]), [0.0, 1.0])

    References:
        - Zhao, Liu, Lin, Zhu, Han, Differentiable Augmentation for
          Data-Efficient GAN Training, NeurIPS 2020, arXiv 2006.10738; sizes
          as in the authors' PyTorch code, whose TensorFlow code rounds down.

    Differs from the paper: one batch of latents for both players, so that they
    see the same generated images with the same draws.
    """

    def __init__(
        self,
        policy: str | Sequence[str] = ("color", "translation", "cutout"),
        *,
        translation_ratio: float = 1 / 8,
        cutout_ratio: float = 1 / 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.policy = _words(policy)
        self.translation_ratio = proportion(
            "translation_ratio", translation_ratio
        )
        self.cutout_ratio = proportion("cutout_ratio", cutout_ratio)

    def drawn(self, dice: Dice) -> dict[str, Tensor]:
        """Draws the parameters of each change.

        Returns:
            Of `brightness`, `saturation` and `contrast` the number of the
            formula, shape (batch, 1); of `translation` the pixels down and to
            the right, of `cutout` the o of the formula, shape (batch, 2).
        """
        u = dice.uniform(7)
        sizes = ops.stack(dice.sizes)
        most = self._part(sizes, self.translation_ratio)
        even = 1 - self._part(sizes, self.cutout_ratio) % 2
        drawn = {
            "brightness": u[:, 0:1] - 0.5,
            "saturation": u[:, 1:2] * 2,
            "contrast": u[:, 2:3] + 0.5,
            "translation": whole(u[:, 3:5], -most, 2 * most + 1),
            "cutout": whole(u[:, 5:7], 0, sizes + even),
        }
        return {name: drawn[name] for w in self.policy for name in POLICIES[w]}

    def changed(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Applies what was drawn, in the order of the policy."""
        changes = {
            "brightness": lambda x, b: x + per_image(b) * self.half,
            "saturation": lambda x, s: _spread(x, s, axis=-1),
            "contrast": lambda x, c: _spread(x, c, axis=(1, 2, 3)),
            "translation": lambda x, t: shifted(x, t, self.middle),
            "cutout": self._cut,
        }
        for word in self.policy:
            for name in POLICIES[word]:
                if name in parameters:
                    images = changes[name](images, parameters[name])
        return images

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {
            "policy": list(self.policy),
            "translation_ratio": self.translation_ratio,
            "cutout_ratio": self.cutout_ratio,
        }
        return {**super().get_config(), **own}

    def _cut(self, images: Tensor, centers: Tensor) -> Tensor:
        hole: Tensor = True
        for axis, places in enumerate(grid(images)):
            n = ops.cast(ops.shape(images)[1 + axis], images.dtype)
            side = self._part(n, self.cutout_ratio)
            begin = column(centers, axis) - side // 2
            hole = hole & (places >= begin) & (places < begin + side)
        return blanked(images, hole, self.middle)

    @staticmethod
    def _part(size: Tensor, ratio: float) -> Tensor:
        return ops.floor(size * ratio + 0.5)


def _words(policy: Any) -> tuple[str, ...]:
    words = policy.split(",") if isinstance(policy, str) else policy
    words = words if isinstance(words, list | tuple) else [words]
    words = tuple(w.strip() if isinstance(w, str) else w for w in words)
    for word in words:
        if not isinstance(word, str) or word not in POLICIES:
            raise unknown("word in `policy`", word, POLICIES)
    if not words or len(set(words)) < len(words):
        raise ValueError(
            conversation(
                "`policy` must hold one word or more, each once.",
                received=f"{policy!r}.",
                fix="leave the layer out for no augmentation."
                if not words
                else None,
            )
        )
    return words


def _spread(images: Tensor, factor: Tensor, axis: Any) -> Tensor:
    mean = ops.mean(images, axis=axis, keepdims=True)
    return (images - mean) * per_image(factor) + mean
