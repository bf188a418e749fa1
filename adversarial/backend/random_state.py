"""Where Keras keeps the state of its random numbers.

Private parts of Keras: `SeedGenerator` names its state variable
`seed_generator_state`; layers that draw without a seed use
`keras.src.random.seed_generator.global_seed_generator`.
"""

import keras
from keras.src.random.seed_generator import global_seed_generator

from adversarial.backend import in_replica

STATE_NAME = "seed_generator_state"
_outside: list[keras.Variable] = []
"""The state in the thread of whoever trains."""


def is_random_state(variable: keras.Variable) -> bool:
    """Says whether a variable is the state of a `SeedGenerator`."""
    return bool(variable.name == STATE_NAME)


def global_random_state() -> keras.Variable:
    """Returns the state behind random numbers drawn without a seed.

    Keras keeps it per thread. The threads in which replicas run get that of
    the thread which called last outside of them.
    """
    if not in_replica() or not _outside:
        try:
            _outside[:] = [global_seed_generator().state]
        except ValueError:  # Keras refuses it while JAX traces.
            if not _outside:
                raise
    return _outside[0]
