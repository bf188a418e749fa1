"""Plays the cases of `test_devices.py` on two devices of JAX and on one.

JAX must be told of its devices before it starts, so this is a program of its
own. It writes one line of JSON for each case.
"""

import json
import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import keras
import numpy as np
from keras import layers

import adversarial
from adversarial import optimizers as o

ROWS = np.random.default_rng(0).normal(size=(20, 3))
BATCH = 8
"""The last batch has 4 rows."""
CASES = {
    "simultaneous": o.Simultaneous,
    "alternating": lambda: o.Alternating(steps={"discriminator": 2}),
    "extra_gradient": o.ExtraGradient,
    "consensus": lambda: o.Consensus(0.1),
}


def gan():
    """A small GAN with noise and with statistics of the batch."""
    generator = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(4, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dense(3),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, activation="tanh"),
            layers.Dropout(0.2, seed=5),
            layers.Dense(1),
        ]
    )
    latent = adversarial.layers.NormalLatent(2, seed=7)
    return adversarial.AdversarialModel(
        adversarial.builders.build_gan(generator, discriminator, latent),
        player_params={
            "generator": generator,
            "discriminator": discriminator,
        },
    )


def train(strategy, devices):
    """Two epochs: all variables, the logs, and on how many devices they are."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(devices=devices) if devices else None
    )
    model = gan()
    rates = [
        keras.optimizers.SGD(0.05, momentum=0.5),
        keras.optimizers.Adam(0.01, epsilon=1e-3),
    ]
    model.compile(CASES[strategy](), rates, "non_saturating")
    history = model.fit(
        ROWS, batch_size=BATCH, epochs=2, shuffle=False, verbose=0
    ).history
    logs = model.evaluate(ROWS[:8], batch_size=8, verbose=0, return_dict=True)
    numbers = [
        *(np.ravel(keras.ops.convert_to_numpy(v)) for v in model.variables),
        *(
            np.ravel(keras.ops.convert_to_numpy(v))
            for v in model.optimizer.variables
        ),
        *(history[name] for name in sorted(history)),
        [logs[name] for name in sorted(logs)],
    ]
    spread = {len(v.value.sharding.device_set) for v in model.variables}
    return np.concatenate(numbers, dtype="float64").tolist(), sorted(spread)


def main():
    """Plays all cases."""
    keras.config.set_floatx("float64")
    for name in CASES:
        two, spread = train(name, ["cpu:0", "cpu:1"])
        one, alone = train(name, None)
        case = {"two": two, "one": one, "devices": [spread, alone]}
        print("CASE", json.dumps({"name": name, **case}), flush=True)


if __name__ == "__main__":
    main()
