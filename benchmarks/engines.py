"""Step times of the same games on TensorFlow, JAX and PyTorch.

    python benchmarks/engines.py tensorflow=.venv/bin/python \
        jax=.venv-jax/bin/python torch=.venv-torch/bin/python

takes the Python of each engine's environment. Every game is trained by `fit` in
a process of its own, at batch 128 with a Keras Adam per player, and so is a
loop written by hand for JAX and PyTorch. The processes are started in turn,
round after round; the first epoch, which compiles, is not counted. The figure
of a process is its best epoch of those after, by steps; ratios are formed
within a round, then the median is taken. The result is printed and, after each
round of a network, written as JSON, with the versions and the commit.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from step_time import BATCH, HERE, environment

STEPS = {"dense": 20, "dcgan": 5}
EPOCHS = 3
STRATEGIES = ("simultaneous", "alternating", "extra_gradient")
HAND = "by hand, alternating"
REFERENCE = "tensorflow"


def images(network: str) -> Any:
    """The data of an epoch."""
    import numpy as np

    size = (BATCH * STEPS[network], 28, 28, 1)
    return np.random.default_rng(0).uniform(size=size).astype("float32")


def epoch_of(network: str, name: str, policy: str) -> Any:
    """Returns a function that trains an epoch, and waits for its end."""
    import keras
    from networks import NETWORKS

    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    generator, discriminator = NETWORKS[network]()
    x = images(network)
    if name == HAND:
        if keras.backend.backend() == "jax":
            from loops_jax import alternating
        else:
            from loops_torch import alternating
        return alternating(generator, discriminator, x, BATCH)
    import adversarial

    model = adversarial.AdversarialModel(
        base_model=adversarial.builders.build_gan(generator, discriminator),
        player_params={"generator": generator, "discriminator": discriminator},
    )
    strategy: Any = name
    if name == "alternating":
        order = ["discriminator", "generator"]
        strategy = adversarial.optimizers.Alternating(order=order)
    optimizers = [keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2)]
    model.compile(strategy, optimizers, "non_saturating")
    return lambda: model.fit(x, batch_size=BATCH, shuffle=False, verbose=0)


def time_one(network: str, name: str, policy: str) -> float:
    """Milliseconds of a step in the best epoch after the first."""
    epoch = epoch_of(network, name, policy)
    times = []
    for _ in range(EPOCHS):
        start = time.perf_counter()
        epoch()
        times.append(1e3 * (time.perf_counter() - start))
    return min(times[1:]) / STEPS[network]


def measure(
    pythons: dict[str, str], networks: list[str], rounds: int, policy: str
) -> Iterator[dict[str, Any]]:
    """Runs all processes; gives their figures by network, name, engine."""
    names = [*STRATEGIES, HAND]
    found: dict[str, Any] = {
        n: {k: {e: [] for e in pythons} for k in names} for n in networks
    }
    for number in range(rounds):
        for network in networks:
            for name in names:
                turn = list(pythons) if number % 2 == 0 else [*pythons][::-1]
                for engine in turn:
                    if name == HAND and engine == REFERENCE:
                        continue  # `step_time.py` has it.
                    command = [pythons[engine], __file__, "--policy", policy]
                    printed = subprocess.run(
                        [*command, "--one", network, name],
                        check=True,
                        stdout=subprocess.PIPE,
                        text=True,
                        env={**os.environ, "KERAS_BACKEND": engine},
                    ).stdout
                    figure = float(printed.splitlines()[-1])
                    found[network][name][engine].append(figure)
                    shown = f"round {number + 1}, {network}, {name}, {engine}"
                    print(f"{shown:55} {figure:8.2f} ms", flush=True)
            yield found


def ratios_of(figures: dict[str, Any]) -> dict[str, Any]:
    """Forms the ratios of steps, by game, to those of the reference.

    A loop by hand is compared with `alternating` on the same engine.
    """
    ratios: dict[str, Any] = {}
    for name, by_engine in figures.items():
        for engine, ours in by_engine.items():
            if name == HAND:
                base, label = figures["alternating"][engine], "alternating"
                ours, base = base, ours
                label = f"alternating, {engine} / by hand"
            elif engine != REFERENCE and REFERENCE in by_engine:
                base = by_engine[REFERENCE]
                label = f"{name}, {engine} / {REFERENCE}"
            else:
                continue
            each = [a / b for a, b in zip(ours, base, strict=False)]
            if each:
                ratios[label] = {
                    "median": statistics.median(each),
                    "least": min(each),
                    "most": max(each),
                }
    return ratios


def versions(pythons: dict[str, str]) -> dict[str, Any]:
    """What each environment holds of what counts."""
    code = (
        "from importlib.metadata import version; import sys; "
        "print(*(version(n) for n in sys.argv[1:]))"
    )
    found = {}
    for engine, python in pythons.items():
        names = [engine, "keras", "numpy"]
        printed = subprocess.run(
            [python, "-c", code, *names],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        found[engine] = dict(zip(names, printed.split(), strict=True))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pythons", nargs="*", metavar="ENGINE=PYTHON")
    parser.add_argument("--networks", nargs="+", default=list(STEPS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--policy", default="float32")
    parser.add_argument(
        "--out", type=Path, default=HERE / "results" / "engines.json"
    )
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(time_one(*args.one, args.policy))
        return
    pythons = dict(pair.split("=", 1) for pair in args.pythons)
    if not pythons:
        parser.error("name at least one engine, as in jax=python")
    for figures in measure(pythons, args.networks, args.rounds, args.policy):
        write(args, pythons, figures)
    for network, found in figures.items():
        print(f"\n{network}: ratios of step times, median (least to most)")
        for label, ratio in ratios_of(found).items():
            spread = f"({ratio['least']:.2f} to {ratio['most']:.2f})"
            print(f"  {label:45} {ratio['median']:6.2f}  {spread}")
    print(f"\nWritten to {args.out}")


def write(
    args: argparse.Namespace, pythons: dict[str, str], figures: dict[str, Any]
) -> None:
    """Writes figures and ratios, with what they depend on."""
    place = {
        k: v for k, v in environment().items() if k not in ("keras", "numpy")
    }
    result: dict[str, Any] = {
        "environment": {**place, **versions(pythons)},
        "batch": BATCH,
        "policy": args.policy,
    }
    for network, found in figures.items():
        ratios = ratios_of(found)
        result[network] = {"figures_ms": found, "ratios": ratios}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
