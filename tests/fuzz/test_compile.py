"""The constructor and `compile`, with anything for an argument."""

import hypothesis
import keras
from bad_input import (
    BCE,
    examples,
    finite,
    gan,
    junk,
    outcome,
    parts,
    real,
    still_trains,
    weights,
    whole,
)
from hypothesis import strategies as st

from adversarial import AdversarialModel
from adversarial.builders import build_gan

CONSTRUCTOR = (
    "base_model",
    "player_models",
    "player_params",
    "player_names",
    "name",
)
COMPILE = (
    "adversarial_optimizer",
    "player_optimizers",
    "loss",
    "loss_weights",
    "metrics",
    "weighted_metrics",
    "run_eagerly",
    "steps_per_execution",
    "jit_compile",
    "auto_scale_loss",
    "on_nonfinite",
    "rollback_every",
    "update_state",
)
TARGETS = [
    f"{player}_{output}"
    for player in ("generator", "discriminator")
    for output in ("yfake", "yreal")
]


def by_name():
    """Dicts by names that mean something, and by some that do not."""
    names = ["generator", "discriminator", "yfake", *TARGETS, "generatr", 0]
    return st.dictionaries(st.sampled_from(names), junk(), max_size=3)


def anything():
    return st.one_of(
        junk(), by_name(), st.lists(junk(), min_size=2, max_size=4)
    )


def made(value):
    """Puts objects in the place of their names, at any depth."""
    if isinstance(value, dict):
        return {key: made(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(made(part) for part in value)
    return real(value)


@examples(150)
@hypothesis.given(st.sampled_from(CONSTRUCTOR), anything(), st.booleans())
def test_a_model_is_made_or_says_why_not(argument, value, listed):
    generator, critic = parts()
    owned = {"generator": generator, "discriminator": critic}
    given = {"player_params": list(owned.values()) if listed else owned}
    if argument != "player_models":
        given["base_model"] = build_gan(generator, critic)
    found = outcome(
        lambda: AdversarialModel(**{**given, argument: made(value)})
    )
    if not isinstance(found, Exception):
        assert len(found.players) == 2


@examples(30)
@hypothesis.given(st.sampled_from(COMPILE), anything(), st.booleans())
def test_a_model_compiles_and_trains_or_says_why_not(argument, value, own):
    """Also afterwards: a call that was refused leaves the model as it was."""
    z, x, targets = whole()
    model = gan()
    start = weights(model)
    good = {
        "adversarial_optimizer": "simultaneous",
        "player_optimizers": "sgd",
        "loss": "non_saturating" if own else BCE,
        "run_eagerly": True,
    }
    data = ([z, x],) if own else ([z, x], targets)

    def train():
        given = {**good, argument: made(value)}
        if argument == "jit_compile":
            del given["run_eagerly"]
        model.compile(**given)
        model.fit(*data, verbose=0)

    found = outcome(train)
    if not isinstance(found, Exception):
        assert finite(model)
    # Huge loss weights move far: what is asked is whether it can train.
    for variable, value in zip(model.variables, start, strict=True):
        variable.assign(value)
    model.compile(**good)
    assert still_trains(model, data)


@examples(10)
@hypothesis.given(st.lists(anything(), max_size=3))
def test_callbacks_are_called_or_refused_in_words(value):
    z, x, _ = whole()
    model = gan()
    model.compile("simultaneous", "sgd", "non_saturating", run_eagerly=True)
    callbacks = made(value)
    outcome(lambda: model.fit([z, x], callbacks=callbacks, verbose=0))
    assert still_trains(model, ([z, x],))


def test_a_class_is_not_a_callback():
    found = outcome(
        lambda: compiled_fit(callbacks=[keras.callbacks.TerminateOnNaN])
    )
    assert "write `TerminateOnNaN(...)`" in str(found)


def compiled_fit(**kwargs):
    z, x, _ = whole()
    model = gan()
    model.compile("simultaneous", "sgd", "non_saturating", run_eagerly=True)
    return model.fit([z, x], verbose=0, **kwargs)
