"""The path length regularisation of StyleGAN2."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import keras
from keras import ops

from adversarial.losses.named_loss import check_choice
from adversarial.penalties.checks import check_range
from adversarial.penalties.network_penalty import (
    Network,
    NetworkPenalty,
    Samples,
    Tensor,
)
from adversarial.penalties.slopes import norms
from adversarial.registry import register


@register("penalties")
class PathLength(NetworkPenalty):
    """Makes steps of one size in latent space change images by one amount.

    When you want it: for a generator that is to be inverted, or walked
    through. It is a term of the generator's loss:
    `Penalty("path_length", player="generator")`, weight 2.

        y ~ N(0, 1) / sqrt(pixels), of the shape of the image G(w)
        l = |J^T y|,  J = d G(w) / d w,  for each latent w
        a <- a + rate (mean of l - a)
        path_length = (l - a)^2

    Facts:
        The moving mean a is a variable of the layer, moved in training where
        the penalty is computed: with `interval`, every so many steps. No
        gradient flows into it. It starts at 0, so that lengths shrink at
        first. Where J^T y is zero, derivatives are 0, not NaN. Any output
        will do, not only images: pixels are then all places but that of the
        channels. See `NetworkPenalty` for what all penalties have in common.

    Args:
        network: The built generator, or the part of it from w on.
        rate: The rate of the moving mean, above 0 and up to 1.
        data_format: Where the channels of images are, `"channels_last"` or
            `"channels_first"`; `None` is what Keras is configured for.
        seed: An integer for reproducible draws of y, or `None`.
        **kwargs: `interval`, `output` and what else `NetworkPenalty` takes.

    Raises:
        TypeError: if `network` is no layer; for latents that are no floats.
        ValueError: if `rate` is out of range, for another `data_format`, and
            for what `NetworkPenalty` refuses.

    Input: latents, shape (batch, ...), floats; or a list or dict of such.
    `given`: further inputs of the network.
    Output: shape (batch,), float32 at least.

    Example:

    >>> import keras, numpy
    >>> from adversarial.penalties import PathLength
    >>> start = keras.initializers.Constant(2.0)
    >>> dense = keras.layers.Dense(3, kernel_initializer=start)
    >>> generator = keras.Sequential([keras.Input((4,)), dense])
    >>> layer = PathLength(generator, rate=1.0)
    >>> layer(numpy.zeros((8, 4), "float32"), training=True).shape
    TensorShape([8])
    >>> bool(layer.mean > 0)
    True

    References:
        - Karras et al., Analyzing and Improving the Image Quality of
          StyleGAN, CVPR 2020, arXiv 1912.04958, section 3.2; every 4 steps,
          section 3.1.

    Differs from the paper: the authors' code differentiates through a, too,
    takes half of the batch, and with a latent for each layer of the generator
    the mean over the layers in l, which is then smaller by the root of their
    number.
    """

    reads: ClassVar[str] = "latent"

    def __init__(
        self,
        network: keras.Layer,
        rate: float = 0.01,
        *,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(network, **kwargs)
        self.rate = check_range("rate", rate, 0.0, 1.0, above=True)
        if data_format is None:
            data_format = keras.config.image_data_format()
        self.data_format = data_format
        formats = ("channels_last", "channels_first")
        check_choice("data_format", self.data_format, formats)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.mean = self.add_weight(
            shape=(),
            initializer="zeros",
            trainable=False,
            dtype="float32",
            aggregation="mean",
            name="mean",
        )

    def penalty(
        self, samples: Samples, network: Network, training: bool
    ) -> Tensor:
        """Returns the squared distance of path lengths from their mean."""

        def projected(latents: Samples) -> Tensor:
            image = network(latents)
            y = keras.random.normal(
                ops.shape(image), dtype=image.dtype, seed=self.seed_generator
            )
            return image * (y / ops.sqrt(self._pixels(image)))

        lengths = norms(self.slopes(projected, samples))
        mean = ops.cast(self.mean, lengths.dtype)
        if training:
            change = ops.mean(ops.stop_gradient(lengths)) - mean
            mean = mean + self.rate * change
            self.mean.assign(ops.cast(mean, self.mean.dtype))
        return (lengths - mean) ** 2

    def _pixels(self, image: Tensor) -> Tensor:
        last = self.data_format == "channels_last"
        places = ops.shape(image)[1:-1] if last else ops.shape(image)[2:]
        return ops.cast(math.prod(places), image.dtype)

    def own_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments without `network`."""
        own = {
            "rate": self.rate,
            "data_format": self.data_format,
            "seed": self.seed,
        }
        return {**super().own_config(), **own}
