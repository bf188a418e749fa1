"""What batches look like, before a step of JAX is traced."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import keras
import numpy as np

from adversarial.backend.captured_jax import captured

__all__ = ["peek", "specs", "specs_of"]

Tensor = Any


def peek(iterator: Any) -> tuple[Any, Any]:
    """Looks at what an iterator will give, without losing it.

    Returns:
        The shapes and dtypes of a batch, and the iterator to go on with.
    """
    if not isinstance(iterator, Iterator):
        return None, iterator
    first = next(iterator)
    return specs(first), itertools.chain([first], iterator)


def specs(structure: Any) -> Any:
    """Replaces tensors by their shapes and dtypes; `None` stays `None`."""

    def spec(x: Any) -> Any:
        if x is None or isinstance(x, jax.ShapeDtypeStruct):
            return x
        if not hasattr(x, "dtype"):
            x = np.asarray(x)
        dtype = keras.backend.standardize_dtype(x.dtype)
        return jax.ShapeDtypeStruct(x.shape, dtype)

    return keras.tree.map_structure(spec, structure)


def specs_of(function: Callable[[Any], Any], inputs: Any) -> Any:
    """The shapes and dtypes of what a function makes of its inputs.

    The function is traced, not run.
    """
    leaves = keras.tree.flatten(inputs)
    present = [specs(x) for x in leaves if x is not None]

    def of_present(xs: Sequence[Tensor]) -> Any:
        given = iter(xs)
        filled = [None if x is None else next(given) for x in leaves]
        with captured():
            return function(keras.tree.pack_sequence_as(inputs, filled))

    return jax.eval_shape(of_present, present)
