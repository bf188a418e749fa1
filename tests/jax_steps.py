"""How steps of JAX treat variables, for tests."""

import jax.numpy as jnp
import keras


def pure(function, *variables):
    """A function of variables as one of their values, as steps are."""

    def run(values, *args):
        pairs = list(zip(variables, values, strict=True))
        with keras.StatelessScope(pairs) as scope:
            found = function(*args)
        return found, [scope.get_current_value(v) for v in variables]

    return run


def array(*numbers, dtype="float64"):
    return jnp.asarray(numbers, dtype)
