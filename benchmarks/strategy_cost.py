"""The cost of a step of every strategy, in units of a `Simultaneous` step.

    python benchmarks/strategy_cost.py [--rounds 30] [--only unrolled ...]

All strategies train the dense GAN in one process and make their steps in
turn, so that a slow moment of the machine meets them all; a ratio is formed
within a round, then the median is taken. The first call of each, which traces
and compiles it, is timed too. The result is printed and written as JSON, with
the environment and the commit.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from loops import library
from networks import dense_gan
from step_time import BATCH, HERE, environment

from adversarial import optimizers as o

RATE = 2e-4
SOLVE = {"tolerance": 0.0, "max_iterations": 5}
"""Always 5 iterations: the cost then does not hang on the data."""

STRATEGIES: dict[str, Callable[[], o.AdversarialOptimizer]] = {
    "simultaneous": o.Simultaneous,
    "alternating": o.Alternating,
    "scheduled": lambda: o.Scheduled(["discriminator", "generator"]),
    "extra_gradient": o.ExtraGradient,
    "extra_gradient_past": lambda: o.ExtraGradient(reuse_past=True),
    "optimistic": o.Optimistic,
    "prediction": o.Prediction,
    "lookahead": lambda: o.Lookahead("simultaneous"),
    "averaging": lambda: o.Averaging("simultaneous"),
    "historical_averaging": lambda: o.HistoricalAveraging("simultaneous"),
    "balanced": lambda: o.Balanced("simultaneous", skip={"discriminator": 0.3}),
    "phases": lambda: o.Phases([(1, "simultaneous"), "alternating"]),
    "anderson": lambda: o.Anderson("simultaneous", regularization=1e-6),
    "runge_kutta": o.RungeKutta,
    "consensus": o.Consensus,
    "jare": o.JARE,
    "hamiltonian_descent": o.HamiltonianDescent,
    "odegan_regularizer": o.ODEGANRegularizer,
    "gradient_norm": lambda: o.GradientNorm(
        {"discriminator": {"generator": 0.1, "discriminator": 0.1}}
    ),
    "symplectic_gradient_adjustment": o.SymplecticGradientAdjustment,
    "symplectic_gradient_adjustment_cosine": lambda: (
        o.SymplecticGradientAdjustment(align="cosine")
    ),
    "policy_prediction": lambda: o.PolicyPrediction(RATE),
    "lola": lambda: o.LOLA(RATE),
    "sos": lambda: o.SOS(RATE),
    "lead": lambda: o.LEAD(RATE),
    "competitive_gradient": lambda: o.CompetitiveGradient(**SOLVE),
    "stackelberg_gradient": lambda: o.StackelbergGradient("generator", **SOLVE),
    "follow_the_ridge": lambda: o.FollowTheRidge("generator", **SOLVE),
    "unrolled_constant": lambda: o.Unrolled({"generator": 5}, through=False),
    **{
        name: lambda depth=depth: o.Unrolled({"generator": depth})
        for name, depth in (
            ("unrolled_1", 1),
            ("unrolled_2", 2),
            ("unrolled_4", 4),
            ("unrolled", 5),
            ("unrolled_8", 8),
        )
    },
    "unrolled_8_both": lambda: o.Unrolled(8),
}


def measure(
    names: list[str], rounds: int
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Returns the seconds of the first call and of each step, by strategy."""
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(BATCH, 28, 28, 1)).astype("float32")
    data = tf.data.Dataset.from_tensors(images).repeat()
    steps, first = {}, {}
    for name in names:
        keras.utils.set_random_seed(0)
        step = library(STRATEGIES[name])(*dense_gan(), data)
        start = time.perf_counter()
        tf.nest.map_structure(np.asarray, step())
        first[name], steps[name] = time.perf_counter() - start, step
        print(f"{name:40} first call {first[name]:6.1f} s", flush=True)
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, step in steps.items():
            step()  # its weights back into the caches
            start = time.perf_counter()
            tf.nest.map_structure(np.asarray, step())
            times[name].append(time.perf_counter() - start)
    return first, times


def report(
    first: dict[str, float], times: dict[str, list[float]]
) -> dict[str, Any]:
    """Prints and returns the ratios."""
    cost, spread = {}, {}
    print(f"\n{'in steps of Simultaneous':40} median (quartiles)")
    for name, values in times.items():
        ratios = [
            a / b for a, b in zip(values, times["simultaneous"], strict=True)
        ]
        low, cost[name], high = statistics.quantiles(ratios, n=4)
        spread[name] = [low, high]
        print(f"{name:40} {cost[name]:6.2f} ({low:.2f} to {high:.2f})")
    step = statistics.median(times["simultaneous"])
    return {
        "simultaneous_ms": 1e3 * step,
        "cost": {name: round(x, 3) for name, x in cost.items()},
        "quartiles": {n: [round(x, 3) for x in q] for n, q in spread.items()},
        "first_call_s": {name: round(x, 2) for name, x in first.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", nargs="+", choices=STRATEGIES)
    parser.add_argument(
        "--out", type=Path, default=HERE / "results" / "strategy_cost.json"
    )
    args = parser.parse_args()
    names = list(dict.fromkeys(["simultaneous", *(args.only or STRATEGIES)]))
    found = report(*measure(names, args.rounds))
    if args.only:
        return
    args.out.parent.mkdir(parents=True, exist_ok=True)
    result = {"environment": environment(), "batch": BATCH, **found}
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nWritten to {args.out}")


if __name__ == "__main__":
    main()
