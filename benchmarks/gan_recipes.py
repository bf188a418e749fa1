"""Recipes for GANs, side by side: the same networks, data and steps.

    python benchmarks/gan_recipes.py [--recipes hinge_sn ...] [--seeds 0 1 2]

Small convolutional GANs learn the 10,000 digits in `examples/data`. A digit
classifier, trained once, is the judge: its features give the Frechet distance,
density and coverage against the 2,000 test digits, after every other epoch and
at the end; its classes give the share of digits that it is sure of, and that
of the rarest digit. `wgan_gp` shows whether the loss of its critic says how
good the samples are: both are written down along the way.

The recipes share the sizes of the networks, the latents, the batches and the
number of steps, which all make one move of the generator. What differs is what
belongs to a recipe: the loss, penalties, normalisation, Adam and how often the
critic moves. So `seconds_per_step` differs, and is written down too. Every
strategy is wrapped in `Averaging`, which does not change the training: the
averaged generator is measured at the end, beside the last one. With batch
normalisation its moving statistics are those of the last weights.

Each finished run is a file in OUT, and is not run again unless the settings
have changed; remove it after a change of its recipe. The result is printed, and
written as JSON and, for the curves, as CSV. On one core a run takes one to
three minutes.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from recipes import CRITIC_MOVES, DECAY, GAMMA, LATENT, RECIPES, SHAPE, WIDTH
from step_time import HERE, environment

import adversarial
from adversarial import metrics
from adversarial.callbacks import MetricsOnSamples

DATA = HERE.parent / "examples" / "data" / "mnist_subset.npz"
BATCH, EPOCHS = 64, 26
SAMPLES = 2000
EVERY = 2
CONFIDENT = 0.9
FINAL = (
    "frechet_distance",
    "coverage",
    "density",
    "confident",
    "rarest",
    "averaged_frechet_distance",
    "averaged_coverage",
    "averaged_density",
    "seconds_per_step",
)
CURVE = (
    "epoch",
    "frechet_distance",
    "coverage",
    "density",
    "generator_loss",
    "discriminator_loss",
    "score_gap",
)


def load_data(smoke: bool) -> list[np.ndarray]:
    """Images in [-1, 1] and labels, to train and to test with."""
    with np.load(DATA) as file:
        arrays = [file[f"{a}_{b}"] for b in ("train", "test") for a in "xy"]
    x, y, x_test, y_test = (a[:640] if smoke else a for a in arrays)
    x, x_test = (i[..., None] / np.float32(127.5) - 1 for i in (x, x_test))
    return [x, y, x_test, y_test]


def judge_of(out: Path, data: list[np.ndarray], epochs: int) -> keras.Model:
    """Loads the classifier of the folder, or trains it."""
    path = out / "judge.keras"
    if path.exists():
        return keras.saving.load_model(path)
    print("Training the judge:")
    keras.utils.set_random_seed(0)
    stack = [keras.Input(SHAPE)]
    stack += [layers.RandomTranslation(0.06, 0.06, fill_mode="nearest")]
    for filters in (16, 32, 64):
        stack += [layers.Conv2D(filters, 3, padding="same", use_bias=False)]
        stack += [layers.BatchNormalization(momentum=0.9), layers.ReLU()]
        stack += [layers.MaxPooling2D()]
    stack += [layers.Flatten(), layers.Dropout(0.3)]
    stack += [layers.Dense(64, "relu", name="features")]
    stack += [layers.Dense(10, "softmax")]
    judge = keras.Sequential(stack, name="judge")
    x, y = data[:2]
    rate = keras.optimizers.schedules.CosineDecay(
        3e-3, epochs * (len(x) // 100)
    )
    loss = "sparse_categorical_crossentropy"
    judge.compile(keras.optimizers.Adam(rate), loss)
    judge.fit(x, y, batch_size=100, epochs=epochs, verbose=2)
    save(path, lambda unfinished: judge.save(unfinished))
    return judge


def save(path: Path, write: Callable[[Path], Any]) -> None:
    """Writes in one go: an interrupt leaves what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"unfinished-{path.name}")
    write(unfinished)
    os.replace(unfinished, path)


def features_of(judge: keras.Model) -> keras.Model:
    return keras.Model(judge.inputs[0], judge.get_layer("features").output)


class Notes(keras.callbacks.Callback):
    """Adds what else a curve needs, and times the epochs."""

    def __init__(self, discriminator: keras.Model, x: Any, fake: Any) -> None:
        super().__init__()
        self.discriminator, self.x, self.fake = discriminator, x, fake
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.end = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds.append(self.end - self.start)
        real, fake = (
            self.discriminator.predict(images, 500, verbose=0).mean()
            for images in (self.x, self.fake())
        )
        # How much better the test digits score: what Wasserstein's critic
        # estimates, without the penalty that is in its loss.
        logs["score_gap"] = float(real - fake)


def read(judge: keras.Model, generator: keras.Model) -> dict[str, float]:
    """What the judge says of new digits."""
    p = judge.predict(draw(generator, SAMPLES, 1), 500, verbose=0)
    digits = np.bincount(p.argmax(axis=1), minlength=10) / len(p)
    return {
        "confident": float(np.mean(p.max(axis=1) >= CONFIDENT)),
        "rarest": float(digits.min()),
    }


def draw(generator: keras.Model, count: int, seed: int) -> np.ndarray:
    z = np.random.default_rng(seed).standard_normal((count, LATENT))
    return generator.predict(z.astype("float32"), 500, verbose=0)


def measures(features: keras.Model, prefix: str = "") -> list[Any]:
    """The metrics; with a prefix, under names of their own."""
    name = f"{prefix}frechet_distance" if prefix else None
    both = metrics.FrechetDistance(features, name=name)
    return [both, metrics.DensityCoverage(features, name=prefix[:-1] or None)]


def run(
    recipe: str, seed: int, judge: keras.Model, data: Any, epochs: int
) -> dict[str, Any]:
    """Trains and measures once."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    model = RECIPES[recipe]()
    network = model.players["generator"].network
    generator, discriminator = map(network.get_layer, model.players)
    x, x_test = data[0], data[2]
    kwargs = {"generate": generator, "real": x_test, "batch_size": 500}
    kwargs["samples"] = min(SAMPLES, len(x_test))
    features = features_of(judge)
    look = MetricsOnSamples(measures(features), every=EVERY, **kwargs)
    notes = Notes(discriminator, x_test, lambda: draw(generator, SAMPLES, 0))
    count = len(x) // BATCH * BATCH
    history = model.fit(
        x[:count],
        batch_size=BATCH,
        epochs=epochs,
        verbose=0,
        callbacks=[look, notes],
    ).history
    steps = count // BATCH
    last = MetricsOnSamples(
        measures(features, "averaged_"), averaged=True, **kwargs
    )
    last.set_model(model)
    last.on_train_begin()
    curve = {"epoch": list(range(1, epochs + 1))}
    curve |= {name: history[name] for name in CURVE[1:]}
    return {
        "recipe": recipe,
        "seed": seed,
        "steps": epochs * steps,
        **{name: history[name][-1] for name in CURVE[1:4]},
        **last.measure(),
        **read(judge, generator),
        # The first epoch compiles.
        "seconds_per_step": statistics.median(
            notes.seconds[1:] or notes.seconds
        )
        / steps,
        "curve": curve,
    }


def attempt(recipe: str, seed: int, *args: Any) -> dict[str, Any]:
    """Runs once; a game that diverges is a result, too."""
    start = time.perf_counter()
    try:
        found = run(recipe, seed, *args)
    except adversarial.GameDivergedError as error:
        found = {"recipe": recipe, "seed": seed, "failed": str(error)}
    took = time.perf_counter() - start
    shown = found.get("failed") or f"{found['frechet_distance']:.2f}"
    print(f"{recipe}, seed {seed}: {shown} ({took:.0f} s)", flush=True)
    return found


def read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def floor_of(judge: keras.Model, data: Any) -> dict[str, Any]:
    """What a perfect generator would get: training digits as its samples."""
    x, _, x_test, y_test = data
    few = x[: len(x_test)]
    found: dict[str, Any] = {}
    for metric in measures(features_of(judge)):
        metric.update_state(x_test, few)
        result = metric.result()
        named = result if metric.measures else {metric.name: result}
        found.update(named)
    p = judge.predict(x_test, verbose=0)
    return found | {
        "test_accuracy": float(np.mean(p.argmax(axis=1) == y_test)),
        "confident": float(np.mean(p.max(axis=1) >= CONFIDENT)),
    }


def rank_correlation(a: list[float], b: list[float]) -> float:
    """Spearman's, for numbers without ties."""
    ranks = [np.argsort(np.argsort(v)) for v in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def correlations(curve: dict[str, list[float]]) -> dict[str, float]:
    """How the discriminator's figures go with the Frechet distance.

    Over the epochs that were measured, the first left out: it is far from all
    others, and would make any two falling curves agree.
    """
    epochs = [e for e in curve["epoch"] if e > 1 and e % EVERY == 0]
    at = [curve["epoch"].index(e) for e in epochs]
    if len(at) < 3:
        return {}
    distance = [curve["frechet_distance"][i] for i in at]
    signs = {"discriminator_loss": -1, "score_gap": 1}
    found: dict[str, float] = {}
    for name, sign in signs.items():
        values = [sign * curve[name][i] for i in at]
        found[f"{name}_pearson"] = float(np.corrcoef(values, distance)[0, 1])
        found[f"{name}_spearman"] = rank_correlation(values, distance)
    return found


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians, least and most by recipe; what failed counts as failed."""
    found: dict[str, Any] = {}
    for recipe in dict.fromkeys(r["recipe"] for r in runs):
        mine = [r for r in runs if r["recipe"] == recipe]
        good = [r for r in mine if "failed" not in r]
        entry: dict[str, Any] = {
            "runs": len(mine),
            "failed": len(mine) - len(good),
        }
        tables = [
            {n: r[n] for n in FINAL} | correlations(r["curve"]) for r in good
        ]
        for name in tables[0] if tables else ():
            values = [t[name] for t in tables]
            entry[name] = {
                "median": statistics.median(values),
                "least": min(values),
                "most": max(values),
            }
        found[recipe] = entry
    return found


def show(found: dict[str, Any], floor: dict[str, Any]) -> None:
    names = ("frechet_distance", "coverage", "density", "confident", "rarest")
    print(f"\n{'medians':22}" + "".join(f"{n[:16]:>17}" for n in names))
    for recipe, entry in found.items():
        shown = [entry[n]["median"] for n in names if n in entry]
        text = "".join(f"{v:17.3f}" for v in shown)
        print(f"{recipe:22}{text}   {entry['runs']} runs")
    shown = [floor[n] for n in names if n in floor]
    print(f"{'real digits':22}" + "".join(f"{v:17.3f}" for v in shown))


def write(results: Path, result: dict[str, Any], runs: list[Any]) -> None:
    text = json.dumps(result, indent=1) + "\n"
    save(results / "gan_recipes.json", lambda path: path.write_text(text))

    def rows(path: Path) -> None:
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["recipe", "seed", *CURVE])
            for r in runs:
                if "curve" in r:
                    values = zip(*(r["curve"][n] for n in CURVE), strict=True)
                    writer.writerows(
                        [r["recipe"], r["seed"], *v] for v in values
                    )

    save(results / "gan_recipes.csv", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--recipes", nargs="+", default=list(RECIPES), choices=RECIPES)
    add("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    add("--epochs", type=int)
    add("--out", type=Path, default=Path("output/gan_recipes"))
    add("--results", type=Path, help="of the JSON and CSV; default: results/")
    add("--smoke", action="store_true", help="try everything in seconds")
    args = parser.parse_args()
    out = args.out / "smoke" if args.smoke else args.out
    results = args.results or (out if args.smoke else HERE / "results")
    epochs = args.epochs or (3 if args.smoke else EPOCHS)
    data = load_data(args.smoke)
    judge = judge_of(out, data, epochs=2 if args.smoke else 12)
    settings = {"batch": BATCH, "epochs": epochs, "samples": SAMPLES}
    settings |= {"width": WIDTH, "gamma": GAMMA, "decay": DECAY}
    settings |= {"critic_moves": CRITIC_MOVES}
    runs = []
    for seed in args.seeds:
        for recipe in args.recipes:
            path = out / f"{recipe}-{seed}.json"
            if read_json(path).get("settings") != settings:
                found = attempt(recipe, seed, judge, data, epochs)
                text = json.dumps(found | {"settings": settings})
                save(path, lambda p, text=text: p.write_text(text))
            runs.append(read_json(path))
    floor = floor_of(judge, data)
    found = summary(runs)
    show(found, floor)
    drop = ("curve", "settings")
    short = [{k: v for k, v in r.items() if k not in drop} for r in runs]
    result = {"environment": environment(), "settings": settings, "real": floor}
    write(results, result | {"recipes": found, "runs": short}, runs)
    print(f"\nWritten to {results}")


if __name__ == "__main__":
    main()
