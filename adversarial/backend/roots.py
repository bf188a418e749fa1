"""Square roots that can be differentiated at zero.

Adam and its kin divide by the root of a mean of squared gradients. Where a
gradient is zero, or so small that its square underflows, that root is zero and
its slope infinite, which makes NaN of every derivative through the step. In
exact arithmetic the slope is multiplied by a gradient as small, and what is
left adds nothing that could be seen beside the optimizer's epsilon: so the
slope at zero is taken to be zero.

Keras' optimizers look `sqrt` up in the private module `keras.src.ops`, others
in the public `keras.ops`; both are pinned by `tests/backend/test_roots.py`.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras.src import ops

_MODULES = (ops, keras.ops)
_root = keras.ops.sqrt


@contextlib.contextmanager
def smooth_roots() -> Iterator[None]:
    """Puts `root` in the place of `keras.ops.sqrt` for a while."""
    before = [module.sqrt for module in _MODULES]
    for module in _MODULES:
        module.sqrt = root
    try:
        yield
    finally:
        for module, function in zip(_MODULES, before, strict=True):
            module.sqrt = function


def root(x: Any) -> Any:
    """Returns the square root; its slope is zero where `x` is zero.

    The values are those of `keras.ops.sqrt` to the last bit.
    """
    x = keras.ops.convert_to_tensor(x)
    zero = keras.ops.equal(x, 0)
    found = _root(keras.ops.where(zero, keras.ops.ones_like(x), x))
    return keras.ops.where(zero, keras.ops.zeros_like(found), found)
