"""Double precision in Keras' operations, on every engine.

On TensorFlow, Keras computes with float64 where that is what it is given. On
JAX and PyTorch it computes some operations (means, variances, batch
normalisation) in float32 and returns float64, because JAX by itself has no
float64. Where the engine has it, this module lets them compute in it, so that
a game in double precision has the same numbers on all engines.

Only what is computed with float64 is concerned.

Private parts of Keras: `keras.src.backend.common.dtypes.BIT64_TO_BIT32_DTYPE`,
from which `keras.backend.result_type` takes, with `get`, the shorter type.
"""

from collections.abc import Callable
from typing import Any

from keras.src.backend.common import dtypes

LONG = ("float64", "complex128")


class _Shortened(dict[str, str]):
    """Keras' table of types and what to compute in instead.

    Args:
        table: The table.
        is_double: Says whether the engine computes with float64 now.
    """

    def __init__(
        self, table: dict[str, str], is_double: Callable[[], bool]
    ) -> None:
        super().__init__(table)
        self.is_double = is_double

    def get(self, dtype: Any, default: Any = None) -> Any:
        """Returns the type to compute in."""
        if dtype in LONG and self.is_double():
            return dtype
        return super().get(dtype, default)


def keep_double(is_double: Callable[[], bool]) -> None:
    """Lets Keras compute with float64 what it is given in float64.

    Args:
        is_double: Says whether the engine computes with float64 now.
    """
    table = dict(dtypes.BIT64_TO_BIT32_DTYPE)
    dtypes.BIT64_TO_BIT32_DTYPE = _Shortened(table, is_double)
