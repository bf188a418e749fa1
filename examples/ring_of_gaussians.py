"""A GAN forgets modes, or does not: how the players move decides.

    python examples/ring_of_gaussians.py --out output/ring

The data are eight narrow Gaussians on a circle. The generator learns ten times
as fast as the discriminator, so it runs from mode to mode, and simultaneous
steps do not end that chase before the learning rates have fallen to zero.
Networks, data and learning rates are the same in every row; only the strategy
differs. One seed takes about eight minutes on two CPU cores, `--seeds 5` forty.

What you should see: in `ring.png` the samples of simultaneous training sit on
or beside one mode, another one each time you look; unrolling, symplectic
gradient adjustment and consensus soon sit on all eight; the lookahead of
alternating steps spreads over them later and less sharply. For seeds 0 to 4
they end on 0, 0, 0, 0, 6 modes (simultaneous), 8, 8, 8, 7, 7 (unrolled), 8 at
every seed (adjustment, consensus) and 8, 7, 8, 0, 8 (lookahead): medians of 0
and four times 8. With rates that do not fall, unrolling loses modes again.

References:
- Metz, Poole, Pfau, Sohl-Dickstein, Unrolled Generative Adversarial Networks,
  ICLR 2017, arXiv 1611.02163, section 3.1 (the ring).
- Srivastava et al., VEEGAN, NIPS 2017, arXiv 1705.07761 (a mode is covered if
  a sample is within three standard deviations).
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure

from adversarial import games
from adversarial.optimizers import (
    AdversarialOptimizer,
    Alternating,
    Consensus,
    Lookahead,
    Simultaneous,
    SymplecticGradientAdjustment,
    Unrolled,
)

STRATEGIES: dict[str, Callable[[], AdversarialOptimizer]] = {
    "simultaneous": Simultaneous,
    "unrolled": lambda: Unrolled({"generator": 5}),
    "symplectic gradient\nadjustment": SymplecticGradientAdjustment,
    "consensus": Consensus,
    "lookahead of\nalternating": lambda: Lookahead(Alternating(), 20, 0.2),
}
SMOKE = ("simultaneous", "consensus")
RATES = {"generator": 1e-3, "discriminator": 1e-4}
"""At the start; they fall to zero along half a cosine."""
BATCH, STEPS = 128, 1000  # per epoch
SAMPLES = 2500
COLUMNS = 6  # moments in the picture

RING = games.ring(modes=8, radius=2.0, deviation=0.02)


def train(name: str, seed: int, epochs: int) -> list[np.ndarray]:
    """Trains one GAN; returns samples of its generator after each epoch."""
    keras.utils.set_random_seed(seed)
    model = RING.model(latent=16, units=64, depth=3, activation="relu")
    fall = keras.optimizers.schedules.CosineDecay
    model.compile(
        adversarial_optimizer=STRATEGIES[name](),
        player_optimizers={
            player: keras.optimizers.Adam(fall(rate, epochs * STEPS), 0.5)
            for player, rate in RATES.items()
        },
        loss="non_saturating",
        steps_per_execution=100,
    )
    x = RING.sample(BATCH * STEPS, seed)
    samples = []
    for _ in range(epochs):
        model.fit(x, batch_size=BATCH, verbose=0)
        samples.append(RING.generate(model, SAMPLES, seed))
    return samples


def draw(runs: dict[str, list[np.ndarray]], path: Path) -> None:
    """Draws the samples: a row per strategy, time from left to right."""
    epochs = len(next(iter(runs.values())))
    shown = np.unique(np.linspace(1, epochs, COLUMNS).round().astype(int))
    figure = Figure((1.7 * len(shown) + 1.2, 1.85 * len(runs)), dpi=80)
    axes = figure.subplots(len(runs), len(shown), squeeze=False)
    for axis, epoch in zip(axes[0], shown, strict=True):
        axis.set_title(f"{epoch * STEPS:,} steps", size="medium")
    for row, (name, samples) in zip(axes, runs.items(), strict=True):
        row[0].set_ylabel(name)
        for axis, epoch in zip(row, shown, strict=True):
            points = samples[epoch - 1]
            axis.plot(*RING.means.T, "o", mfc="none", mec="0.6", ms=9)
            axis.plot(*points.T, "b.", ms=1.5, alpha=0.5)
            axis.set(xlim=(-3, 3), ylim=(-3, 3), xticks=[], yticks=[])
            axis.set_xlabel(f"{RING.modes_covered(points)} modes")
    figure.tight_layout()
    figure.savefig(path)


def main(argv: Sequence[str] | None = None) -> dict[str, list[int]]:
    """Trains and draws; returns the modes at the end, by strategy and seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=24, help="of 1000 steps")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--out", type=Path, default=Path("output/ring"))
    parser.add_argument("--smoke", action="store_true", help="6 epochs of two")
    args = parser.parse_args(argv)
    names = SMOKE if args.smoke else tuple(STRATEGIES)
    epochs = 6 if args.smoke else args.epochs
    args.out.mkdir(parents=True, exist_ok=True)
    covered: dict[str, list[int]] = {name: [] for name in names}
    with (args.out / "modes.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["strategy", "seed", "modes", "high_quality"])
        for seed in range(args.seed, args.seed + args.seeds):
            runs = {}
            for name in names:
                runs[name] = train(name, seed, epochs)
                scores = RING.scores(runs[name][-1])
                covered[name].append(int(scores["modes_covered"]))
                label, quality = " ".join(name.split()), scores["high_quality"]
                table.writerow([label, seed, covered[name][-1], quality])
                print(f"seed {seed}  {label:32} {covered[name][-1]} modes")
            last = "" if args.seeds == 1 else f"_{seed}"
            draw(runs, args.out / f"ring{last}.png")
    for name, modes in covered.items():
        label = " ".join(name.split())
        print(f"median  {label:32} {np.median(modes):g} modes")
    return covered


if __name__ == "__main__":
    main()
