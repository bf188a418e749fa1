"""The primitives of a game step on PyTorch, which runs at once.

A variable is written in place, so `read` copies it: what a step has read stays
as it was. The graph of a derivative is kept where PyTorch keeps graphs: inside
another derivative, and in what Keras itself trains. A step as a whole, and
what `compiled` returns, run under `torch.no_grad()`.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import keras
import numpy as np
import torch

from adversarial.backend import precision
from adversarial.backend.scopes import only_shapes
from adversarial.backend.scopes_torch import in_precision_of

__all__ = [
    "apply",
    "compiled",
    "compiles_steps",
    "fused",
    "fuses_updates",
    "gradient",
    "jvp",
    "live",
    "own_gradients",
    "peek",
    "read",
    "recomputed",
    "repeat",
    "seldom",
    "specs",
    "specs_of",
    "switch",
    "values",
    "when",
    "with_slopes",
    "write",
]

Tensor = Any
_Result = TypeVar("_Result")
_Field = Callable[..., Sequence[Tensor | None]]

precision.keep_double(lambda: True)


def read(variable: keras.Variable) -> Tensor:
    """Reads a variable into a tensor of its own."""
    value = variable.value
    if isinstance(value, torch.nn.Parameter):
        return value.detach().clone()
    return value


def live(variable: keras.Variable) -> Tensor:
    """Reads a variable for what is differentiated by it, as Keras does.

    What is not trained is copied: it may be written before its values are
    used to differentiate by others.
    """
    value = variable.value
    return value if value.requires_grad else read(variable)


def write(variable: keras.Variable, value: Tensor) -> None:
    """Writes a variable."""
    if torch.is_tensor(value):
        value = value.detach()
    variable.assign(value)


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
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        sources = {n: [_source(t) for t in b] for n, b in blocks.items()}
        scalars, tensors = function(sources)
        gradients = {
            n: _slopes([scalars[n]], sources[n], keep=keep) for n in blocks
        }
    return [t if keep else _cut(t) for t in tensors], gradients


def gradient(
    function: Callable[..., Tensor], tensors: Sequence[Tensor]
) -> list[Tensor | None]:
    """Differentiates a scalar function of tensors; `None` is no path."""
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        sources = [_source(t) for t in tensors]
        return _slopes([function(*sources)], sources, keep=keep)


def jvp(
    function: _Field,
    primals: Sequence[Tensor],
    tangents: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """Directional derivatives of a function of tensors.

    J v is the derivative of J^T u, which is linear in u, by u.

    Args:
        function: Takes the primals and returns tensors (or `None`).
        primals: The tensors at which the derivative is taken.
        tangents: One direction per primal; `None` is zero.

    Returns:
        One derivative per returned tensor; `None` where it is zero.
    """
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        sources = [_source(t) for t in primals]
        values = list(function(*sources))
        present = [v for v in values if v is not None and v.requires_grad]
        u = [torch.zeros_like(v, requires_grad=True) for v in present]
        pulled = _slopes(present, sources, u, keep=True)
        pairs = [
            (p, t)
            for p, t in zip(pulled, tangents, strict=True)
            if p is not None and t is not None and p.requires_grad
        ]
        found = _slopes(
            [p for p, _ in pairs], u, [t for _, t in pairs], keep=keep
        )
    slopes = iter(found)
    known = {id(v) for v in present}
    return [None if id(v) not in known else next(slopes) for v in values]


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

    class Call(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, *xs: Tensor) -> Any:
            ctx.save_for_backward(*xs)
            return tuple(_cut(x) for x in function(*xs))

        @staticmethod
        def backward(ctx: Any, *slopes: Tensor) -> Any:
            return tuple(backward(ctx.saved_tensors, slopes))

    return list(Call.apply(*tensors))


def seldom(
    due: Tensor,
    do: Callable[[], list[Tensor]],
    rest: Callable[[], list[Tensor]],
) -> list[Tensor]:
    """Runs `do` if a boolean scalar holds, and `rest`, its stand-in, if not.

    Args:
        due: The condition.
        do: Returns tensors.
        rest: Returns tensors of the same shapes and dtypes.

    Returns:
        New tensors, also where `rest` returns some that were there before.
    """
    return do() if bool(due) else [t.clone() for t in rest()]


def fused(function: Callable[..., _Result]) -> Callable[..., _Result]:
    """Returns the function."""
    return function


def fuses_updates() -> bool:
    """Says whether `fused` is of use."""
    return False


def when(
    condition: Tensor,
    do: Callable[[], None],
    written: Iterable[keras.Variable] = (),
) -> None:
    """Runs `do` if a boolean scalar holds.

    Args:
        condition: The condition.
        do: The function.
        written: All variables that it writes.
    """
    if bool(condition):
        do()


def switch(
    index: Tensor, branches: Sequence[Callable[[], list[Tensor]]]
) -> list[Tensor]:
    """Runs the branch with the number `index` and returns its tensors."""
    return branches[int(index)]()


def repeat(
    body: Callable[..., Sequence[Tensor]],
    start: Sequence[Tensor],
    times: int,
    until: Callable[..., Tensor] | None = None,
) -> list[Tensor]:
    """Applies a function to its own results.

    Args:
        body: Takes and returns as many tensors as `start` has, of the same
            shapes and dtypes.
        start: The tensors to begin with.
        times: How often at most.
        until: Takes the same tensors; where it is true, the loop ends.
    """
    tensors = list(start)
    for _ in range(times):
        if until is not None and bool(until(*tensors)):
            break
        tensors = list(body(*tensors))
    return tensors


def recomputed(
    body: Callable[..., Sequence[Tensor]],
) -> Callable[..., Sequence[Tensor]]:
    """Makes the gradient of a function call it once more."""

    def backward(xs: Sequence[Tensor], slopes: Sequence[Tensor]) -> Any:
        keep = torch.is_grad_enabled()
        with torch.enable_grad():
            sources = [_source(x) for x in xs]
            pairs = [
                (y, dy)
                for y, dy in zip(body(*sources), slopes, strict=True)
                if y.requires_grad
            ]
            return _slopes(
                [y for y, _ in pairs],
                sources,
                [dy for _, dy in pairs],
                keep=keep,
            )

    # `torch.utils.checkpoint` calls the body once more for every derivative
    # that is taken inside of it.
    return lambda *tensors: with_slopes(body, backward, tensors)


def peek(iterator: Any) -> tuple[Any, Any]:
    """Looks at what an iterator, or a list, will give, without losing it.

    Returns:
        The shapes and dtypes of a batch, and the batches to go on with.
    """
    iterator = iter(iterator)
    first = next(iterator, None)
    if first is None:
        return None, iterator
    return specs(first), itertools.chain([first], iterator)


def specs(structure: Any) -> Any:
    """Replaces tensors by their shapes and dtypes; `None` stays `None`."""

    def spec(x: Any) -> Any:
        if x is None or isinstance(x, keras.KerasTensor):
            return x
        if not hasattr(x, "dtype"):
            x = np.asarray(x)
        dtype = keras.backend.standardize_dtype(x.dtype)
        return keras.KerasTensor(tuple(x.shape), dtype)

    return keras.tree.map_structure(spec, structure)


def specs_of(function: Callable[[Any], Any], inputs: Any) -> Any:
    """The shapes and dtypes of what a function makes of its inputs."""

    def zeros(x: Any) -> Any:
        if x is None:
            return None
        x = specs(x)
        return keras.ops.zeros(x.shape, x.dtype)

    with torch.no_grad(), keras.StatelessScope(), keras.SymbolicScope():
        return specs(function(keras.tree.map_structure(zeros, inputs)))


def values(x: Tensor) -> Any:
    """Returns the values of a tensor as an array; `None` if it has none yet.

    That is where shapes are found with made-up numbers, or without any.
    """
    traced = torch.compiler.is_compiling()
    if traced or only_shapes() or (torch.is_tensor(x) and x.is_meta):
        return None
    try:
        return keras.ops.convert_to_numpy(x)
    except TypeError:
        return None


def compiles_steps() -> bool:
    """Says whether `jit_compile=True` compiles a whole step.

    `torch.compile` has no derivatives of derivatives. What a step reads and
    decides splits it into pieces, each of which is compiled, and again for
    every variable: minutes, for a step that then takes longer.
    """
    return False


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function, whose results do not remember how they came."""
    return torch.no_grad()(function)  # type: ignore[no-any-return]


def apply(
    optimizer: Any,
    gradients: Sequence[Tensor],
    variables: Sequence[keras.Variable],
) -> None:
    """Makes the step of a Keras optimizer with summed gradients."""
    with torch.no_grad(), in_precision_of(variables):
        optimizer.apply([g.detach() for g in gradients], list(variables))


def _source(tensor: Tensor) -> Tensor:
    """A tensor to differentiate by, and only by this use of it."""
    if not (torch.is_floating_point(tensor) or torch.is_complex(tensor)):
        return tensor
    if tensor.requires_grad:
        return tensor.view_as(tensor)
    return tensor.detach().requires_grad_()


def _cut(tensor: Tensor) -> Tensor:
    return tensor.detach() if torch.is_tensor(tensor) else tensor


def _slopes(
    values: Sequence[Tensor],
    sources: Sequence[Tensor],
    weights: Sequence[Tensor] | None = None,
    *,
    keep: bool,
) -> list[Tensor | None]:
    # Whole numbers have no slopes, and PyTorch refuses to be asked for them.
    asked = [s for s in sources if s.requires_grad]
    if not asked or not any(v.requires_grad for v in values):
        return [None] * len(sources)
    found = iter(
        torch.autograd.grad(
            list(values),
            asked,
            weights,
            retain_graph=True,
            create_graph=keep,
            allow_unused=True,
        )
    )
    return [next(found) if s.requires_grad else None for s in sources]
