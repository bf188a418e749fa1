"""The Inception network as an extractor, for who asks for it."""

from __future__ import annotations

import os
from pathlib import Path

import keras

from adversarial.errors import conversation, unknown

SIDE = 299
"""Height and width of the images that the network was trained on."""
OUTPUTS = ("features", "probabilities")
DOWNLOADED = "imagenet"


def inception_extractor(
    weights: str | os.PathLike[str] | None,
    *,
    output: str = "features",
    value_range: tuple[float, float] = (0.0, 255.0),
    antialias: bool = True,
) -> keras.Model:
    """Builds Inception v3 with the preprocessing that it needs.

    Take it for Frechet distances and classifier scores of natural images. It
    scales the values to [-1, 1] and resizes the images to 299 x 299. Pass the
    same `value_range` to the metric, so that other images are refused.

    Facts: the numbers are not those of published FIDs and inception scores.
    Those come from the graph that Google published in December 2015: other
    weights (1,008 outputs), other pooling in three blocks, and its own way of
    resizing. These are the weights of `keras.applications`, trained anew,
    with 1,000 classes. Compare with numbers made with this function only, and
    say so where you report them.

    Args:
        weights: `"imagenet"` downloads the weights of `keras.applications`
            (once; Keras keeps them). A path reads a weights file of that
            model, without its top if `output="features"`. `None` draws random
            ones, and downloads nothing: for tests.
        output: `"features"`, the 2,048 averages before the classifier, or
            `"probabilities"` of the 1,000 classes, for `ClassifierScore`.
        value_range: The values of black and white.
        antialias: Whether to smooth images before they are made smaller.
            Without it, details of larger images turn into noise.

    Returns:
        A model of images of any size, shape (batch, height, width, 3).

    Raises:
        ValueError: for a file that is not there, another output, or an empty
            value range.

    References: Szegedy et al., Rethinking the Inception Architecture for
    Computer Vision, CVPR 2016. Parmar, Zhang, Zhu, On Aliased Resizing and
    Surprising Subtleties in GAN Evaluation, CVPR 2022 (what resizing does).
    """
    if output not in OUTPUTS:
        raise unknown("output", output, OUTPUTS)
    low, high = value_range
    if not low < high:
        raise ValueError(
            conversation(
                "`value_range` must be the lowest and highest value.",
                received=f"{value_range}.",
            )
        )
    if weights is not None and weights != DOWNLOADED:
        weights = os.fspath(weights)
        if not Path(weights).is_file():
            raise ValueError(
                conversation(
                    "`weights` must be a weights file that is there.",
                    expected="a path, 'imagenet', or `None`.",
                    received=f"{weights!r}.",
                    fix='pass "imagenet" to download them.',
                )
            )
    whole = output == "probabilities"
    network = keras.applications.InceptionV3(
        include_top=whole,
        weights=weights,
        input_shape=(SIDE, SIDE, 3),
        pooling=None if whole else "avg",
    )
    scale = 2.0 / (high - low)
    images = keras.Input((None, None, 3), name="images")
    x = keras.layers.Rescaling(scale, offset=-1.0 - low * scale)(images)
    x = keras.layers.Resizing(SIDE, SIDE, antialias=antialias)(x)
    return keras.Model(images, network(x), name=f"inception_{output}")
