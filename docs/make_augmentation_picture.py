"""Draws what a discriminator sees through the augmentations.

    python docs/make_augmentation_picture.py [--out docs/pictures]

The top row is `DiffAugment`, the others `AdaptiveAugment` at two fixed
probabilities. The first column is the image itself.
"""

import argparse
import io
from pathlib import Path

import keras
import matplotlib
import numpy as np
from PIL import Image

from adversarial.augmentation import AdaptiveAugment, DiffAugment

matplotlib.use("Agg")

import matplotlib.pyplot as plt

HERE = Path(__file__).parent
SIZE = 48
COUNT = 8
PROBABILITIES = (0.3, 0.8)
COLORS = 64


def picture():
    """A house under the sun, values from -1 to 1."""
    y, x = np.mgrid[:SIZE, :SIZE] / (SIZE - 1)
    image = np.empty((SIZE, SIZE, 3), "float32")
    image[:] = (0.45, 0.7, 0.95)
    image[y > 0.7] = (0.35, 0.65, 0.3)
    image[(x - 0.8) ** 2 + (y - 0.2) ** 2 < 0.012] = (0.98, 0.85, 0.25)
    image[(abs(x - 0.4) < 0.22) & (y > 0.45) & (y < 0.8)] = (0.9, 0.82, 0.7)
    roof = (y > 0.22) & (y < 0.45) & (abs(x - 0.4) < 1.2 * (y - 0.22))
    image[roof] = (0.75, 0.25, 0.2)
    image[(abs(x - 0.34) < 0.05) & (y > 0.58) & (y < 0.8)] = (0.4, 0.25, 0.2)
    return image * 2 - 1


def rows():
    """Yields a title and the images of each row."""
    image = picture()
    batch = np.repeat(image[None], COUNT, axis=0)
    layers = {"DiffAugment": DiffAugment(seed=4)}
    for p in PROBABILITIES:
        fixed = AdaptiveAugment(target=None, start=p, seed=4)
        layers[f"AdaptiveAugment, p = {p}"] = fixed
    for title, layer in layers.items():
        yield title, [image, *np.asarray(layer(batch, training=True))]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "pictures")
    arguments = parser.parse_args(argv)
    keras.utils.set_random_seed(0)
    figure, axes = plt.subplots(
        1 + len(PROBABILITIES), 1, figsize=(7.2, 3.1), layout="constrained"
    )
    for axis, (title, images) in zip(axes, rows(), strict=True):
        gap = np.full((SIZE, 4, 3), 1.0)
        strip = [part for image in images for part in (image, gap)][:-1]
        strip = np.concatenate(strip, axis=1)
        axis.imshow(np.clip(strip / 2 + 0.5, 0, 1), interpolation="nearest")
        axis.set_title(title, fontsize=8, loc="left", pad=2)
        axis.axis("off")
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=80)
    path = arguments.out / "augmentation.png"
    small = (
        Image.open(drawn)
        .convert("RGB")
        .quantize(COLORS, dither=Image.Dither.NONE)
    )
    small.save(path, optimize=True)
    return path


if __name__ == "__main__":
    print(main())
