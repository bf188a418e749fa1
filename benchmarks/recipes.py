"""Recipes for small GANs of digits: networks, losses, penalties, moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

import adversarial
from adversarial import losses, optimizers, penalties

SHAPE, LATENT = (28, 28, 1), 32
WIDTH = 16
"""Filters at 14 x 14 pixels; twice as many at 7 x 7."""
DECAY = 0.99
"""Of the averages: a longer memory lags behind in so short a training."""
CRITIC_MOVES = 3
GAMMA = 1.0
"""Of R1 and of R2, for pixels in [-1, 1]."""

Model = adversarial.AdversarialModel


def generator_of(norm: bool) -> keras.Model:
    def block(layer: layers.Layer) -> list[layers.Layer]:
        more = [layers.BatchNormalization(momentum=0.9)] if norm else []
        return [layer, *more, layers.ReLU()]

    def up(filters: int, **kwargs: Any) -> layers.Layer:
        return layers.Conv2DTranspose(filters, 4, 2, "same", **kwargs)

    return keras.Sequential(
        [
            keras.Input((LATENT,)),
            *block(layers.Dense(7 * 7 * 2 * WIDTH, use_bias=not norm)),
            layers.Reshape((7, 7, 2 * WIDTH)),
            *block(up(WIDTH, use_bias=not norm)),
            up(1, activation="tanh"),
        ],
        name="generator",
    )


def discriminator_of(norm: str | None) -> keras.Model:
    def normed(layer: layers.Layer) -> layers.Layer:
        if norm == "spectral":
            return adversarial.layers.SpectralNormalization(layer)
        return layer

    down = layers.Conv2D
    batch = [layers.BatchNormalization(momentum=0.9)] * (norm == "batch")
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            normed(down(WIDTH, 4, 2, "same")),
            layers.LeakyReLU(0.2),
            normed(down(2 * WIDTH, 4, 2, "same", use_bias=norm != "batch")),
            *batch,
            layers.LeakyReLU(0.2),
            layers.Flatten(),
            normed(layers.Dense(1)),
        ],
        name="discriminator",
    )


def compiled(
    loss: losses.AdversarialLoss,
    rates: tuple[float, float],
    beta: float,
    *,
    norms: tuple[bool, str | None],
    moves: int = 1,
    penalised: Callable[[keras.Model], list[Any]] = lambda d: [],
) -> Model:
    """Puts a recipe together; rates and norms are (generator, other)."""
    generator, discriminator = (
        generator_of(norms[0]),
        discriminator_of(norms[1]),
    )
    model = Model(
        adversarial.builders.build_gan(
            generator, discriminator, penalties=penalised(discriminator)
        ),
        player_params={"generator": generator, "discriminator": discriminator},
    )
    strategy = optimizers.Alternating(
        ["discriminator", "generator"],
        steps={"discriminator": moves},
        fresh_noise=moves > 1,
    )
    adam = keras.optimizers.Adam
    each = {
        name: adam(rate, beta_1=beta, beta_2=0.9 if beta == 0 else 0.999)
        for name, rate in zip(model.players, rates, strict=True)
    }
    model.compile(optimizers.Averaging(strategy, decay=DECAY), each, loss)
    return model


def non_saturating() -> Model:
    """A DCGAN as of 2016: batch normalisation in both networks."""
    loss = losses.NonSaturating()
    return compiled(loss, (2e-3, 6e-4), 0.5, norms=(True, "batch"))


def least_squares() -> Model:
    loss = losses.LeastSquares()
    return compiled(loss, (2e-3, 6e-4), 0.5, norms=(True, "batch"))


def hinge_sn() -> Model:
    """Spectral normalisation holds the slope of the discriminator."""
    return compiled(losses.Hinge(), (5e-4, 5e-4), 0.5, norms=(True, "spectral"))


def relativistic_r1_r2() -> Model:
    """As R3GAN: paired differences, both penalties, no normalisation."""
    gamma = GAMMA
    loss = losses.RelativisticPaired()
    loss += gamma * losses.Penalty("r1") + gamma * losses.Penalty("r2")
    return compiled(
        loss,
        (2e-3, 2e-3),
        0.0,
        norms=(False, None),
        penalised=lambda d: [penalties.R1(d), penalties.R2(d)],
    )


def wgan_gp() -> Model:
    """No normalisation of the critic, whose slope is that of one sample."""
    loss = losses.Wasserstein() + 10.0 * losses.Penalty("gradient_penalty")
    return compiled(
        loss,
        (5e-4, 5e-4),
        0.0,
        norms=(True, None),
        moves=CRITIC_MOVES,
        penalised=lambda d: [penalties.GradientPenalty(d)],
    )


RECIPES: dict[str, Callable[[], Model]] = {
    "non_saturating": non_saturating,
    "relativistic_r1_r2": relativistic_r1_r2,
    "wgan_gp": wgan_gp,
    "hinge_sn": hinge_sn,
    "least_squares": least_squares,
}
