"""Makes the checkpoint of a version, and what it must give in later ones.

    python tests/data/make_checkpoint.py

writes `checkpoint_0_1.keras` and `checkpoint_0_1.json` beside this file. They
are kept as they are: a later version that breaks them must read old files in
another way, or say in the changelog that it does not. Files of later versions
get names of their own.
"""

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
from keras import layers

import adversarial
from adversarial import losses, optimizers
from adversarial.augmentation import AdaptiveAugment, augmented
from adversarial.builders import build_gan
from adversarial.layers import NormalLatent, SpectralNormalization
from adversarial.penalties import R1

NAME = "checkpoint_0_1"
STEPS = 5
"""Of a lookahead of 3 and a penalty every 3: both are in mid-cycle."""


def game():
    """A GAN with most of what has a state, compiled."""
    generator = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(4),
            layers.BatchNormalization(),
            layers.Reshape((2, 2, 1)),
        ],
        name="generator",
    )
    discriminator = keras.Sequential(
        [
            keras.Input((2, 2, 1)),
            layers.Flatten(),
            SpectralNormalization(layers.Dense(3, "tanh")),
            layers.Dropout(0.2, seed=1),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    ada = AdaptiveAugment("x_flip", speed=50, interval=2, seed=2)
    base = build_gan(
        generator,
        augmented(discriminator, ada),
        NormalLatent(2, seed=3),
        penalties=[R1(discriminator, interval=3)],
    )
    model = adversarial.AdversarialModel(
        ada.watch(base),
        player_params={"generator": generator, "discriminator": discriminator},
    )
    model.compile(
        optimizers.Averaging(optimizers.Lookahead("alternating", period=3)),
        [keras.optimizers.Adam(1e-2), keras.optimizers.SGD(1e-2, 0.9)],
        losses.NonSaturating() + 0.1 * losses.Penalty("r1"),
        run_eagerly=True,
    )
    return model


def batch(number):
    """The batch of a step, by its number."""
    x = np.random.default_rng(number).normal(size=(4, 2, 2, 1))
    return x.astype("float32")


def numbers_of(model):
    """What a model that is at step `STEPS` is, and what it does next."""
    state = [np.asarray(v, "float64") for v in model.whole_state()]
    found = {
        "shapes": [list(x.shape) for x in state],
        # Distinct weights, so that no two numbers can change places.
        "sums": [float(np.cos(np.arange(x.size)) @ x.ravel()) for x in state],
        "real": model.predict(batch(9), verbose=0)[1].ravel().tolist(),
        "logs": [],
    }
    for number in (STEPS, STEPS + 1):
        logs = model.train_on_batch(batch(number), return_dict=True)
        found["logs"].append({k: float(v) for k, v in logs.items()})
    return found


def compress(path):
    """Writes an archive anew: most of what Keras writes is zeros."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def main():
    """Trains, saves and writes down."""
    keras.utils.set_random_seed(0)
    model = game()
    for number in range(STEPS):
        model.train_on_batch(batch(number))
    path = Path(__file__).with_name(NAME)
    model.save(path.with_suffix(".keras"))
    compress(path.with_suffix(".keras"))
    text = json.dumps(numbers_of(model), indent=1)
    path.with_suffix(".json").write_text(f"{text}\n")


if __name__ == "__main__":
    main()
