"""What tests need of the engine that Keras runs on."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import adversarial
from adversarial import backend
from adversarial.backend.tracing import jit_of_traced_steps

ENGINE = keras.backend.backend()
Shapes = Sequence[tuple[tuple[int | None, ...], str]]
COMPILES = backend.compiles_steps()
JITS = [
    *([] if ENGINE == "jax" else [pytest.param(False, id="graph")]),
    *([pytest.param(True, id="xla")] if COMPILES else []),
]
"""What `jit_compile` may be; on JAX `False` runs eagerly, as other tests do."""
TRACED = jit_of_traced_steps()
"""What `jit_compile` is where a step shall be traced, whoever compiles it.

JAX traces for XLA or not at all, and long games are slow then.
"""


def only(engine: str, reason: str) -> Any:
    """Marks a test of what only one engine has."""
    return pytest.mark.skipif(ENGINE != engine, reason=reason)


def without(engine: str, reason: str) -> Any:
    """Marks a test of what one engine does not have."""
    return pytest.mark.skipif(ENGINE == engine, reason=reason)


def compiled(
    function: Callable[..., Any],
    jit: bool = False,
    shapes: Shapes | None = None,
    writes: Sequence[keras.Variable] = (),
) -> Callable[..., Any]:
    """Compiles a function as a model on this engine would.

    Args:
        function: Takes and returns tensors.
        jit: Whether XLA compiles it.
        shapes: The shape and dtype of each argument, `None` for a size that
            is not known when the function is traced. PyTorch traces nothing,
            and JAX knows all sizes.
        writes: The variables that the function writes.
    """
    if ENGINE == "tensorflow":
        import tensorflow as tf

        signature = None
        if shapes is not None:
            signature = [tf.TensorSpec(*each) for each in shapes]
        return tf.function(
            function,
            input_signature=signature,
            jit_compile=jit or None,
            autograph=False,
        )
    if ENGINE == "jax":
        import jax

        def pure(values: Any, *tensors: Any) -> Any:
            pairs = list(zip(writes, values, strict=True))
            with keras.StatelessScope(pairs) as scope:
                found = function(*tensors)
            return found, [scope.get_current_value(v) for v in writes]

        made = jax.jit(pure)

        def call(*tensors: Any) -> Any:
            found, values = made([v.value for v in writes], *tensors)
            for v, x in zip(writes, values, strict=True):
                v.assign(x)
            return found

        return call
    return function


def in_a_new_process(
    code: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs a program beside the package; more of the environment by name."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(adversarial.__file__).parents[1],
        env={**os.environ, **environment},
    )


def array(x: Any) -> Any:
    """A tensor or variable as an array, whatever depends on it."""
    return keras.ops.convert_to_numpy(x)


def slopes(function: Callable[..., Any], *points: Any) -> list[Any]:
    """The gradients of a scalar function of tensors; no path is zero."""
    tensors = [keras.ops.convert_to_tensor(x) for x in points]
    found = backend.gradient(function, tensors)
    return [
        np.zeros(x.shape) if g is None else array(g)
        for g, x in zip(found, tensors, strict=True)
    ]


def tensor(x: Any, dtype: str | None = None) -> Any:
    """An array, or a tensor, as a tensor of its own dtype."""
    return keras.ops.convert_to_tensor(x, dtype)


def dtype_of(x: Any) -> str:
    """The name of a dtype: of a tensor, an array or a variable."""
    return keras.backend.standardize_dtype(x.dtype)


@pytest.fixture(autouse=ENGINE == "torch")
def values_only() -> Any:
    """Calls on PyTorch give values, which NumPy reads as they are.

    Slopes are still found where they are asked for, and games train: both
    must hold inside of a user's `torch.no_grad()`.
    """
    if ENGINE != "torch":
        yield
        return
    import torch

    with torch.no_grad():
        yield


def learning() -> Any:
    """A scope for what Keras itself trains while `values_only` is on."""
    if ENGINE != "torch":
        return contextlib.nullcontext()
    import torch

    return torch.enable_grad()


def slopes_of(
    function: Callable[[], tuple[Any, Sequence[Any]]], variables: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """Differentiates by variables what is computed with them.

    What is written meanwhile is forgotten.

    Args:
        function: Returns a scalar and any tensors.
        variables: The variables.

    Returns:
        The tensors and the slopes by the variables; no path is zero.
    """

    def scalars(blocks: Any) -> Any:
        pairs = zip(variables, blocks["x"], strict=True)
        with keras.StatelessScope(list(pairs)):
            scalar, tensors = function()
        return {"x": scalar}, list(tensors)

    points = [backend.read(v) for v in variables]
    tensors, found = backend.own_gradients(scalars, {"x": points})
    return [array(t) for t in tensors], [
        np.zeros(v.shape) if g is None else array(g)
        for g, v in zip(found["x"], variables, strict=True)
    ]


def recorded(folder: Any) -> Iterator[tuple[Any, Any, Any]]:
    """What stands in the event files of a folder, as TensorBoard reads it.

    Yields:
        Events, values of their summaries, and those as arrays.
    """
    for path in Path(folder).glob("events.*"):
        if ENGINE == "tensorflow":
            import tensorflow as tf

            records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
            events = map(tf.compat.v1.Event.FromString, records)
            make_ndarray = tf.make_ndarray
        else:
            from tensorboard.backend.event_processing.event_file_loader import (
                EventFileLoader,
            )
            from tensorboard.util.tensor_util import make_ndarray

            events = EventFileLoader(str(path)).Load()
        for event in events:
            for value in event.summary.value:
                yield event, value, make_ndarray(value.tensor)


def picture(png: bytes) -> Any:
    """The image in a PNG file, of shape (height, width, channels)."""
    found = np.asarray(Image.open(io.BytesIO(png)))
    return found if found.ndim == 3 else found[..., None]
