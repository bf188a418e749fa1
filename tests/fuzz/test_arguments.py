"""Every argument of every public class, with anything for a value."""

import inspect

import hypothesis
import keras
import numpy as np
import pytest
from bad_input import examples, in_words, junk, outcome, real
from hypothesis import strategies as st

from adversarial import games, registry
from adversarial.builders import build_bigan, build_gan, gan_targets

KINDS = (
    "augmentation",
    "layers",
    "losses",
    "metrics",
    "momentum",
    "optimizers",
    "penalties",
)
NEEDED = {
    "classes": 3,
    "code": "code",
    "fake": "a",
    "first": "a",
    "inner": "simultaneous",
    "leader": "x",
    "of": "x",
    "payer": "y",
    "real": "b",
    "samples": "a",
    "schedule": ["x", "y"],
    "second": "b",
    "shape": 2,
    "weights": {"x": {"y": 1.0}},
}
"""Values of arguments that have none by default."""
PASSED_ON = {"name", "dtype", "trainable", "seed", "learning_rate"}
"""Arguments that only go on to Keras."""
PLAYED = games.Bilinear()


def classes(kind):
    return {
        name: registry._BY_KIND[kind][name] for name in registry.names(kind)
    }


def arguments(cls):
    parameters = inspect.signature(cls).parameters.values()
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return [p for p in parameters if p.kind not in kinds]


def needed(cls):
    found = {
        p.name: NEEDED.get(p.name, 2)
        for p in arguments(cls)
        if p.default is p.empty
    }
    if "layer" in found:
        found["layer"] = keras.layers.Dense(2)
    if "network" in found:
        layers = [keras.Input((2,)), keras.layers.Dense(1)]
        found["network"] = keras.Sequential(layers)
    return found


EVERY = [
    (kind, name)
    for kind in KINDS
    for name, cls in classes(kind).items()
    if any(p.name not in PASSED_ON for p in arguments(cls))
]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_an_argument_is_taken_or_refused_in_words(kind, name):
    cls = classes(kind)[name]
    choices = [p.name for p in arguments(cls) if p.name not in PASSED_ON]

    @examples(25)
    @hypothesis.given(st.sampled_from(choices), junk())
    def check(argument, value):
        outcome(lambda: cls(**{**needed(cls), argument: real(value)}))

    check()


@pytest.mark.parametrize("name", registry.names("optimizers"))
def test_a_strategy_that_is_made_plays_or_says_why_not(name):
    """Whatever it was made with: finite weights, or an error in words."""
    cls = classes("optimizers")[name]
    choices = [p.name for p in arguments(cls) if p.name != "inner"]
    if not choices:
        return

    @examples(12)
    @hypothesis.given(st.sampled_from(choices), junk())
    def check(argument, value):
        made = outcome(lambda: cls(**{**needed(cls), argument: real(value)}))
        if isinstance(made, Exception):
            return

        def play():
            model = PLAYED.model()
            sgd = [keras.optimizers.SGD(0.01) for _ in model.players]
            model.compile(made, sgd, PLAYED.loss(), run_eagerly=True)
            model.train_on_batch(np.ones((1, 1)))
            return [np.array(v) for v in model.variables]

        found = outcome(play)
        if not isinstance(found, Exception):
            assert all(np.isfinite(x).all() for x in found)

    check()


@pytest.mark.parametrize(
    ("build", "wanted"),
    [
        (build_gan, ["generator", "discriminator", "latent", "penalties"]),
        (build_bigan, ["generator", "encoder", "discriminator", "latent"]),
        (gan_targets, ["n", "real", "fake"]),
    ],
)
def test_a_builder_builds_or_says_why_not(build, wanted):
    @examples(40)
    @hypothesis.given(st.sampled_from(wanted), junk())
    def check(argument, value):
        def network(*sizes):
            inputs = [keras.Input((n,)) for n in sizes]
            whole = keras.layers.Concatenate()([*inputs, *inputs])
            only = inputs if len(inputs) > 1 else inputs[0]
            return keras.Model(only, keras.layers.Dense(2)(whole))

        given = {
            "generator": network(2),
            "encoder": network(2),
            "discriminator": network(2),
            "n": 3,
        }
        if build is build_bigan:
            given["discriminator"] = network(2, 2)
        known = {
            p.name: given[p.name]
            for p in arguments(build)
            if p.default is p.empty
        }
        outcome(lambda: build(**{**known, argument: real(value)}))

    check()


def test_what_counts_as_words():
    def raised(function):
        try:
            function()
        except Exception as error:
            return error
        raise AssertionError("it raised nothing")

    assert in_words(raised(lambda: gan_targets(-1)))
    assert in_words(raised(lambda: keras.layers.Dense(-1)))
    assert not in_words(raised(lambda: None.attribute))
    assert not in_words(raised(lambda: 1 + "a"))
