"""What many tests of augmentations need."""

import keras
import numpy as np
import pytest
from engines import array, compiled, tensor, values_only as values_only
from keras import ops

import adversarial
from adversarial import backend

STEP = 1e-6
"""Of central differences in double precision."""
TOLERANCE = 1e-7
"""Their error: about the square of the step, and 1e-16 over it; 1e-9 seen."""
SIZE = (6, 5, 3)
"""Of the images of games: neither square nor even."""


@pytest.fixture
def check_derivatives():
    """Compares first and second derivatives with central differences.

    Those of the sum of the weighted sines of what a function makes of images.
    """

    def check(function, images, jit=False):
        rng = np.random.default_rng(3)
        weights = tensor(rng.normal(size=function(images).shape))
        way, other = map(tensor, rng.normal(size=(2, *images.shape)))

        def value(x):
            return ops.sum(ops.sin(function(x)) * weights)

        def slope(x):
            return backend.gradient(value, [x])[0]

        def along(x):
            return ops.sum(slope(x) * way)

        def curvature(x):
            return backend.gradient(along, [x])[0]

        if jit:
            along, curvature = compiled(along, True), compiled(curvature, True)
        x = tensor(images)
        differences = (value(x + STEP * way) - value(x - STEP * way)) / 2 / STEP
        np.testing.assert_allclose(
            array(along(x)),
            array(differences),
            rtol=TOLERANCE,
            atol=TOLERANCE,
        )
        pair = [array(along(x + s * other)) for s in (STEP, -STEP)]
        found = array(ops.sum(curvature(x) * other))
        assert abs(found) > 1e-3
        np.testing.assert_allclose(
            found,
            (pair[0] - pair[1]) / 2 / STEP,
            rtol=TOLERANCE,
            atol=TOLERANCE,
        )

    return check


@pytest.fixture
def remade():
    """Writes the config of a layer and makes another of it."""

    def remake(layer):
        config = keras.saving.serialize_keras_object(layer)
        copy = keras.saving.deserialize_keras_object(config)
        assert type(copy) is type(layer)
        assert copy.get_config() == layer.get_config()
        return copy

    return remake


@pytest.fixture
def networks():
    """Makes a small generator and a small discriminator of images."""

    def make(kernel="glorot_uniform", bias=0.0):
        layers = keras.layers
        generator = keras.Sequential(
            [
                keras.Input((2,)),
                layers.Dense(int(np.prod(SIZE)), "tanh"),
                layers.Reshape(SIZE),
            ],
            name="generator",
        )
        discriminator = keras.Sequential(
            [
                keras.Input(SIZE),
                layers.Flatten(),
                layers.Dense(
                    1,
                    kernel_initializer=kernel,
                    bias_initializer=keras.initializers.Constant(bias),
                ),
            ],
            name="discriminator",
        )
        return generator, discriminator

    return make


@pytest.fixture
def gan(networks):
    """Makes a GAN whose discriminator sees through an augmentation."""

    def make(augment, watch=None, owner=None, **kwargs):
        generator, discriminator = networks(**kwargs)
        critic = adversarial.augmentation.augmented(discriminator, augment)
        latent = adversarial.layers.NormalLatent(2, seed=1)
        base = adversarial.builders.build_gan(generator, critic, latent)
        if watch is not None:
            base = augment.watch(base, **watch)
        return adversarial.AdversarialModel(
            base,
            player_params={
                "generator": generator,
                "discriminator": critic if owner else discriminator,
            },
        )

    return make


@pytest.fixture
def real():
    """A batch of images for these games."""
    rng = np.random.default_rng(5)
    return rng.uniform(-1, 1, (8, *SIZE)).astype("float32")
