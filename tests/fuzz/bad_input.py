"""Bad input, drawn by Hypothesis: what holds for all of it, and how much.

`FUZZ=50 pytest tests/fuzz` draws 50 times as many examples as the suite does.
By default the examples are always the same; with `FUZZ` they are new ones.
"""

import os
import re
import signal
import traceback
import warnings
from contextlib import contextmanager
from dataclasses import dataclass

import hypothesis
import keras
import numpy as np
from hypothesis import strategies as st

import adversarial
from adversarial.builders import build_gan, gan_targets

TIMES = int(os.environ.get("FUZZ", "1"))
LIMIT = 180
"""Seconds in which an example ends on a slow machine, unless it hangs."""
IN_WORDS = re.compile(r"\n  (Expected|Received|Fix): ")
BCE = keras.losses.BinaryCrossentropy(from_logits=True)
KERAS = os.path.dirname(os.path.abspath(keras.__file__)) + os.sep
ROWS = 6

hypothesis.settings.register_profile(
    "fuzz",
    derandomize=TIMES == 1,
    deadline=None,  # `in_time` keeps it: the first run is slow.
    database=None,
    # No shrinking: an example that trains takes long, and is small anyway.
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    report_multiple_bugs=False,
    print_blob=TIMES > 1,
    suppress_health_check=list(hypothesis.HealthCheck),
)


def examples(count):
    """Settings for so many examples, more with `FUZZ`."""
    profile = hypothesis.settings.get_profile("fuzz")
    return hypothesis.settings(profile, max_examples=count * TIMES)


@contextmanager
def in_time():
    """Ends what hangs."""

    def end(*_):
        raise AssertionError(f"it hung for {LIMIT} seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def in_words(error):
    """Whether an error says what is wrong: in our form, or in Keras' own.

    Keras' own is one that Keras raises; not one over which it stumbles.
    """
    if not isinstance(error, ValueError | TypeError | ArithmeticError):
        return False
    if IN_WORDS.search(str(error)) or "must" in str(error).split("\n")[0]:
        return True
    last = traceback.extract_tb(error.__traceback__)[-1]
    raised = (last.line or "").startswith(("raise", ")", 'f"', '"'))
    return last.filename.startswith(KERAS) and raised


def outcome(function):
    """What a function returns, or the error, which must be in words."""
    keras.config.disable_traceback_filtering()
    try:
        with in_time(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function()
    except Exception as error:
        if not in_words(error):
            raise
        return error
    finally:
        keras.config.enable_traceback_filtering()


MADE = {
    "layer": lambda: keras.layers.Dense(2),
    "optimizer": lambda: keras.optimizers.SGD(),
    "strategy": lambda: adversarial.optimizers.Simultaneous(),
    "loss": lambda: adversarial.losses.NonSaturating(),
    "tensor": lambda: keras.ops.convert_to_tensor([1.0, 2.0]),
    "variable": lambda: keras.Variable(1.0),
    "model": lambda: keras.Sequential([keras.layers.Dense(2)]),
}
"""Objects that are made when they are used: Keras draws random numbers."""


@dataclass(frozen=True)
class Made:
    """Stands for an object by its name in `MADE`."""

    name: str


def real(value):
    """Puts the object in the place of its name."""
    return MADE[value.name]() if isinstance(value, Made) else value


def scalars():
    """Numbers of every kind, words and nothing."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 5),
        st.floats(width=32),
        st.sampled_from(
            [0.0, 0.5, 1.0, -1.0, float("nan"), float("inf"), 1j, b"x"]
        ),
        st.sampled_from(["", "a", "x", "y", "adam", "alternating", "mse"]),
        st.sampled_from(
            [
                np.float32(0.5),
                np.float64("nan"),
                np.int64(2),
                np.bool_(True),
                np.array(1.0),
                np.str_("a"),
            ]
        ),
    )


def junk():
    """Anything that somebody could pass for an argument."""
    return st.one_of(
        scalars(),
        st.lists(scalars(), max_size=3),
        st.tuples(scalars(), scalars()),
        st.dictionaries(
            st.sampled_from(["x", "y", "a", 0, ""]), scalars(), max_size=2
        ),
        st.sampled_from(
            [
                object(),
                int,
                len,
                keras.layers.Dense,
                keras.optimizers.SGD,
                np.ones(2),
                np.ones((2, 2)),
                np.array(["a", "b"]),
                np.array([None, 1], dtype=object),
                {1, 2},
                range(2),
            ]
        ),
        st.sampled_from(list(MADE)).map(Made),
    )


def parts():
    """A generator and a critic of samples of two numbers."""
    dense = keras.layers.Dense
    generator = keras.Sequential(
        [keras.Input((2,)), dense(3, "tanh"), dense(2)], name="generator"
    )
    critic = keras.Sequential(
        [keras.Input((2,)), dense(3, "tanh"), dense(1)], name="discriminator"
    )
    return generator, critic


def gan(latent=False):
    """A small GAN, always from the same weights, z and x as its inputs."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    generator, critic = parts()
    return adversarial.AdversarialModel(
        build_gan(generator, critic, latent),
        player_params={"generator": generator, "discriminator": critic},
    )


def compiled(loss="non_saturating", **kwargs):
    """A GAN that draws no noise, run eagerly unless told otherwise."""
    model = gan()
    given = {"run_eagerly": True, **kwargs}
    model.compile("simultaneous", "sgd", loss, **given)
    return model


def weights(model):
    """Copies of all weights."""
    return [np.array(v) for v in model.variables]


def finite(model):
    """Whether all weights are."""
    return all(np.isfinite(w).all() for w in weights(model))


def still_trains(model, data):
    """Whether a model that has met a fault goes on with good data."""
    before = weights(model)
    model.fit(*data, verbose=0)
    moved = zip(before, weights(model), strict=True)
    return finite(model) and any(np.any(a != b) for a, b in moved)


def whole():
    """Numbers that every type of number holds: z, x and targets."""
    numbers = np.random.default_rng(0)
    x = numbers.integers(0, 4, (ROWS, 2)).astype("float32")
    z = numbers.integers(0, 4, (ROWS, 2)).astype("float32")
    return z, x, gan_targets(ROWS)
