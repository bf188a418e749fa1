"""Writes a grid of images after every epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from adversarial import backend
from adversarial.errors import conversation
from adversarial.layers.positive import positive_whole

FOLDER = "images"
"""In `log_dir`, beside the `train` and `validation` of Keras' TensorBoard."""


class ImageGrid(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes what a generator makes to an image file after every few epochs.

    Needs Pillow (the extra `examples`) for files, and nothing for TensorBoard.

    Args:
        path: Where to write, with a place for the epoch (from 0):
            `"out/epoch-{:03d}.png"`. Folders are made. `None` writes no files.
        images: A function of nothing that returns the images, shape
            `(rows, columns, height, width)` or with 1, 3 or 4 channels
            behind, or a flat list of them, shape `(n, height, width,
            channels)`, which is arranged in a square.
        value_range: The values that are shown black and white.
        every: The number of epochs between pictures; the last epoch has one.
        log_dir: A folder in which to write every picture for TensorBoard, at
            the training step, under `images`; `None` writes nothing. It may
            be that of Keras' `TensorBoard` callback.

    Raises:
        ValueError: if there is neither `path` nor `log_dir`; if `every` is no
            whole number above 0; if the images have another rank, or are not
            finite.
    """

    def __init__(
        self,
        path: str | Path | None,
        images: Callable[[], Any],
        value_range: tuple[float, float] = (0.0, 1.0),
        *,
        every: int = 1,
        log_dir: str | Path | None = None,
    ) -> None:
        super().__init__()
        self.images = images
        self.pictures = Pictures(
            "samples", path, value_range, every=every, log_dir=log_dir
        )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes the grid, if it is time."""
        if self.pictures.due(epoch, self.params):
            self.pictures.write(self.images(), epoch, self.model)


class Pictures:
    """Writes grids of images to files and for TensorBoard.

    Args:
        name: What the pictures are called in TensorBoard.
        path: As for `ImageGrid`; the others, too.
        value_range: The values that are shown black and white.
        every: The number of epochs between pictures.
        log_dir: A folder for TensorBoard, or `None`.
    """

    def __init__(
        self,
        name: str,
        path: str | Path | None,
        value_range: tuple[float, float],
        *,
        every: int,
        log_dir: str | Path | None,
    ) -> None:
        if path is None and log_dir is None:
            raise ValueError(
                conversation(
                    "Pictures must be written somewhere.",
                    received="path=None and log_dir=None.",
                    fix='pass `path="out/epoch-{:03d}.png"`, or a `log_dir` '
                    "for TensorBoard.",
                )
            )
        self.name = name
        self.path = None if path is None else str(path)
        self.value_range = value_range
        self.every = positive_whole("every", every)
        self.log_dir = log_dir
        self._write: Callable[[str, Any, int], None] | None = None

    def due(self, epoch: int, params: Any = None) -> bool:
        """Says whether there is a picture after this epoch."""
        last = epoch + 1 == (params or {}).get("epochs")
        return last or (epoch + 1) % self.every == 0

    def write(self, images: Any, epoch: int, model: Any = None) -> None:
        """Writes a picture of the images, as `ImageGrid` takes them."""
        if self.path is not None:
            write_grid(self.path.format(epoch), images, self.value_range)
        if self.log_dir is None:
            return
        if self._write is None:
            folder = str(Path(self.log_dir, FOLDER))
            self._write = backend.image_writer(folder)
        picture = grid(np.asarray(images), self.value_range)
        step = int(backend.read(model.optimizer.iterations))
        picture = picture[..., None] if picture.ndim == 2 else picture
        self._write(self.name, picture, step)


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
