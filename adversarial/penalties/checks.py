"""What a penalty on a network refuses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from adversarial.errors import conversation, quoted, unknown
from adversarial.layers.positive import finite
from adversarial.player import output_names

Tensor = Any


def check_network(kind: str, network: Any) -> None:
    """Refuses what is no network that can be called.

    Args:
        kind: The name of the penalty, for errors.
        network: What came.

    Raises:
        TypeError: if it is no layer.
        ValueError: if it is not built.
    """
    if not isinstance(network, keras.Layer):
        raise TypeError(
            conversation(
                f"`{kind}` looks at a network.",
                expected="a built `keras.Model`, or a layer.",
                received=f"{network!r} of type `{type(network).__name__}`.",
                fix=f"make the layer, then call it: `{kind}(network)(x)`.",
            )
        )
    if not network.built:
        raise ValueError(
            conversation(
                f"The network of `{kind}` must be built.",
                received=f"'{network.name}', whose variables do not exist yet.",
                fix="begin it with `keras.Input(shape)`.",
            )
        )


def check_policy(kind: str, kwargs: Mapping[str, Any]) -> None:
    """Refuses a precision of the penalty's own.

    Raises:
        ValueError: if there is one.
    """
    if "dtype" in kwargs:
        raise ValueError(
            conversation(
                f"`{kind}` computes in float32, or in float64 for such "
                "samples.",
                received=f"dtype={kwargs['dtype']!r}.",
                fix="pass `dtype` to the layers of the network.",
            )
        )


def check_floats(kind: str, samples: Any) -> None:
    """Refuses samples that cannot be differentiated.

    Raises:
        TypeError: if some are no floats.
    """
    dtypes = [
        keras.backend.standardize_dtype(x.dtype)
        for x in keras.tree.flatten(samples)
    ]
    other = [d for d in dtypes if not keras.backend.is_float_dtype(d)]
    if other:
        raise TypeError(
            conversation(
                f"`{kind}` differentiates its samples, so they must be floats.",
                received=f"{quoted(other)}.",
                fix="pass what is not to be differentiated, such as labels, "
                f"as `given`: `{kind}(network)(x, given=labels)`.",
            )
        )


def chosen(
    kind: str,
    outputs: Sequence[Any],
    choice: str | int | None,
    names: Sequence[str],
) -> Any:
    """Returns the output that is to be differentiated.

    Args:
        kind: The name of the penalty, for errors.
        outputs: The outputs of the network, flat.
        choice: The name or the number of one; `None` for the only one.
        names: Their names.

    Raises:
        ValueError: if it does not exist, or is one of several.
    """
    if isinstance(choice, str):
        if choice not in names:
            raise unknown(f"output in `{kind}(output=...)`", choice, names)
        return outputs[list(names).index(choice)]
    if choice is None and len(outputs) == 1:
        return outputs[0]
    whole = isinstance(choice, int) and not isinstance(choice, bool)
    number = choice if isinstance(choice, int) and whole else len(outputs)
    if not -len(outputs) <= number < len(outputs):
        raise ValueError(
            conversation(
                f"`{kind}` differentiates one output of the network.",
                expected=f"`output=` one of {quoted(names)}, or a number below "
                f"{len(outputs)}.",
                received=f"output={choice}.",
            )
        )
    return outputs[number]


def known_names(network: keras.Layer) -> list[str] | None:
    """Returns the names of a network's outputs in flat order.

    They are `None` if they cannot be known before it is called.
    """
    return output_names(network) if isinstance(network, keras.Model) else None


def names_of(network: keras.Layer, outputs: Any) -> list[str]:
    """Returns the names of the outputs that a network has given."""
    paths = keras.tree.flatten_with_path(outputs)
    return known_names(network) or [
        "_".join(map(str, path)) or "output" for path, _ in paths
    ]


def check_range(
    argument: str,
    value: Any,
    low: float,
    high: float = math.inf,
    *,
    above: bool = False,
) -> float:
    """Returns a finite number in a range.

    Args:
        argument: Its name.
        value: The number.
        low: The least.
        high: The most.
        above: Whether `low` itself is out of the range.

    Raises:
        ValueError: if it is anything else.
    """
    fits = finite(value) and low <= value <= high
    if fits and not (above and value == low):
        return float(value)
    words = f"{'above' if above else 'from'} {low:g}"
    if math.isfinite(high):
        words += f" {'and up' if above else ''} to {high:g}".replace("  ", " ")
    raise ValueError(
        conversation(
            f"`{argument}` is out of range.",
            expected=f"{words}.",
            received=f"{value!r}.",
        )
    )
