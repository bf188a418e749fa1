"""What holds for the time of a step on PyTorch: modes, noise, precision."""

import contextlib
import contextvars
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import torch

__all__ = [
    "concrete",
    "engine_noise",
    "exact_moments",
    "in_precision_of",
    "in_step",
]

_stepping = contextvars.ContextVar("stepping", default=False)


def in_step() -> bool:
    """Says whether a step of a game runs that is not there to be debugged.

    Compiled steps of other engines have no numbers; this one has, and should
    not spend the time on what is asked for at the end of an epoch.
    """
    return _stepping.get()


@contextlib.contextmanager
def step(*, debugged: bool) -> Iterator[None]:
    """A step of a game, or several, of which no graph is kept.

    Args:
        debugged: Whether the model was compiled with `run_eagerly=True`.
    """
    token = _stepping.set(not debugged)
    try:
        with torch.no_grad():
            yield
    finally:
        _stepping.reset(token)


@contextlib.contextmanager
def engine_noise(seed: int) -> Iterator[None]:
    """Fixes the random numbers of PyTorch itself, such as those that shuffle.

    What is drawn after it is what would have been drawn without it.

    Args:
        seed: A whole number.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextlib.contextmanager
def in_precision_of(things: Iterable[Any]) -> Iterator[None]:
    """Lets plain numbers have double precision if tensors or variables have.

    On PyTorch, Keras' operations round a number such as 0.999 to the precision
    of `keras.config.floatx`, whatever it is multiplied by.
    """
    before = keras.config.floatx()
    kinds = {keras.backend.standardize_dtype(x.dtype) for x in things}
    if "float64" in kinds:
        keras.config.set_floatx("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def exact_moments() -> contextlib.AbstractContextManager[None]:
    """Does nothing: PyTorch's moments can be differentiated twice."""
    return contextlib.nullcontext()


def concrete() -> contextlib.AbstractContextManager[None]:
    """Does nothing: all that there is is concrete."""
    return contextlib.nullcontext()
