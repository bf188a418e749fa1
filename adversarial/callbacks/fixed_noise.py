"""The same random numbers at every look, without touching the training's."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator

import keras
import numpy as np

from adversarial import backend
from adversarial.backend.random_state import (
    global_random_state,
    is_random_state,
)


@contextlib.contextmanager
def fixed_noise(
    seed: int, variables: Iterable[keras.Variable] = ()
) -> Iterator[None]:
    """Starts all random numbers from a seed, and puts them back at the end.

    What is drawn inside is the same each time, and what is drawn after it is
    what would have been drawn without it. That holds for `keras.random` and
    layers, for the global state of NumPy and for Python's `random`, and for
    PyTorch's, by which Keras shuffles there; not for random operations of other
    frameworks themselves.

    Args:
        seed: A whole number.
        variables: Those of the models that are called inside, or whose
            training goes on after it; of these, the random states are fixed.
    """
    python, legacy = random.getstate(), np.random.get_state()
    found = [global_random_state(), *filter(is_random_state, variables)]
    states = list({id(v): v for v in found}.values())
    before = [np.array(keras.ops.convert_to_numpy(v)) for v in states]
    try:
        random.seed(seed)
        np.random.set_state(np.random.RandomState(seed).get_state())
        for number, state in enumerate(states):
            # The first number is the seed of a generator, the second counts.
            # Mixed, so that neighbouring seeds share no generator.
            mixed = np.random.default_rng([seed, number]).integers(2**31)
            state.assign([mixed, 0])
        with backend.engine_noise(seed):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
        for state, value in zip(states, before, strict=True):
            state.assign(value)
