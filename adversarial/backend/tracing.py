"""How a step is traced, and what comes of asking it for numbers then."""

import keras


def jit_of_traced_steps() -> bool:
    """Says what `jit_compile` is to be for a step to be traced.

    TensorFlow makes a graph without XLA. JAX traces for XLA or not at all, and
    PyTorch never does.
    """
    return bool(keras.backend.backend() == "jax")


def errors_of_no_values() -> tuple[type[Exception], ...]:
    """The errors of asking a tensor for values that it does not have yet."""
    if keras.backend.backend() != "jax":
        return (NotImplementedError,)
    import jax

    return (
        jax.errors.TracerArrayConversionError,
        jax.errors.ConcretizationTypeError,
    )
