"""How a step is traced, where XLA is not the matter."""

import keras


def jit_of_traced_steps() -> bool:
    """Says what `jit_compile` is to be for a step to be traced.

    TensorFlow makes a graph without XLA. JAX traces for XLA or not at all, and
    PyTorch never does.
    """
    return bool(keras.backend.backend() == "jax")
