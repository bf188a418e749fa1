"""The primitives of a game step on TensorFlow."""

import contextlib
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from adversarial.backend.replicas import (
    in_replica,
    of_one_replica,
    write,
)
from adversarial.errors import conversation

Tensor = Any
LABEL = re.compile(r"label value of (-?\d+).*?range of (\[.*?\))")
"""How TensorFlow names a label that is no class."""
_Result = TypeVar("_Result")


def read(variable: keras.Variable) -> Tensor:
    """Reads a variable into a tensor, once.

    Everything that is computed from the same tensor can be merged by the
    compiler; two reads of one variable cannot.
    """
    return tf.convert_to_tensor(variable.value)


def live(variable: keras.Variable) -> Tensor:
    """Reads a variable for what is differentiated by it, as Keras does."""
    return read(variable)


def own_gradients(
    function: Callable[
        [Mapping[str, Sequence[Tensor]]],
        tuple[Mapping[str, Tensor], Sequence[Tensor]],
    ],
    blocks: Mapping[str, Sequence[Tensor]],
) -> tuple[list[Tensor], dict[str, list[Tensor | None]]]:
    """Differentiates one scalar per player with respect to its own tensors.

    Args:
        function: Takes the blocks and returns a scalar by player, and any
            tensors. What it leaves behind must not depend on the blocks:
            whatever does must be among these.
        blocks: The tensors of each player.

    Returns:
        The tensors that `function` returned, and the gradients by player;
        `None` where there is no path.
    """
    tapes: dict[str, tf.GradientTape] = {}
    with contextlib.ExitStack() as stack:
        for name, block in blocks.items():
            tape = tf.GradientTape(watch_accessed_variables=False)
            tapes[name] = stack.enter_context(tape)
            tape.watch(list(block))
        scalars, tensors = function(blocks)
    return list(tensors), {
        name: [
            dense(g) for g in tape.gradient(scalars[name], list(blocks[name]))
        ]
        for name, tape in tapes.items()
    }


def gradient(
    function: Callable[..., Tensor], tensors: Sequence[Tensor]
) -> list[Tensor | None]:
    """Differentiates a scalar function of tensors; `None` is no path."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(list(tensors))
        value = function(*tensors)
    return [dense(g) for g in tape.gradient(value, list(tensors))]


def with_slopes(
    function: Callable[..., Sequence[Tensor]],
    backward: Callable[[Sequence[Tensor], Sequence[Tensor]], Sequence[Any]],
    tensors: Sequence[Tensor],
) -> list[Tensor]:
    """Calls a function, whose derivative is found by another.

    Args:
        function: Takes the tensors and returns tensors.
        backward: Takes the tensors, and the slopes of a scalar by what
            `function` returned; returns its slopes by the tensors.
        tensors: What the function is called on.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def call(*xs: Tensor) -> Any:
        found = list(function(*xs))
        return found, lambda *slopes: list(backward(xs, slopes))

    return list(call(*tensors))


def all_finite(tensors: Sequence[Tensor | None]) -> Tensor:
    """Says whether all entries are finite, in one pass: a boolean scalar.

    Entries whose squares overflow in float32 count as not finite.
    """
    flags = [tf.math.is_finite(_energy(t)) for t in tensors if t is not None]
    return tf.reduce_all(flags) if flags else tf.constant(True)


def fused(function: Callable[..., _Result]) -> Callable[..., _Result]:
    """Returns a function of tensors that XLA compiles on its own.

    An optimizer's update is a dozen passes over every parameter; fused into
    one, Adam's takes about a third of the time on a CPU.
    """
    compiled: Callable[..., _Result] = tf.function(
        function, jit_compile=True, autograph=False
    )
    return compiled


def fuses_updates() -> bool:
    """Says whether `fused` is of use: on CPUs, outside of `tf.distribute`.

    On accelerators Keras compiles the whole step.
    """
    kinds = {device.device_type for device in tf.config.list_physical_devices()}
    return kinds == {"CPU"} and not tf.distribute.has_strategy()


def when(
    condition: Tensor,
    do: Callable[[], None],
    written: Iterable[keras.Variable] = (),
) -> None:
    """Runs `do` if a scalar boolean tensor holds.

    Replicas cannot meet under a condition. There `do` always runs, and what
    it has written is put back if the condition does not hold.

    Args:
        condition: The condition, the same in all replicas.
        do: The function.
        written: All variables that it writes.
    """
    if in_replica():
        before = [(v, read(v)) for v in written]
        do()
        for v, old in before:
            write(v, tf.where(condition, read(v), old))
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


def repeat(
    body: Callable[..., Sequence[Tensor]],
    start: Sequence[Tensor],
    times: int,
    until: Callable[..., Tensor] | None = None,
) -> list[Tensor]:
    """Applies a function to its own results in a loop that is traced once.

    Outside XLA it cannot be relied on to have a gradient: where tensors are
    large, TensorFlow rewrites sums in the gradient of a loop into temporary
    variables, of which it forgets to destroy those of the last round.

    Replicas cannot meet in a loop: there all rounds are laid out and made, and
    those after the end change nothing.

    Args:
        body: Takes and returns as many tensors as `start` has, of the same
            shapes and dtypes.
        start: The tensors to begin with.
        times: How often at most.
        until: Takes the same tensors; where it is true, the loop ends.
    """

    def go_on(*tensors: Tensor) -> Tensor:
        if until is None:
            return tf.constant(True)
        return tf.logical_not(until(*tensors))

    tensors = [tf.convert_to_tensor(t) for t in start]
    if in_replica():
        going = tf.constant(True)
        for _ in range(times):
            going = tf.logical_and(going, go_on(*tensors))
            pairs = zip(body(*tensors), tensors, strict=True)
            tensors = [tf.where(going, new, old) for new, old in pairs]
        return tensors
    return list(
        tf.while_loop(
            go_on,
            lambda *tensors: list(body(*tensors)),
            tensors,
            maximum_iterations=times,
        )
    )


def recomputed(
    body: Callable[..., Sequence[Tensor]],
) -> Callable[..., Sequence[Tensor]]:
    """Makes the gradient of a function call it once more.

    Run eagerly, it is left as it is. `tf.recompute_grad` would stop the tapes
    that are opened inside.
    """
    if tf.executing_eagerly():
        return body

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def forward(*tensors: Tensor) -> Any:
        def backward(*slopes: Tensor) -> list[Tensor | None]:
            # Else the compiler would merge the two calls.
            with tf.control_dependencies([s for s in slopes if s is not None]):
                again = [tf.identity(t) for t in tensors]
            with tf.GradientTape() as tape:
                tape.watch([t for t in again if t.dtype.is_floating])
                results = list(body(*again))
            pairs = [
                (y, dy)
                for y, dy in zip(results, slopes, strict=True)
                if y.dtype.is_floating
            ]
            sources = [t if t.dtype.is_floating else None for t in again]
            found = iter(
                tape.gradient(
                    [y for y, _ in pairs],
                    [t for t in sources if t is not None],
                    [dy for _, dy in pairs],
                )
            )
            return [None if t is None else next(found) for t in sources]

        return list(body(*tensors)), backward

    return forward  # type: ignore[no-any-return]


@tf.RegisterGradient("XlaDynamicUpdateSlice")  # type: ignore[untyped-decorator]
def _slope_of_update(op: Any, slope: Tensor) -> list[Tensor | None]:
    """What TensorFlow lacks to differentiate a slice twice under XLA."""
    _, update, begin = op.inputs
    rest = keras.ops.slice_update(slope, begin, tf.zeros_like(update))
    size = tf.shape(update, out_type=begin.dtype)
    return [rest, tf.slice(slope, begin, size), None]


def peek(iterator: Any) -> tuple[Any, Any]:
    """Looks at what an iterator will give, without losing it.

    Returns:
        The shapes and dtypes of a batch (`None` if they cannot be known), and
        the iterator to go on with.
    """
    spec = getattr(iterator, "element_spec", None)
    if spec is not None:
        spec = keras.tree.map_structure(of_one_replica, spec)
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


@contextlib.contextmanager
def faults_in_words() -> Iterator[None]:
    """Says in words what TensorFlow says of data that a step cannot use.

    Raises:
        ValueError: for shapes that do not fit and labels out of range, in
            place of the error of an operation.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = LABEL.search(str(error))
        if found:
            message = conversation(
                "Labels must be numbers of classes.",
                expected=f"whole numbers in {found[2]}.",
                received=f"{found[1]}.",
                fix="count classes from 0, and give the network one score per "
                "class.",
            )
        elif "ncompatible shapes" in str(error):
            message = conversation(
                "All arrays of a batch must hold the same number of samples.",
                received="shapes that do not fit each other; see above.",
                fix="look at the shapes of `x`, `y` and `sample_weight` in "
                "every batch that the data give.",
            )
        else:
            raise
        raise ValueError(message) from error


def values(x: Tensor) -> Any:
    """Returns the values of a tensor as an array; `None` if it has none yet.

    That is in a function that is traced.
    """
    try:
        return keras.ops.convert_to_numpy(x)
    except (NotImplementedError, TypeError):
        return None


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


def concrete() -> contextlib.AbstractContextManager[None]:
    """Leaves any graph under construction: what follows runs at once."""
    return tf.init_scope()  # type: ignore[no-any-return]


def compiles_steps() -> bool:
    """Says whether `jit_compile=True` compiles a whole step."""
    return True


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function of structures of tensors, once per signature."""
    traced: Callable[..., Any] = tf.function(function, autograph=False)
    return traced


def dense(gradient: Any) -> Tensor | None:
    """Returns the slices of a gradient as the tensor that they stand for."""
    if isinstance(gradient, tf.IndexedSlices):
        return tf.convert_to_tensor(gradient)
    return gradient


def _energy(x: Tensor) -> Tensor:
    """Half the sum of squares, which half precision could not hold."""
    return tf.nn.l2_loss(tf.cast(x, tf.float32) if x.dtype.size < 4 else x)
