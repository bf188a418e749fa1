"""What loops written by hand need, on any engine."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from adversarial import backend


def slopes_by(
    variables: Sequence[keras.Variable], function: Callable[[], Any]
) -> list[Any]:
    """The gradients by variables of a scalar that a function makes of them.

    What the function writes stays as it was.
    """

    def of(*values: Any) -> Any:
        pairs = list(zip(variables, values, strict=True))
        with keras.StatelessScope(pairs):
            return function()

    return backend.gradient(of, [backend.read(v) for v in variables])
