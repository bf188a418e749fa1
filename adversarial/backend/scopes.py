"""Where Keras asks for shapes only, and where it keeps what is written.

Private parts of Keras: `keras.src.backend.common.symbolic_scope`, and its
`in_symbolic_scope`; `keras.src.backend.common.stateless_scope`, and its
`in_stateless_scope`.
"""

from keras.src.backend.common.stateless_scope import in_stateless_scope
from keras.src.backend.common.symbolic_scope import in_symbolic_scope


def only_shapes() -> bool:
    """Says whether what is computed is thrown away, but for its shape.

    So it is where a model is built on symbols, and on JAX and PyTorch before
    the first batch; the numbers, if there are any, are made up.
    """
    return bool(in_symbolic_scope())


def in_scope() -> bool:
    """Says whether what is written goes into a `keras.StatelessScope`."""
    return bool(in_stateless_scope())
