"""Prints the megabytes that one step of an unrolled game takes for itself.

Run as `peak_memory.py DEPTH 0|1`, the last for `rematerialize`.
"""

import ctypes
import gc
import os
import sys
from pathlib import Path

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # Its allocator keeps what it had.

import keras
import numpy as np
from keras import layers

import adversarial

ROWS = 20_000


def status(field):
    """A size of this process, in megabytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


def network(inputs, depth, outputs):
    """Few parameters; with so many rows, the layers' outputs are large."""
    hidden = [layers.Dense(64, activation="tanh") for _ in range(depth)]
    return keras.Sequential(
        [keras.Input((inputs,)), *hidden, layers.Dense(outputs)]
    )


def main():
    depth, rematerialize = map(int, sys.argv[1:])
    generator, discriminator = network(8, 2, 4), network(4, 3, 1)
    model = adversarial.AdversarialModel(
        adversarial.builders.build_gan(generator, discriminator),
        player_params={"generator": generator, "discriminator": discriminator},
    )
    strategy = adversarial.optimizers.Unrolled(
        {"generator": depth}, rematerialize=bool(rematerialize)
    )
    model.compile(strategy, "sgd", "non_saturating", jit_compile=False)
    x = np.random.default_rng(0).normal(size=(ROWS, 4)).astype("float32")
    model.train_on_batch(x)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    held = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    model.train_on_batch(x)
    print(status("VmHWM") - held)


if __name__ == "__main__":
    main()
