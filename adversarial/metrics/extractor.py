"""From a batch of samples to the features that are measured."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from adversarial import backend
from adversarial.backend.tracing import errors_of_no_values
from adversarial.errors import conversation

Tensor = Any
Array = np.ndarray[Any, Any]
Extractor = Callable[[Any], Any]
ENDING = ".keras"


def concrete(x: Any) -> Array | None:
    """Returns the values of a tensor, or `None` in a compiled function."""
    if isinstance(x, np.ndarray):
        return x
    values: Array | None = backend.values(x)
    return values


def resolve(extractor: Any) -> Extractor | None:
    """Returns the function that a metric's `extractor` stands for.

    Args:
        extractor: A Keras model, any callable on a batch, the path of a
            `.keras` file, or `None`.

    Raises:
        ValueError: for the path of another kind of file.
        TypeError: for anything else.
    """
    if isinstance(extractor, str | os.PathLike):
        if Path(extractor).suffix != ENDING:
            raise ValueError(
                conversation(
                    "A saved extractor must be a `.keras` file.",
                    received=f"{str(extractor)!r}.",
                    fix="save a Keras model with `model.save(...)`; for "
                    "weights alone, build the model and load them into it.",
                )
            )
        loaded: Extractor = keras.saving.load_model(
            extractor, compile=False, safe_mode=True
        )
        return loaded
    if extractor is not None and not callable(extractor):
        raise TypeError(
            conversation(
                "`extractor` must turn a batch into features.",
                expected="a Keras model, a callable, the path of a `.keras` "
                "file, or `None` if the data are the features.",
                received=f"an object of type `{type(extractor).__name__}`.",
            )
        )
    function: Extractor | None = extractor
    return function


def extract(extractor: Extractor | None, x: Any) -> Any:
    """Returns what the extractor makes of a batch, in inference mode.

    Raises:
        ValueError: if a callable cannot run in a compiled function.
    """
    if extractor is None:
        return x
    if isinstance(extractor, keras.layers.Layer):
        return extractor(x, training=False)
    try:
        return extractor(x)
    except errors_of_no_values() as error:
        if concrete(x) is not None:
            raise
        raise ValueError(
            conversation(
                "In a compiled function `extractor` must compute with "
                "`keras.ops`.",
                received=f"{extractor!r}, which asks for the values of a "
                "tensor that has none yet.",
                fix="write it with `keras.ops`, compile with "
                "`run_eagerly=True`, or update the metric from a callback.",
            )
        ) from error


def numbers(x: Any, what: str) -> Any:
    """Returns an array or tensor of real numbers; lists become float64.

    Raises:
        TypeError: for anything else.
    """
    if ops.is_tensor(x):
        return x
    values = np.asarray(x)
    if values.dtype.kind not in "biuf":
        raise TypeError(
            conversation(
                f"{what} must be real numbers.",
                received=f"an array of dtype {values.dtype}.",
            )
        )
    return values


def to_config(given: Any) -> Any:
    """Returns a JSON form of an extractor, a model's weights included.

    Raises:
        ValueError: for a callable that cannot be found again when loading.
    """
    if given is None:
        return None
    if isinstance(given, str | os.PathLike):
        return os.fspath(given)
    if isinstance(given, keras.Model):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"extractor{ENDING}"
            given.save(path)
            return {"model": base64.b64encode(path.read_bytes()).decode()}
    weighty = isinstance(given, keras.layers.Layer) and given.variables
    if weighty or not _registered(given):
        raise ValueError(
            conversation(
                "An extractor must be one that can be saved.",
                expected="a Keras model, the path of a `.keras` file, or a "
                "callable that is registered with Keras.",
                received=f"{given!r}.",
                fix="wrap the layer: `keras.Sequential([keras.Input(...), "
                "layer])`."
                if weighty
                else "put `@keras.saving.register_keras_serializable()` "
                "above its definition.",
            )
        )
    return keras.saving.serialize_keras_object(given)


def from_config(config: Any) -> Any:
    """Remakes what a metric was given from its JSON form."""
    if not isinstance(config, dict):
        return config
    if set(config) == {"model"}:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"extractor{ENDING}"
            path.write_bytes(base64.b64decode(config["model"]))
            return resolve(path)
    return keras.saving.deserialize_keras_object(config)


def _registered(given: Any) -> bool:
    """Whether Keras knows a function, or the class of a callable object."""
    for known in (given, type(given)):
        if type(known).__module__ == "builtins" or isinstance(known, type):
            name = keras.saving.get_registered_name(known)
            if keras.saving.get_registered_object(name) is known:
                return True
    return isinstance(given, keras.layers.Layer) and type(
        given
    ).__module__.startswith("keras.")
