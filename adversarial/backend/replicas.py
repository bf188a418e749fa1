"""Several replicas that play one game, each on its part of the batch.

All run the same step on variables that are equal everywhere. What a network
makes of a part of the batch is different in each replica; whatever a strategy
sees is the same in all. Two functions lead from one to the other:

    total:  (x_1, ..., x_R) -> x_1 + ... + x_R, in every replica
    shared: x -> (x, ..., x)

Each is the transpose of the other, so that a derivative of any order through
both is that of the whole batch. With one replica they do nothing.

Private parts of Keras: an optimizer sums its gradients over the replicas by
`Optimizer._all_reduce_sum_gradients`. Directions are summed already, and
clipped as a whole, so `unsummed` puts it out of action.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

Tensor = Any
ODD = 0x9E3779B9
"""Keeps the random numbers of replicas apart from those of other seeds."""


def replicas() -> int:
    """Returns the number of replicas that share the step."""
    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def replicas_of(distribution: Any) -> int:
    """Returns the number of replicas of a strategy of `tf.distribute`."""
    return int(distribution.num_replicas_in_sync)


def scope() -> Callable[[], contextlib.AbstractContextManager[Any]]:
    """Returns a way back to where variables are made for all replicas.

    A replica is there already.
    """
    if not tf.distribute.has_strategy():
        return contextlib.nullcontext
    strategy = tf.distribute.get_strategy()

    def back() -> contextlib.AbstractContextManager[Any]:
        inside = in_replica()
        return contextlib.nullcontext() if inside else strategy.scope()

    return back


def of_one_replica(spec: Any) -> Any:
    """The shape and dtype that one replica sees of what a strategy deals.

    `tf.distribute` deals values of the private `PerReplicaSpec`, which keeps
    those of the replicas in `_value_specs`.
    """
    parts = getattr(spec, "_value_specs", None)
    return spec if parts is None else parts[0]


def in_replica() -> bool:
    """Says whether this is run by a replica of `tf.distribute`.

    Also by the only one of a strategy with one device, where the optimizers of
    Keras meet as they do with several, and cannot under a condition.
    """
    inside = tf.distribute.get_replica_context() is not None
    return inside and tf.distribute.has_strategy()


def per_replica(loss: Tensor) -> Tensor:
    """Scales a loss so that its sum over equal replicas is the mean."""
    return loss if replicas() == 1 else loss / replicas()


def total(tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Sums tensors over the replicas, all at once; `None` stays `None`."""
    present = [t for t in tensors if t is not None]
    if not present or not in_replica():
        return list(tensors)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def add(*xs: Tensor) -> Any:
        context = tf.distribute.get_replica_context()
        sums = context.all_reduce(tf.distribute.ReduceOp.SUM, list(xs))
        return list(sums), lambda *slopes: [shared(s) for s in slopes]

    sums = iter(add(*present))
    return [None if t is None else next(sums) for t in tensors]


def shared(tensor: Tensor) -> Tensor:
    """Gives every replica a tensor that is the same in all to work on."""
    if not in_replica():
        return tensor

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def copy(x: Tensor) -> Any:
        return tf.identity(x), lambda slope: total([slope])[0]

    return copy(tensor)


def portion(size: Tensor) -> Tensor:
    """The rows of this replica in parts of an equal share.

    Args:
        size: The rows of this replica, an integer scalar.

    Returns:
        A scalar, 1 where all replicas have as many.
    """
    rows = tf.cast(size, tf.float32)
    return rows * replicas() / total([rows])[0]


def weighed(x: Tensor, portion: Tensor | None) -> Tensor:
    """Scales what is a mean over the rows of this replica by their number.

    A replica without rows adds nothing.
    """
    if portion is None:
        return x
    weight = tf.cast(portion, x.dtype)
    return tf.where(weight > 0, x * weight, tf.zeros_like(x))


def agreed(
    variables: Sequence[keras.Variable],
    values: Sequence[Tensor],
    portion: Tensor | None,
) -> list[Tensor]:
    """What the replicas together make of the new values of variables.

    A variable of `aggregation="mean"`, such as a moving mean, takes the mean
    over all rows, one of `"sum"` the sum. Others are taken to be equal.
    """
    if not in_replica():
        return list(values)
    parts: list[Tensor | None] = [None] * len(values)
    for i, (v, x) in enumerate(zip(variables, values, strict=True)):
        if v.aggregation == "mean":
            parts[i] = per_replica(weighed(tf.convert_to_tensor(x), portion))
        elif v.aggregation == "sum":
            parts[i] = tf.convert_to_tensor(x)
    pairs = zip(total(parts), values, strict=True)
    return [x if found is None else found for found, x in pairs]


def write(variable: keras.Variable, value: Tensor) -> None:
    """Writes a variable; of several replicas each writes its own copy.

    What they write must be equal. Unlike `assign` this is no meeting point.
    """
    if in_replica():
        own = variable.value
        value = tf.cast(value, own.dtype)
        tf.raw_ops.AssignVariableOp(resource=own.handle, value=value)
    else:
        variable.assign(value)


def apart(state: Tensor, sign: int = 1) -> Tensor:
    """Gives each replica random numbers of its own.

    Args:
        state: The state of a random generator, the same in all replicas.
        sign: -1 takes the difference out of the state again.
    """
    if not in_replica():
        return state
    number = tf.distribute.get_replica_context().replica_id_in_sync_group
    return state + tf.cast(number, state.dtype) * (sign * ODD)


def apply(
    optimizer: Any,
    gradients: Sequence[Tensor],
    variables: Sequence[keras.Variable],
) -> None:
    """Makes the step of a Keras optimizer with summed gradients."""
    with unsummed(optimizer):
        optimizer.apply(list(gradients), list(variables))


@contextlib.contextmanager
def unsummed(optimizer: Any) -> Iterator[None]:
    """Lets an optimizer take gradients as they are, for a while.

    All replicas meet in the last lines of a step of the optimizer: none comes
    here to the end while another still needs it.
    """
    if not in_replica():
        yield
        return
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    vars(inner)["_all_reduce_sum_gradients"] = list
    try:
        yield
    finally:
        vars(inner).pop("_all_reduce_sum_gradients", None)
