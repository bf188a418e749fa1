"""Which derivatives are there at all, on JAX."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

Tensor = Any


def reached(pull: Callable[..., Any], scalars: Any) -> Any:
    """Says which slopes by what a function took are there at all.

    JAX has zeros where there is no path. The path is that of a slope through
    the backward pass, as it is traced.

    Args:
        pull: The backward pass.
        scalars: What the function returned, a nested structure.

    Returns:
        For each scalar a structure of booleans, like that of all slopes.
    """
    traced, slopes = jax.make_jaxpr(pull, return_shape=True)(scalars)
    kind = jax.tree.structure(slopes)
    found = []
    for source in traced.jaxpr.invars:
        seen = {id(source)}
        for step in traced.jaxpr.eqns:
            if not seen.isdisjoint(map(id, step.invars)):
                seen.update(map(id, step.outvars))
        flags = [id(x) in seen for x in traced.jaxpr.outvars]
        found.append(jax.tree.unflatten(kind, flags))
    return jax.tree.unflatten(jax.tree.structure(scalars), found)


def only_reached(
    paths: Sequence[bool], slopes: Sequence[Tensor]
) -> list[Tensor | None]:
    """Returns the slopes; `None` where there is no path."""
    return [x if p else None for p, x in zip(paths, slopes, strict=True)]
