"""Walks between pairs of latents, as pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from adversarial.callbacks.fixed_noise import fixed_noise
from adversarial.callbacks.fixed_samples import check_generator
from adversarial.callbacks.image_grid import Pictures
from adversarial.errors import conversation, unknown
from adversarial.layers.positive import positive_whole
from adversarial.metrics.arguments import whole

Array = np.ndarray[Any, Any]
PARALLEL = 1e-6
"""A sine of an angle by which one should not divide float32 latents."""


class LatentInterpolation(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes pictures of walks through the latent space.

    When you want it: to see whether a generator has learned a space or a set
    of samples. Where it has learned a space, a walk changes by and by; where
    it memorises, or modes are missing, it jumps or stands still.

    Every row is a walk from one latent a to another one b, ends included, over
    t = 0, ..., 1, with w the angle between them:

        slerp     z(t) = (sin((1 - t) w) a + sin(t w) b) / sin w
        linear    z(t) = (1 - t) a + t b

    Latents with many normal coordinates all have about the same length, which
    the straight line between two of them leaves: its middle is shorter by
    sqrt(2), where the generator has hardly been trained. Slerp keeps it.

    Facts:
        The latents are the same after every epoch: the two ends of a row
        depend on the seed and the row alone. The generator is called in
        inference mode. Training is not changed, bit for bit: the random state
        is put back. Vectors that are parallel or opposite to one part in a
        million have no arc of their own: there slerp is linear. Needs Pillow
        (the extra `examples`) for files, and nothing for TensorBoard.

    Args:
        path: Where to write, as for `ImageGrid`; `None` writes no files.
        generate: The generator, a built Keras model with one input; or a
            function of latents of shape `(n, *latent)`, dtype float32, that
            returns n images.
        latent: The shape of a latent, a number or a tuple; `None` is that of
            the input of the model.
        rows: The number of walks.
        columns: The number of images in a walk, 2 or more.
        kind: `"slerp"` or `"linear"`.
        seed: Of the latents, which are standard normal, and of other noise.
        value_range: The values that are shown black and white.
        every: The number of epochs between pictures; the last epoch has one.
        log_dir: A folder for TensorBoard, as for `ImageGrid`.

    Raises:
        ValueError: for an unknown `kind`, numbers out of range, a function
            without `latent`, or a model of several inputs; when training, if
            the images are not those of a grid, or not finite.
        TypeError: for anything that cannot be called.

    Example:

    >>> from adversarial.callbacks import LatentInterpolation
    >>> walks = LatentInterpolation(
    ...     "out/walk-{:03d}.png",
    ...     lambda z: keras.ops.reshape(z, (-1, 4, 4, 1)),
    ...     latent=16,
    ...     value_range=(-2.0, 2.0),
    ... )
    >>> walks.latents().shape
    (64, 16)

    References:
        - Shoemake, Animating Rotation with Quaternion Curves, SIGGRAPH 1985
          (slerp).
        - White, Sampling Generative Networks, 2016, arXiv 1609.04468 (slerp
          between latents).
    """

    def __init__(
        self,
        path: str | Path | None,
        generate: keras.Model | Callable[[Array], Any],
        latent: int | Sequence[int] | None = None,
        *,
        rows: int = 8,
        columns: int = 8,
        kind: str = "slerp",
        seed: int = 0,
        value_range: tuple[float, float] = (0.0, 1.0),
        every: int = 1,
        log_dir: str | Path | None = None,
    ) -> None:
        super().__init__()
        check_generator(generate)
        if kind not in WALKS:
            raise unknown("`kind`", kind, WALKS)
        self.generate = generate
        self.latent = _shape(generate, latent)
        self.rows = positive_whole("rows", rows)
        self.columns = positive_whole("columns", columns)
        self.kind = kind
        self.seed = whole("seed", seed, 0)
        if columns < 2:
            raise ValueError(
                conversation(
                    "A walk has two ends: `columns` must be at least 2.",
                    received=f"{columns}.",
                )
            )
        self.pictures = Pictures(
            "interpolation", path, value_range, every=every, log_dir=log_dir
        )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes the walks, if it is time."""
        if self.pictures.due(epoch, self.params):
            self.pictures.write(self.images(), epoch, self.model)

    def latents(self) -> Array:
        """Returns the latents of all walks, row by row."""
        draws = np.random.default_rng(self.seed)
        ends = draws.standard_normal((self.rows, 2, *self.latent))
        walk = WALKS[self.kind]
        walks = [walk(a, b, self.columns) for a, b in ends]
        return np.concatenate(walks).astype("float32")

    def images(self) -> Array:
        """Returns the images, shape `(rows, columns, height, width, ...)`.

        Raises:
            ValueError: if the generator makes another number of them.
        """
        z = self.latents()
        model = (
            self.generate if isinstance(self.generate, keras.Model) else None
        )
        every = [*self.model.variables, *(model.variables if model else [])]
        with fixed_noise(self.seed, every):
            if model is None:
                x = keras.ops.convert_to_numpy(self.generate(z))
            else:
                x = model.predict(z, self.columns, verbose=0)
        if x.ndim < 1 or len(x) != len(z):
            raise ValueError(
                conversation(
                    "`generate` must return an image for every latent.",
                    expected=f"{len(z)}.",
                    received=f"shape {x.shape}.",
                )
            )
        x = x.astype("float32")
        images: Array = x.reshape(self.rows, self.columns, *x.shape[1:])
        return images


def linear(a: Array, b: Array, count: int) -> Array:
    """Returns points on the straight line from a to b, ends included."""
    t = np.linspace(0.0, 1.0, count).reshape(-1, *[1] * a.ndim)
    points: Array = (1 - t) * a + t * b
    return points


def slerp(a: Array, b: Array, count: int) -> Array:
    """Returns points on the arc from a to b, ends included."""
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if not all(lengths):
        return linear(a, b, count)
    u, v = a / lengths[0], b / lengths[1]
    # Of small angles the arc cosine would lose half the digits.
    w = 2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v))
    if np.sin(w) < PARALLEL:
        return linear(a, b, count)
    t = np.linspace(0.0, 1.0, count).reshape(-1, *[1] * a.ndim)
    points: Array = (np.sin((1 - t) * w) * a + np.sin(t * w) * b) / np.sin(w)
    return points


WALKS = {"slerp": slerp, "linear": linear}


def _shape(generate: Any, latent: Any) -> tuple[int, ...]:
    if latent is None and isinstance(generate, keras.Model):
        return tuple(generate.inputs[0].shape[1:])
    if latent is None:
        raise ValueError(
            conversation(
                "`latent` must say what the function `generate` takes.",
                received="None.",
                fix="pass the shape of one latent, `latent=64`.",
            )
        )
    whole = isinstance(latent, int) and not isinstance(latent, bool)
    shape = (latent,) if whole else tuple(latent)
    return tuple(positive_whole("latent", size) for size in shape)
