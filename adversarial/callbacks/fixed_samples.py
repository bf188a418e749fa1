"""Samples of a generator from the same latents every time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from adversarial.errors import conversation

Array = np.ndarray[Any, Any]


class FixedSamples:
    """Draws samples of a generator in batches.

    Args:
        generate: A built Keras model with one input: it is called, in
            inference mode, on standard normal latents. Or a function of a
            number n that returns n samples.
        samples: How many there are in all.
        batch_size: How many to make at once.
        seed: Of the latents, for a model.

    Raises:
        ValueError: for a model that is not built, or has several inputs or
            outputs, or one of unknown shape.
        TypeError: for anything that cannot be called.
    """

    def __init__(
        self,
        generate: keras.Model | Callable[[int], Any],
        samples: int,
        batch_size: int,
        seed: int,
    ) -> None:
        check_generator(generate)
        self.generate = generate
        self.samples = samples
        self.batch_size = batch_size
        self.seed = seed

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables of the generator, as far as they are known."""
        found: list[keras.Variable] = []
        if isinstance(self.generate, keras.Model):
            found = list(self.generate.variables)
        return found

    def batches(self, shape: tuple[int, ...] | None = None) -> Iterator[Array]:
        """Makes all samples, batch by batch.

        The latents of sample t depend on the seed and on t alone.

        Args:
            shape: That of one sample; `None` does not look.

        Raises:
            ValueError: if a batch has not as many samples as were asked for,
                if they have another shape, or if they are not finite.
        """
        draws = np.random.default_rng(self.seed)
        for start in range(0, self.samples, self.batch_size):
            n = min(self.batch_size, self.samples - start)
            x = self._made(n, draws)
            _check(x, n, shape, start // self.batch_size)
            yield x

    def _made(self, n: int, draws: np.random.Generator) -> Array:
        if isinstance(self.generate, keras.Model):
            latent = self.generate.inputs[0].shape[1:]
            z = draws.standard_normal((n, *latent)).astype("float32")
            # Not `predict_on_batch`, which repeats a batch on every replica.
            return _plain(self.generate.predict(z, n, verbose=0))
        return _plain(self.generate(n))


def check_generator(generate: Any) -> None:
    """Checks that this is a model of one input and one output, or a function.

    Raises:
        ValueError: for a model that is not built, or has several inputs or
            outputs, or one of unknown shape.
        TypeError: for anything that cannot be called.
    """
    if not callable(generate):
        raise TypeError(
            conversation(
                "`generate` must make samples.",
                expected="a Keras model, or a function.",
                received=f"an object of type `{type(generate).__name__}`.",
            )
        )
    if isinstance(generate, keras.Model):
        _check_model(generate)


def _plain(x: Any) -> Array:
    """As an array that NumPy can compute with: no half precision."""
    x = keras.ops.convert_to_numpy(x)
    small = x.dtype.itemsize < 4 and not np.issubdtype(x.dtype, np.integer)
    plain: Array = x.astype("float32") if small else x
    return plain


def _check_model(model: keras.Model) -> None:
    if not model.built or getattr(model, "inputs", None) is None:
        received = "inputs that are not known"
    elif len(model.inputs) != 1:
        received = f"{len(model.inputs)} inputs"
    elif len(model.outputs) != 1:
        received = f"{len(model.outputs)} outputs"
    elif None in model.inputs[0].shape[1:]:
        received = f"an input of shape {model.inputs[0].shape}"
    else:
        return
    raise ValueError(
        conversation(
            "A generator must be a built model from latents to samples.",
            expected="one input of a known shape, and one output.",
            received=f"'{model.name}' with {received}.",
            fix="pass a function instead, which may draw what else it needs "
            "and call the generator.",
        )
    )


def _check(x: Array, n: int, shape: tuple[int, ...] | None, batch: int) -> None:
    if x.ndim < 1 or len(x) != n:
        raise ValueError(
            conversation(
                "`generate` must return as many samples as it is asked for.",
                expected=f"{n}.",
                received=f"shape {x.shape}.",
            )
        )
    if shape is not None and x.shape[1:] != shape:
        raise ValueError(
            conversation(
                "Generated samples must have the shape of the real ones.",
                expected=f"shape {(n, *shape)}.",
                received=f"shape {x.shape}.",
            )
        )
    bad = ~np.isfinite(x).reshape(n, math.prod(x.shape[1:])).all(axis=1)
    if bad.any():
        raise ValueError(
            conversation(
                "Generated samples must be finite.",
                received=f"NaN or infinity in {int(bad.sum())} of {n} samples "
                f"of batch {batch} (from 0), first in sample "
                f"{int(bad.argmax())}.",
                fix="the generator has diverged: go back to an earlier "
                "checkpoint, lower the learning rates, or look for NaN in "
                "the data.",
            )
        )
