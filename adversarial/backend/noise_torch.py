"""Dropout on PyTorch draws from Keras' random state, as on other engines.

Where a layer was given no seed, Keras leaves dropout to PyTorch, which draws
from a state of its own: no two evaluations of a step would see the same noise,
and no file would hold it. With a shape for the noise, Keras draws it itself.

Private parts of Keras: `keras.src.backend.torch.random.dropout`, which layers
and `keras.random` call by this name, and what it does with `noise_shape`.
"""

from typing import Any

from keras.src.backend.torch import random

_of_keras = random.dropout


def dropout(
    inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None
) -> Any:
    """Sets numbers to zero, and scales up the rest; see `keras.random`."""
    if noise_shape is None:
        noise_shape = tuple(inputs.shape)
    return _of_keras(inputs, rate, noise_shape, seed)


random.dropout = dropout
