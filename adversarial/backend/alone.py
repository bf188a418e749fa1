"""What needs no engine: one replica, and whether numbers are finite."""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
from keras import ops

__all__ = [
    "agreed",
    "all_finite",
    "apart",
    "distributes",
    "engine_noise",
    "faults_in_words",
    "in_precision_of",
    "in_replica",
    "in_step",
    "is_chief",
    "per_replica",
    "portion",
    "replicas",
    "replicas_of",
    "said_by_all",
    "scope",
    "several_workers",
    "shared",
    "total",
    "weighed",
]

Tensor = Any


def all_finite(tensors: Sequence[Tensor | None]) -> Tensor:
    """Says whether all entries are finite: a boolean scalar.

    Entries whose squares overflow, in float32 at least, count as not finite.
    """
    flags = [
        ops.isfinite(ops.sum(ops.square(_wide(t))))
        for t in tensors
        if t is not None
    ]
    return ops.all(ops.stack(flags)) if flags else ops.convert_to_tensor(True)


def replicas() -> int:
    """Returns 1: `keras.distribution` deals arrays, not steps."""
    return 1


def in_replica() -> bool:
    """Says whether this is run by one of several replicas: never."""
    return False


def scope() -> Callable[[], contextlib.AbstractContextManager[Any]]:
    """Returns a way back to where variables are made."""
    return contextlib.nullcontext


def replicas_of(distribution: Any) -> int:
    """Returns 1."""
    return 1


def distributes(distribution: Any) -> bool:
    """Says whether `tf.distribute` deals the batches: never."""
    return False


def several_workers(distribution: Any = None) -> bool:
    """Says whether replicas of other machines take part: never."""
    return False


def is_chief(distribution: Any) -> bool:
    """Says whether this process writes the files: always."""
    return True


def said_by_all(distribution: Any, numbers: Sequence[int]) -> list[list[int]]:
    """Returns what this process says."""
    return [list(numbers)]


def faults_in_words() -> contextlib.AbstractContextManager[None]:
    """Does nothing: other engines than TensorFlow run what cannot be."""
    return contextlib.nullcontext()


def per_replica(loss: Tensor) -> Tensor:
    """Returns the loss."""
    return loss


def total(tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Returns the tensors: of one replica they are the sum."""
    return list(tensors)


def shared(tensor: Tensor) -> Tensor:
    """Returns the tensor."""
    return tensor


def portion(size: Tensor) -> Tensor:
    """Returns 1, the share of one replica."""
    return 1.0


def weighed(x: Tensor, portion: Tensor | None) -> Tensor:
    """Returns the tensor."""
    return x


def agreed(
    variables: Sequence[keras.Variable],
    values: Sequence[Tensor],
    portion: Tensor | None,
) -> list[Tensor]:
    """Returns the values."""
    return list(values)


def apart(state: Tensor, sign: int = 1) -> Tensor:
    """Returns the state."""
    return state


def in_precision_of(
    things: Iterable[Any],
) -> contextlib.AbstractContextManager[None]:
    """Does nothing: a plain number takes the precision of what is with it."""
    return contextlib.nullcontext()


def in_step() -> bool:
    """Says whether a step of a game runs at once: compiled ones do not."""
    return False


def engine_noise(seed: int) -> contextlib.AbstractContextManager[None]:
    """Does nothing: Keras draws nothing from the engine's own state."""
    return contextlib.nullcontext()


def _wide(x: Tensor) -> Tensor:
    """A tensor of a precision that holds the squares of half precision."""
    return ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
