"""Writes a grid of images after every epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from adversarial.errors import conversation


class ImageGrid(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes what a generator makes to an image file after every epoch.

    Needs Pillow (the extra `examples`).

    Args:
        path: Where to write, with a place for the epoch (from 0):
            `"out/epoch-{:03d}.png"`. Folders are made.
        images: A function of nothing that returns the images, shape
            `(rows, columns, height, width)` or with 1, 3 or 4 channels
            behind, or a flat list of them, shape `(n, height, width,
            channels)`, which is arranged in a square.
        value_range: The values that are shown black and white.

    Raises:
        ValueError: if the images have another rank, or are not finite.
    """

    def __init__(
        self,
        path: str | Path,
        images: Callable[[], Any],
        value_range: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        super().__init__()
        self.path = str(path)
        self.images = images
        self.value_range = value_range

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes the grid."""
        write_grid(self.path.format(epoch), self.images(), self.value_range)


def write_grid(
    path: str | Path,
    images: Any,
    value_range: tuple[float, float] = (0.0, 1.0),
    gap: int = 2,
) -> None:
    """Writes images as one picture file; the ending says the format.

    Args:
        path: The file; its folder is made.
        images: As for `ImageGrid`.
        value_range: The values that are shown black and white.
        gap: Pixels between the images.

    Raises:
        ValueError: if the images have another rank, or are not finite.
    """
    from PIL import Image

    picture = grid(np.asarray(images), value_range, gap)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def grid(
    images: np.ndarray[Any, Any],
    value_range: tuple[float, float],
    gap: int = 2,
) -> np.ndarray[Any, Any]:
    """Arranges images in one array of 8-bit pixels.

    Returns:
        Shape `(height, width)`, or `(height, width, channels)` with more
        than one channel, dtype uint8.
    """
    if images.ndim == 4 and images.shape[-1] in (1, 3, 4):
        columns = int(np.ceil(np.sqrt(len(images))))
        missing = -len(images) % columns
        blank = np.full((missing, *images.shape[1:]), value_range[0])
        images = np.concatenate([images, blank])
        images = images.reshape(-1, columns, *images.shape[1:])
    if images.ndim == 4:
        images = images[..., None]
    if images.ndim != 5 or images.shape[-1] not in (1, 3, 4):
        raise ValueError(
            conversation(
                "A grid needs images.",
                expected="shape (rows, columns, height, width), with 1, 3 or "
                "4 channels behind or not, or (n, height, width, channels).",
                received=f"shape {images.shape}.",
            )
        )
    if not np.isfinite(images).all():
        raise ValueError(
            conversation(
                "A grid needs finite images.", received="NaN or infinity."
            )
        )
    low, high = value_range
    pixels = np.clip((images - low) / (high - low), 0.0, 1.0)
    rows, columns, height, width, channels = pixels.shape
    picture = np.ones(
        (
            rows * (height + gap) - gap,
            columns * (width + gap) - gap,
            channels,
        )
    )
    for i in range(rows):
        for j in range(columns):
            top, left = i * (height + gap), j * (width + gap)
            picture[top : top + height, left : left + width] = pixels[i, j]
    picture = np.round(255 * picture).astype(np.uint8)
    return picture[..., 0] if channels == 1 else picture
