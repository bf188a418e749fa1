"""Step times of this library against loops written by hand.

    python benchmarks/step_time.py [--networks dense dcgan] [--rounds 5]

Every loop runs in a process of its own; the processes are started in turn,
round after round, so that a slow moment of the machine meets them all. The
figure of a process is the median of its steps; that of a loop is the median
over the rounds. Ratios are formed within a round, then the median is taken.
The result is printed and written as JSON, with the environment and the commit.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BATCH = 128
STEPS = {"dense": 150, "dcgan": 25}
WARM_UP = 5
RATIOS = (
    ("simultaneous", "hand-simultaneous"),
    ("alternating", "hand-alternating"),
    ("alternating", "keras-style"),
)


def time_one(network: str, loop: str) -> float:
    """Returns the median step time in milliseconds, in this process."""
    import keras
    import numpy as np
    import tensorflow as tf
    from loops import LOOPS
    from networks import NETWORKS

    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).uniform(size=(BATCH, 28, 28, 1))
    data = tf.data.Dataset.from_tensors(images.astype("float32")).repeat()
    step = LOOPS[loop](*NETWORKS[network](), data)
    times = []
    for _ in range(WARM_UP + STEPS[network]):
        start = time.perf_counter()
        tf.nest.map_structure(np.asarray, step())
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[WARM_UP:])


def measure(networks: list[str], rounds: int) -> dict[str, Any]:
    """Runs all processes; returns the times by network and loop."""
    loops = sorted({name for pair in RATIOS for name in pair})
    times: dict[str, Any] = {n: {k: [] for k in loops} for n in networks}
    for number in range(rounds):
        for network in networks:
            for loop in loops if number % 2 == 0 else loops[::-1]:
                command = [sys.executable, __file__, "--one", network, loop]
                printed = subprocess.run(
                    command, check=True, capture_output=True, text=True
                ).stdout
                times[network][loop].append(float(printed.split()[-1]))
                shown = f"round {number + 1}, {network}, {loop}"
                print(f"{shown:45} {times[network][loop][-1]:8.2f} ms")
    return times


def report(times: dict[str, Any]) -> dict[str, Any]:
    """Prints and returns medians, spreads and ratios."""
    found: dict[str, Any] = {}
    for network, by_loop in times.items():
        print(f"\n{network}: milliseconds a step, median (least to most)")
        for loop, values in by_loop.items():
            spread = f"({min(values):.2f} to {max(values):.2f})"
            print(f"  {loop:20} {statistics.median(values):8.2f}  {spread}")
        ratios = {}
        for ours, theirs in RATIOS:
            each = [
                a / b
                for a, b in zip(by_loop[ours], by_loop[theirs], strict=True)
            ]
            ratio = ratios[f"{ours} / {theirs}"] = {
                "median": statistics.median(each),
                "least": min(each),
                "most": max(each),
            }
            name = f"{ours} / {theirs}"
            print(
                f"  {name:33} {ratio['median']:6.3f}  "
                f"({ratio['least']:.3f} to {ratio['most']:.3f})"
            )
        found[network] = {"times_ms": by_loop, "ratios": ratios}
    return found


def environment() -> dict[str, Any]:
    """What the times depend on."""
    from importlib.metadata import version

    commit = subprocess.run(
        ["git", "-C", str(HERE), "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
    ).stdout.strip()
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, no GPU",
        **{name: version(name) for name in ("tensorflow", "keras", "numpy")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(STEPS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--out", type=Path, default=HERE / "results" / "step_time.json"
    )
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(time_one(*args.one))
        return
    found = report(measure(args.networks, args.rounds))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    result = {"environment": environment(), "batch": BATCH, **found}
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nWritten to {args.out}")


if __name__ == "__main__":
    main()
