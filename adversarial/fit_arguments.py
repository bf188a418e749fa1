"""What `compile`, `fit` and `evaluate` refuse before Keras sees it.

Keras takes some of this without a word, such as `batch_size=0` for 32 or a
`validation_split` of 2, and stumbles over other parts of it later.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Number
from typing import Any

import keras
import numpy as np

from adversarial import backend
from adversarial.arguments import checked_count, checked_flag, checked_number
from adversarial.errors import conversation

LEAST = {
    "batch_size": 1,
    "epochs": 0,
    "initial_epoch": 0,
    "steps": 1,
    "steps_per_epoch": 1,
    "validation_batch_size": 1,
    "validation_steps": 1,
    "validation_freq": 1,
}
"""The smallest values of arguments that are whole numbers."""
NEEDED = ("epochs", "initial_epoch", "validation_freq")
"""Those of them that cannot be `None`."""
NO_NUMBERS = "OSUVMmc"
"""NumPy's letters for objects, strings, records, times, complex numbers."""

NO_BATCH = conversation(
    "There must be a batch to {}.",
    received="data that ended before the first one.",
    fix="make a new generator or iterator for each call, and look at filters "
    "and at `take(...)` of a `tf.data.Dataset`.",
)


def check_compile_arguments(given: Mapping[str, Any]) -> None:
    """Checks the flags and counts of `compile`.

    Args:
        given: All arguments by name.

    Raises:
        ValueError: for a count below 1; for `jit_compile=True` on PyTorch.
        TypeError: for a flag that is none, or a count that is no number.
    """
    for name in ("run_eagerly", "auto_scale_loss"):
        checked_flag(name, given[name])
    name = "steps_per_execution"
    checked_count(name, given[name], least=1)
    if given["jit_compile"] != "auto":
        checked_flag("jit_compile", given["jit_compile"])
    if given["jit_compile"] is True and not backend.compiles_steps():
        raise ValueError(
            conversation(
                "A step cannot be compiled on PyTorch: `torch.compile` has no "
                "derivatives of derivatives, and a step that reads and decides "
                "falls into pieces that take longer than it does.",
                expected='`jit_compile="auto"` or `False`, which run it as it '
                "is.",
                received="jit_compile=True.",
                fix="leave `jit_compile` out, or set KERAS_BACKEND to 'jax' or "
                "'tensorflow' before Keras is imported.",
            )
        )


def compile_arguments_here(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Returns saved arguments of `compile` as this engine can have them.

    Args:
        saved: The arguments by name, of a model that any engine saved.
    """
    given = dict(saved)
    if given.get("jit_compile") is True and not backend.compiles_steps():
        warnings.warn(
            "The model was saved with `jit_compile=True`, which PyTorch does "
            'not have for games: it is loaded with `jit_compile="auto"`.',
            stacklevel=2,
        )
        given["jit_compile"] = "auto"
    return given


def check_fit_arguments(
    x: Any, y: Any, given: Mapping[str, Any], targets: int | None
) -> None:
    """Refuses arguments that Keras would misread.

    Args:
        x: The inputs.
        y: The targets.
        given: Other arguments of `fit` or `evaluate`, by name.
        targets: How many targets the model has, if that is known yet.

    Raises:
        ValueError: for a missing input, numbers out of range, arrays that
            hold no numbers, class weights for several targets.
        TypeError: for numbers and callbacks of the wrong type.
    """
    if x is None:
        raise ValueError(
            conversation(
                "`x` must be given.",
                expected="arrays, a `tf.data.Dataset`, a generator or a "
                "`PyDataset`.",
                received="None.",
            )
        )
    for name, least in LEAST.items():
        value = given.get(name, least)
        listed = name == "validation_freq" and isinstance(value, list | tuple)
        if not listed and (value is not None or name in NEEDED):
            checked_count(name, value, least=least)
    split = given.get("validation_split")
    if split is not None:
        checked_number("validation_split", split, least=0, below=1)
    check_callbacks(given.get("callbacks"))
    check_validation_data(given.get("validation_data"))
    check_numbers(x=x, y=y, sample_weight=given.get("sample_weight"))
    single = y is not None and targets in (None, 1)
    if given.get("class_weight") is not None and not single:
        raise ValueError(
            conversation(
                "`class_weight` needs one target, of numbers of classes.",
                received="no `y`." if y is None else f"{targets} targets.",
                fix="pass the weights of the samples, as `sample_weight`.",
            )
        )


def check_callbacks(callbacks: Any) -> None:
    """Refuses what is no callback.

    Raises:
        TypeError: for that.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return
    for callback in keras.tree.flatten(callbacks or []):
        if not isinstance(callback, keras.callbacks.Callback):
            made = isinstance(callback, type) and issubclass(
                callback, keras.callbacks.Callback
            )
            raise TypeError(
                conversation(
                    "`callbacks` must be a list of Keras callbacks.",
                    received=f"{callback!r} of type "
                    f"`{type(callback).__name__}`.",
                    fix=f"write `{callback.__name__}(...)`." if made else None,
                )
            )


def check_validation_data(data: Any) -> None:
    """Refuses one number or word.

    Raises:
        TypeError: for these.
    """
    if data is not None and isinstance(data, str | bytes | Number | np.generic):
        raise TypeError(
            conversation(
                "`validation_data` must be data like those of `x` and `y`.",
                expected="`(x, y)`, `(x,)`, a `tf.data.Dataset` or a "
                "generator.",
                received=f"{data!r} of type `{type(data).__name__}`.",
            )
        )


def check_trained(history: Any, optimizer: Any) -> None:
    """Checks that there was a batch to train on.

    Args:
        history: What `fit` returns.
        optimizer: The strategy of the model.

    Raises:
        ValueError: if there was none.
    """
    begun = int(optimizer.iterations.numpy()) > 0
    if history.epoch and not begun and "loss" not in history.history:
        raise ValueError(NO_BATCH.format("train on"))


def check_numbers(**data: Any) -> None:
    """Refuses NumPy arrays of anything but real numbers.

    Raises:
        ValueError: with the name of the argument.
    """
    for name, part in data.items():
        for array in keras.tree.flatten(part):
            other = isinstance(array, np.ndarray | np.generic)
            if other and array.dtype.kind in NO_NUMBERS:
                raise ValueError(
                    conversation(
                        f"`{name}` must hold real numbers.",
                        received=f"an array of dtype {array.dtype}, of shape "
                        f"{array.shape}.",
                        fix="make numbers of it first, say with "
                        '`numpy.array(..., dtype="float32")` if all rows '
                        "have one length.",
                    )
                )
