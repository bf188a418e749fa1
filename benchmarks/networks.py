"""The two GANs that are timed."""

import keras
from keras import layers

LATENT = 100


def dense_gan() -> tuple[keras.Model, keras.Model]:
    """784-1024-512-256: small enough that the framework's overhead shows."""

    def block(width: int) -> list[keras.layers.Layer]:
        return [layers.Dense(width), layers.LeakyReLU(0.2)]

    generator = keras.Sequential(
        [
            keras.Input((LATENT,)),
            *block(256),
            *block(512),
            *block(1024),
            layers.Dense(784, activation="sigmoid"),
            layers.Reshape((28, 28, 1)),
        ],
        name="generator",
    )
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Flatten(),
            *block(1024),
            *block(512),
            *block(256),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    return generator, discriminator


def dcgan() -> tuple[keras.Model, keras.Model]:
    """The classic 28 x 28 DCGAN in tanh."""
    generator = keras.Sequential(
        [
            keras.Input((LATENT,)),
            layers.Dense(1024, activation="tanh"),
            layers.Dense(128 * 7 * 7),
            layers.BatchNormalization(),
            layers.Activation("tanh"),
            layers.Reshape((7, 7, 128)),
            layers.UpSampling2D(),
            layers.Conv2D(64, 5, padding="same", activation="tanh"),
            layers.UpSampling2D(),
            layers.Conv2D(1, 5, padding="same", activation="tanh"),
        ],
        name="generator",
    )
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(64, 5, padding="same", activation="tanh"),
            layers.MaxPooling2D(),
            layers.Conv2D(128, 5, activation="tanh"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(1024, activation="tanh"),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    return generator, discriminator


NETWORKS = {"dense": dense_gan, "dcgan": dcgan}
