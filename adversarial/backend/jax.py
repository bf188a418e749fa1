"""The primitives of a game step on JAX.

A step is a pure function of all variables. Inside it they live in a
`keras.StatelessScope`, so a function that is differentiated, or run under a
condition, must not leave values of its own in that scope: what it wrote comes
out as a result, and is written outside.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import keras

from adversarial.backend import precision
from adversarial.backend.captured_jax import captured, now, write_all
from adversarial.backend.paths_jax import only_reached, reached

__all__ = [
    "apply",
    "compiled",
    "compiles_steps",
    "concrete",
    "exact_moments",
    "fused",
    "fuses_updates",
    "gradient",
    "jvp",
    "live",
    "own_gradients",
    "read",
    "recomputed",
    "repeat",
    "seldom",
    "switch",
    "values",
    "when",
    "with_slopes",
    "write",
]

Tensor = Any
_Result = TypeVar("_Result")
_Field = Callable[..., Sequence[Tensor | None]]

precision.keep_double(lambda: bool(jax.config.jax_enable_x64))


def read(variable: keras.Variable) -> Tensor:
    """Reads a variable into an array, once."""
    return jnp.asarray(variable.value)


def write(variable: keras.Variable, value: Tensor) -> None:
    """Writes a variable."""
    variable.assign(value)


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
    given = {name: list(block) for name, block in blocks.items()}

    def scalars(parts: Any) -> Any:
        with captured() as written:
            found, tensors = function(parts)
        return {n: found[n] for n in given}, (list(tensors), written)

    found, pull, (tensors, written) = jax.vjp(scalars, given, has_aux=True)
    write_all(written)
    paths = reached(pull, found)
    still = {name: jnp.zeros_like(x) for name, x in found.items()}
    gradients: dict[str, list[Tensor | None]] = {}
    for name in given:
        (slopes,) = pull(still | {name: jnp.ones_like(found[name])})
        (there,) = paths[name]
        gradients[name] = only_reached(there[name], slopes[name])
    return tensors, gradients


def gradient(
    function: Callable[..., Tensor], tensors: Sequence[Tensor]
) -> list[Tensor | None]:
    """Differentiates a scalar function of tensors; `None` is no path."""

    def scalar(*xs: Tensor) -> Any:
        with captured() as written:
            value = function(*xs)
        return value, written

    found, pull, written = jax.vjp(scalar, *tensors, has_aux=True)
    write_all(written)
    slopes = pull(jnp.ones_like(found))
    return only_reached(reached(pull, found), slopes)


def jvp(
    function: _Field,
    primals: Sequence[Tensor],
    tangents: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """Directional derivatives of a function of tensors.

    Args:
        function: Takes the primals and returns tensors (or `None`).
        primals: The tensors at which the derivative is taken.
        tangents: One direction per primal; `None` is zero.

    Returns:
        One derivative per returned tensor; `None` where it is zero.
    """
    directions = [
        jnp.zeros_like(p) if t is None else jnp.asarray(t, p.dtype)
        for p, t in zip(primals, tangents, strict=True)
    ]

    def field(*xs: Tensor) -> Any:
        with captured() as written:
            values = list(function(*xs))
        return values, written

    _, found, written = jax.jvp(
        field, tuple(primals), tuple(directions), has_aux=True
    )
    write_all(written)
    return list(found)


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

    @jax.custom_vjp  # type: ignore[untyped-decorator]
    def call(*xs: Tensor) -> tuple[Tensor, ...]:
        with captured():
            return tuple(function(*xs))

    def forward(*xs: Tensor) -> Any:
        return call(*xs), xs

    def back(xs: Sequence[Tensor], slopes: Sequence[Tensor]) -> Any:
        with captured():
            found = backward(xs, slopes)
        pairs = zip(found, xs, strict=True)
        return tuple(jnp.zeros_like(x) if g is None else g for g, x in pairs)

    call.defvjp(forward, back)
    return list(call(*tensors))


def seldom(
    due: Tensor,
    do: Callable[[], list[Tensor]],
    rest: Callable[[], list[Tensor]],
) -> list[Tensor]:
    """Runs `do` if a boolean scalar holds, and `rest`, its stand-in, if not.

    The other one is not run, compiled or not, also where the result is
    differentiated, to any order.

    Args:
        due: The condition.
        do: Returns tensors.
        rest: Returns tensors of the same shapes and dtypes.

    Returns:
        New tensors, also where `rest` returns some that were there before.
    """
    return switch(jnp.asarray(due, "int32"), [rest, do])


def fused(function: Callable[..., _Result]) -> Callable[..., _Result]:
    """Returns the function: the whole step is compiled."""
    return function


def fuses_updates() -> bool:
    """Says whether `fused` is of use."""
    return False


def when(
    condition: Tensor,
    do: Callable[[], None],
    written: Iterable[keras.Variable] = (),
) -> None:
    """Runs `do`, and keeps what it has written if a boolean scalar holds.

    Args:
        condition: The condition.
        do: The function.
        written: All variables that it writes.
    """
    before = [(v, read(v)) for v in written]
    do()
    for v, old in before:
        write(v, jnp.where(condition, read(v), old))


def switch(
    index: Tensor, branches: Sequence[Callable[[], list[Tensor]]]
) -> list[Tensor]:
    """Runs the branch with the number `index` and returns its tensors."""
    if len(branches) == 1:
        return branches[0]()

    def results(branch: Callable[[], list[Tensor]]) -> Any:
        with captured() as written:
            tensors = branch()
        return [jnp.asarray(t) for t in tensors], written

    # Every branch must return the same variables: all that any of them writes.
    seen = [jax.eval_shape(lambda b=b: results(b)) for b in branches]
    keys = sorted({key for _, written in seen for key in written})

    def complete(branch: Callable[[], list[Tensor]]) -> Any:
        def run() -> Any:
            tensors, written = results(branch)
            return tensors, {k: written.get(k, now(k)) for k in keys}

        return run

    tensors, written = jax.lax.switch(index, [complete(b) for b in branches])
    write_all(written)
    return list(tensors)


def repeat(
    body: Callable[..., Sequence[Tensor]],
    start: Sequence[Tensor],
    times: int,
    until: Callable[..., Tensor] | None = None,
) -> list[Tensor]:
    """Applies a function to its own results in a loop that is traced once.

    With `until` it has no gradient.

    Args:
        body: Takes and returns as many tensors as `start` has, of the same
            shapes and dtypes.
        start: The tensors to begin with.
        times: How often at most.
        until: Takes the same tensors; where it is true, the loop ends.
    """
    tensors = [jnp.asarray(t) for t in start]

    def once(xs: Sequence[Tensor]) -> list[Tensor]:
        with captured():
            found = body(*xs)
        pairs = zip(found, xs, strict=True)
        return [jnp.asarray(new, old.dtype) for new, old in pairs]

    if until is None:
        found, _ = jax.lax.scan(
            lambda xs, _: (once(xs), None), tensors, length=times
        )
        return list(found)

    def go_on(state: Any) -> Tensor:
        count, xs = state
        return jnp.logical_and(count < times, jnp.logical_not(until(*xs)))

    _, found = jax.lax.while_loop(
        go_on, lambda s: (s[0] + 1, once(s[1])), (jnp.asarray(0), tensors)
    )
    return list(found)


def recomputed(
    body: Callable[..., Sequence[Tensor]],
) -> Callable[..., Sequence[Tensor]]:
    """Makes the gradient of a function call it once more."""

    def pure(*tensors: Tensor) -> list[Tensor]:
        with captured():
            return list(body(*tensors))

    checkpointed: Callable[..., Sequence[Tensor]] = jax.checkpoint(pure)
    return checkpointed


def exact_moments() -> contextlib.AbstractContextManager[None]:
    """Does nothing: JAX' moments can be differentiated twice."""
    return contextlib.nullcontext()


def values(x: Tensor) -> Any:
    """Returns the values of a tensor as an array; `None` if it has none yet.

    That is in a function that is traced.
    """
    try:
        return keras.ops.convert_to_numpy(x)
    except TypeError:
        return None


def concrete() -> contextlib.AbstractContextManager[None]:
    """Leaves any trace under construction: what follows runs at once."""
    return jax.ensure_compile_time_eval()  # type: ignore[no-any-return]


def compiles_steps() -> bool:
    """Says whether `jit_compile=True` compiles a whole step."""
    return True


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function: it may read variables, which change."""
    return function


def apply(
    optimizer: Any,
    gradients: Sequence[Tensor],
    variables: Sequence[keras.Variable],
) -> None:
    """Makes the step of a Keras optimizer with summed gradients."""
    if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer.apply(list(gradients), list(variables))
        return
    # Its conditions would leave values of their branches in the scope.
    given = {id(v): g for g, v in zip(gradients, variables, strict=True)}
    owned, kept = optimizer._trainable_variables, optimizer.variables
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gradients do not exist")
        new, state = optimizer.stateless_apply(
            [read(v) for v in kept],
            [given.get(id(v)) for v in owned],
            [read(v) for v in owned],
        )
    for v, x in zip([*owned, *kept], [*new, *state], strict=True):
        write(v, x)
