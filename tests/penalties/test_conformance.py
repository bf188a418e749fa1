"""Every penalty under every first-order strategy and in every mode."""

import keras
import numpy as np
import pytest

import adversarial
from adversarial import penalties, registry
from adversarial.builders import build_gan
from adversarial.losses import NonSaturating, Penalty

layers = keras.layers
RNG = np.random.default_rng(0)
DATA = [RNG.normal(size=(12, n)).astype("float32") for n in (2, 3)]
PER_LAYER = ("orthogonal_regularizer", "weight_clipping")
ELSEWHERE = ("le_cam", "top_k")
"""Layers on scores, whose own tests do the same."""

CASES = {
    "r1": lambda g, d: penalties.R1(d),
    "r2": lambda g, d: penalties.R2(d, interval=2),
    "gradient_penalty": lambda g, d: penalties.GradientPenalty(d),
    "dragan": lambda g, d: penalties.DRAGAN(d, interval=3),
    "max_gradient_penalty": lambda g, d: penalties.MaxGradientPenalty(d),
    "path_length": lambda g, d: penalties.PathLength(g),
}
NOISY = ("gradient_penalty", "dragan", "max_gradient_penalty", "path_length")


def networks(**kwargs):
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4, "tanh"), layers.Dense(3)]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, "tanh", **kwargs),
            layers.Dense(1, dtype="float32", **kwargs),
        ]
    )
    return generator, discriminator


def game(generator, discriminator, made=()):
    base = build_gan(generator, discriminator, False, penalties=list(made))
    return adversarial.AdversarialModel(
        base,
        player_params={"generator": generator, "discriminator": discriminator},
    )


def test_every_penalty_is_here():
    found = {*CASES, *PER_LAYER, *ELSEWHERE}
    assert sorted(found) == registry.names("penalties")


@pytest.mark.parametrize("name", CASES)
def test_layers_that_look_at_slopes(name, conforms):
    def make():
        pair = networks()
        return game(*pair, [CASES[name](*pair)])

    player = "generator" if name == "path_length" else "discriminator"
    loss = NonSaturating() + 0.5 * Penalty(name, player=player)
    conforms(make, {"loss": loss}, [DATA], 4, noisy=name in NOISY)


@pytest.mark.parametrize("name", PER_LAYER)
def test_what_layers_take(name, conforms):
    kwargs = {
        "orthogonal_regularizer": {
            "kernel_regularizer": penalties.OrthogonalRegularizer(0.1)
        },
        "weight_clipping": {"kernel_constraint": penalties.WeightClipping(0.3)},
    }[name]
    conforms(
        lambda: game(*networks(**kwargs)), {"loss": NonSaturating()}, [DATA], 4
    )
