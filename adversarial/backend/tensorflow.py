"""The primitives of a game step on TensorFlow."""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

Tensor = Any
_Result = TypeVar("_Result")


def read(variable: keras.Variable) -> Tensor:
    """Reads a variable into a tensor, once.

    Everything that is computed from the same tensor can be merged by the
    compiler; two reads of one variable cannot.
    """
    return tf.convert_to_tensor(variable.value)


def own_gradients(
    function: Callable[[], tuple[Mapping[str, Tensor], _Result]],
    blocks: Mapping[str, Sequence[Tensor]],
) -> tuple[_Result, dict[str, list[Tensor | None]]]:
    """Differentiates one scalar per player with respect to its own tensors.

    Args:
        function: Returns a scalar by player, and anything else.
        blocks: The tensors of each player.

    Returns:
        What else `function` returned, and the gradients by player; `None`
        where there is no path.
    """
    tapes: dict[str, tf.GradientTape] = {}
    with contextlib.ExitStack() as stack:
        for name, block in blocks.items():
            tape = tf.GradientTape(watch_accessed_variables=False)
            tapes[name] = stack.enter_context(tape)
            tape.watch(list(block))
        scalars, result = function()
    return result, {
        name: [
            _dense(g) for g in tape.gradient(scalars[name], list(blocks[name]))
        ]
        for name, tape in tapes.items()
    }


def gradient(
    function: Callable[[], Tensor], tensors: Sequence[Tensor]
) -> list[Tensor | None]:
    """Differentiates a scalar with respect to tensors that it is made of."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(list(tensors))
        value = function()
    return [_dense(g) for g in tape.gradient(value, list(tensors))]


def jvp(
    function: Callable[[], Sequence[Tensor | None]],
    primals: Sequence[Tensor],
    tangents: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """Directional derivatives of tensors that are made of the primals.

    Args:
        function: Returns tensors (or `None`) that depend on `primals`.
        primals: The tensors at which the derivative is taken.
        tangents: One direction per primal; `None` is zero.

    Returns:
        One derivative per returned tensor; `None` where it is zero.
    """
    directions = [
        tf.zeros_like(p) if t is None else tf.convert_to_tensor(t)
        for p, t in zip(primals, tangents, strict=True)
    ]
    with tf.autodiff.ForwardAccumulator(
        list(primals), directions
    ) as accumulator:
        values = function()
    return [None if v is None else accumulator.jvp(v) for v in values]


def all_finite(tensors: Sequence[Tensor | None]) -> Tensor:
    """Says whether all entries are finite, in one pass: a boolean scalar.

    Entries whose squares overflow in float32 count as not finite.
    """
    flags = [tf.math.is_finite(_energy(t)) for t in tensors if t is not None]
    return tf.reduce_all(flags) if flags else tf.constant(True)


def fused(function: Callable[..., None], *tensors: Tensor) -> None:
    """Calls a function that writes variables, compiled by XLA on its own.

    An optimizer's update is a dozen passes over every parameter; fused into
    one, Adam's takes about a third of the time on a CPU.
    """
    compiled = tf.function(function, jit_compile=True, autograph=False)
    compiled(*tensors)


def fuses_updates() -> bool:
    """Says whether `fused` is of use: on CPUs, in one replica.

    On accelerators Keras compiles the whole step.
    """
    kinds = {device.device_type for device in tf.config.list_physical_devices()}
    return kinds == {"CPU"} and replicas() == 1


def when(condition: Tensor, do: Callable[[], None]) -> None:
    """Runs `do` if a scalar boolean tensor holds.

    Across replicas, where a variable cannot be written under a condition,
    `do` always runs.
    """
    if replicas() > 1:
        do()
        return

    def branch() -> Tensor:
        do()
        return tf.constant(0)

    tf.cond(condition, branch, lambda: tf.constant(0))


def switch(
    index: Tensor, branches: Sequence[Callable[[], list[Tensor]]]
) -> list[Tensor]:
    """Runs the branch with the number `index` and returns its tensors."""
    if len(branches) == 1:
        return branches[0]()
    return list(tf.switch_case(tf.cast(index, tf.int32), list(branches)))


def replicas() -> int:
    """Returns the number of replicas that share the step."""
    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def per_replica(loss: Tensor) -> Tensor:
    """Scales a loss so that its sum over the replicas is the mean."""
    return loss if replicas() == 1 else loss / replicas()


def across_replicas(gradients: list[Tensor | None]) -> list[Tensor | None]:
    """Sums gradients over the replicas, for a step that is not real.

    The real step needs no such call: Keras optimizers sum on their own.
    """
    context = tf.distribute.get_replica_context()
    if replicas() == 1 or context is None:
        return gradients
    present = [g for g in gradients if g is not None]
    summed = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, present))
    return [None if g is None else next(summed) for g in gradients]


def peek(iterator: Any) -> tuple[Any, Any]:
    """Looks at what an iterator will give, without losing it.

    Returns:
        The shapes and dtypes of a batch (`None` if they cannot be known), and
        the iterator to go on with.
    """
    spec = getattr(iterator, "element_spec", None)
    if spec is not None:
        known = (tf.TensorSpec, tf.OptionalSpec, type(None))
        leaves = keras.tree.flatten(spec)
        plain = all(isinstance(leaf, known) for leaf in leaves)
        return specs(spec) if plain else None, iterator
    if not isinstance(iterator, Iterator):
        return None, iterator
    first = next(iterator)
    return specs(first), itertools.chain([first], iterator)


def specs(structure: Any) -> Any:
    """Replaces tensors by their shapes and dtypes; `None` stays `None`."""

    def spec(x: Any) -> tf.TensorSpec | None:
        if x is None or isinstance(
            x, tf.OptionalSpec | tf.experimental.Optional
        ):
            return None
        if isinstance(x, tf.TensorSpec):
            return x
        if not tf.is_tensor(x):
            x = np.asarray(x)
        return tf.TensorSpec(x.shape, x.dtype)

    return keras.tree.map_structure(spec, structure)


def specs_of(function: Callable[[Any], Any], inputs: Any) -> Any:
    """The shapes and dtypes of what a function makes of its inputs.

    The function is traced, not run.
    """
    traced = tf.function(function, autograph=False)
    return specs(traced.get_concrete_function(inputs).structured_outputs)


def concrete() -> contextlib.AbstractContextManager[None]:
    """Leaves any graph under construction: what follows runs at once."""
    return tf.init_scope()  # type: ignore[no-any-return]


def _energy(x: Tensor) -> Tensor:
    """Half the sum of squares, which half precision could not hold."""
    return tf.nn.l2_loss(tf.cast(x, tf.float32) if x.dtype.size < 4 else x)


def _dense(gradient: Any) -> Tensor | None:
    if isinstance(gradient, tf.IndexedSlices):
        return tf.convert_to_tensor(gradient)
    return gradient
