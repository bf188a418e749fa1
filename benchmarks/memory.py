"""The peak memory of a step of many strategies, and of an epoch.

    python benchmarks/memory.py [--only unrolled_1 ...]

Each strategy trains the DCGAN on batches of 32, and those that unroll a small
dense GAN on batches of 50,000, too: in one what a step remembers is mostly
parameters and the state of optimizers, in the other what the layers returned.
Each has a process of its own (Linux only). After the step that traces and
compiles, the mark of the largest resident set is set back; what it reaches in
the steps that follow, less what the process held with its modules and data
before there was a model, is the memory of the training: parameters, optimizers,
what a step remembers for its derivatives, and the compiled function itself. The
result is printed and written as JSON, with the environment and the commit.
"""

import argparse
import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from step_time import HERE, environment

STEPS = 3
BATCHES = {"dcgan": 32, "dense": 50_000}
MEGA = 1024.0
"""Kilobytes, which is what Linux counts in."""
DEPTHS = (1, 4, 16)
UNROLLED = (
    *(f"unrolled_{depth}" for depth in DEPTHS),
    *(f"unrolled_{depth}_again" for depth in DEPTHS),
    "unrolled_16_constant",
)
"""`again` is with `rematerialize=True`, `constant` with `through=False`."""
NAMES = (
    "alternating",
    "extra_gradient",
    "extra_gradient_past",
    "lookahead",
    "averaging",
    "balanced",
    "consensus",
    "symplectic_gradient_adjustment",
    *UNROLLED,
)


def small_dense() -> tuple[Any, Any]:
    """Networks with few parameters."""
    import keras
    from keras import layers

    def network(inputs: int, depth: int, outputs: int) -> Any:
        hidden = [layers.Dense(64, activation="tanh") for _ in range(depth)]
        return keras.Sequential(
            [keras.Input((inputs,)), *hidden, layers.Dense(outputs)]
        )

    return network(8, 2, 4), network(4, 3, 1)


def strategy_of(name: str) -> Any:
    from adversarial import optimizers as o

    makers: dict[str, Callable[[], Any]] = {
        "extra_gradient_past": lambda: o.ExtraGradient(reuse_past=True),
        "lookahead": lambda: o.Lookahead("simultaneous"),
        "averaging": lambda: o.Averaging("simultaneous"),
        "balanced": lambda: o.Balanced(
            "simultaneous", skip={"discriminator": 0.3}
        ),
    }
    if name.startswith("unrolled_"):
        depth, *how = name.split("_")[1:]
        return o.Unrolled(
            {"generator": int(depth)},
            through="constant" not in how,
            rematerialize="again" in how,
        )
    return makers[name]() if name in makers else o.get(name)


def status(field: str) -> float:
    """A size of this process, in megabytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / MEGA
    raise KeyError(field)


def lower_the_mark() -> None:
    """Sets the largest resident set so far to the present one."""
    Path("/proc/self/clear_refs").write_text("5")


def measure(name: str, game: str) -> dict[str, float]:
    """The megabytes of a training, in this process."""
    import keras
    import numpy as np
    from networks import dcgan

    import adversarial

    keras.utils.set_random_seed(0)
    batch = BATCHES[game]
    shape = (28, 28, 1) if game == "dcgan" else (4,)
    images = np.random.default_rng(0).uniform(size=(STEPS * batch, *shape))
    images = images.astype("float32")
    keras.ops.convert_to_tensor(images[:1])
    gc.collect()
    before = status("VmRSS")
    generator, discriminator = dcgan() if game == "dcgan" else small_dense()
    model = adversarial.AdversarialModel(
        adversarial.builders.build_gan(generator, discriminator),
        player_params={"generator": generator, "discriminator": discriminator},
    )
    adams = [keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in model.players]
    model.compile(strategy_of(name), adams, "non_saturating")
    model.train_on_batch(images[:batch])
    first = status("VmHWM") - before
    found = {"first_step": first}
    lower_the_mark()
    for number in range(1, STEPS):
        model.train_on_batch(images[number * batch :][:batch])
    found["step"] = status("VmHWM") - before
    lower_the_mark()
    model.fit(images, batch_size=batch, verbose=0)
    found["epoch"] = status("VmHWM") - before
    return found


def measure_all(names: list[str], game: str) -> dict[str, dict[str, float]]:
    """Runs a process for each."""
    print(f"{game}, batch {BATCHES[game]}", flush=True)
    found: dict[str, dict[str, float]] = {}
    for name in names:
        command = [sys.executable, __file__, "--one", name, game]
        printed = subprocess.run(
            command, check=True, capture_output=True, text=True
        ).stdout
        sizes = json.loads(printed.splitlines()[-1])
        found[name] = {key: round(size, 1) for key, size in sizes.items()}
        base = found.get("simultaneous", found[name])
        found[name]["ratio"] = round(found[name]["step"] / base["step"], 2)
        print(f"{name:32} {found[name]}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+")
    parser.add_argument(
        "--out", type=Path, default=HERE / "results" / "memory.json"
    )
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(*args.one)))
        return
    wanted = {"dcgan": NAMES, "dense": UNROLLED}
    found = {}
    for game, names in wanted.items():
        chosen = [n for n in names if not args.only or n in args.only]
        found[game] = measure_all(["simultaneous", *chosen], game)
    if args.only:
        return
    args.out.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "environment": environment(),
        "batch": BATCHES,
        "megabytes": found,
    }
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nWritten to {args.out}")


if __name__ == "__main__":
    main()
