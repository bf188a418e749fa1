"""A DCGAN learns to write digits: can you tell them from handwritten ones?

    python examples/dcgan_mnist.py --out output/dcgan

A generator turns 16 random numbers into an image, and a discriminator tells
such images from 10,000 real digits of MNIST. Noise becomes strokes, and strokes
become digits, in about four minutes on two CPU cores.

What you should see: `epochs/` ends in a grid that anyone would call handwritten
digits, and `contact_sheet.png` shows how it came about. A small classifier,
right on at least 98 % of the test digits, then reads as many generated ones: at
least 80 % with confidence 0.9 or more, and each digit at least 3 % of the time.
In its features, generated digits are compared with the test digits: a Frechet
distance of 4.5 (0 is best), a density of 0.92 (of 1) and a coverage of 0.92 (of
0.97) with seed 0.

References:
- Radford, Metz, Chintala, Unsupervised Representation Learning with Deep
  Convolutional Generative Adversarial Networks, ICLR 2016, arXiv 1511.06434.
- Salimans et al., Improved Techniques for Training GANs, NIPS 2016,
  arXiv 1606.03498 (one-sided label smoothing; a classifier as the judge).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

import adversarial
from adversarial import metrics
from adversarial.callbacks import write_grid

EMBEDDED = Path(__file__).parent / "data" / "mnist_subset.npz"
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
SHAPE = (28, 28, 1)
BLACK_WHITE = (-1.0, 1.0)
REAL = 0.9  # what the discriminator is taught to say of a real digit
LAST_RATE = 0.05  # of the first; the rates fall in the second half
CONFIDENT = 0.9
ZOOM = 2  # of the pictures
CURVES = {
    "generator_yfake_loss": "generator",
    "discriminator_yfake_loss": "discriminator, generated digits",
    "discriminator_yreal_loss": "discriminator, real digits",
}

Game = adversarial.AdversarialModel
Networks = tuple[keras.Model, keras.Model]


def modern() -> Networks:
    """Strided convolutions, batch normalisation and few latents."""

    def made(layer: type, *args: Any, bias: bool = False) -> layers.Layer:
        start = keras.initializers.RandomNormal(stddev=0.02)
        return layer(*args, use_bias=bias, kernel_initializer=start)

    def normal() -> layers.Layer:
        return layers.BatchNormalization(momentum=0.9)

    dense, up, down = layers.Dense, layers.Conv2DTranspose, layers.Conv2D
    g = [keras.Input((16,))]
    g += [made(dense, 256), normal(), layers.ReLU()]
    g += [made(dense, 7 * 7 * 64), normal(), layers.ReLU()]
    g += [layers.Reshape((7, 7, 64))]
    g += [made(up, 32, 4, 2, "same"), normal(), layers.ReLU()]
    g += [made(up, 1, 4, 2, "same", bias=True), layers.Activation("tanh")]
    d = [keras.Input(SHAPE)]
    d += [made(down, 32, 4, 2, "same", bias=True), layers.LeakyReLU(0.2)]
    d += [made(down, 64, 4, 2, "same"), normal(), layers.LeakyReLU(0.2)]
    d += [layers.Flatten(), made(dense, 256), normal(), layers.LeakyReLU(0.2)]
    d += [made(dense, 1, bias=True)]
    discriminator = keras.Sequential(d, name="discriminator")
    return keras.Sequential(g, name="generator"), discriminator


def classic() -> Networks:
    """Upsampling, pooling and tanh."""
    g = [keras.Input((100,)), layers.Dense(1024, "tanh")]
    g += [layers.Dense(128 * 7 * 7), layers.BatchNormalization()]
    g += [layers.Activation("tanh"), layers.Reshape((7, 7, 128))]
    for filters in (64, 1):
        g += [layers.UpSampling2D()]
        g += [layers.Conv2D(filters, 5, padding="same", activation="tanh")]
    d = [keras.Input(SHAPE)]
    d += [layers.Conv2D(64, 5, padding="same", activation="tanh")]
    d += [layers.MaxPooling2D(), layers.Conv2D(128, 5, activation="tanh")]
    d += [layers.MaxPooling2D(), layers.Flatten()]
    d += [layers.Dense(1024, "tanh"), layers.Dense(1)]
    discriminator = keras.Sequential(d, name="discriminator")
    return keras.Sequential(g, name="generator"), discriminator


class Recipe(NamedTuple):
    """An architecture and what goes with it."""

    networks: Callable[[], Networks]
    strategy: str
    epochs: int
    batch_size: int
    rates: dict[str, float]


RECIPES = {
    "modern": Recipe(
        *(modern, "alternating", 28, 64),
        rates={"generator": 1e-3, "discriminator": 3e-4},
    ),
    "classic": Recipe(
        *(classic, "simultaneous", 13, 128),
        rates={"generator": 2e-4, "discriminator": 2e-4},
    ),
}


def stop(what: str, received: object, fix: str) -> SystemExit:
    return SystemExit(f"{what}\n  Received: {received}.\n  Fix: {fix}.")


def load_data(source: str, smoke: bool) -> list[np.ndarray]:
    """Returns images in [-1, 1] and labels, to train and to test with."""
    if source == "keras":
        train, test = keras.datasets.mnist.load_data()
        arrays = [*train, *test]
    else:
        path = EMBEDDED if source == "embedded" else Path(source)
        if not path.is_file():
            what = "`--data` must be a file that exists."
            raise stop(what, source, "write `embedded`, `keras` or its path")
        with np.load(path) as file:
            if not set(ARRAYS) <= set(file):
                what = f"`--data` must hold the arrays {', '.join(ARRAYS)}."
                fix = "lay it out as Keras' `mnist.npz`, or write `embedded`"
                raise stop(what, ", ".join(file), fix)
            arrays = [file[name] for name in ARRAYS]
    x, y, x_test, y_test = (a[:512] if smoke else a for a in arrays)
    x, x_test = (i[..., None] / np.float32(127.5) - 1 for i in (x, x_test))
    return [x, y, x_test, y_test]


def begin(args: argparse.Namespace, count: int) -> Game:
    """Returns the model of the folder, or a new one for an empty folder."""
    if args.batch_size > count:
        what = "`--batch-size` must be at most the number of digits."
        raise stop(what, args.batch_size, f"write {count} or less")
    try:
        strategy = adversarial.optimizers.get(args.strategy)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    if args.out.exists() and any(args.out.iterdir()) and not args.resume:
        what = "`--out` must be empty or new, so that nothing is overwritten."
        fix = "add `--resume` to go on from there, or name another folder"
        raise stop(what, f"{args.out}, which holds files", fix)
    names = ("arch", "strategy", "data", "batch_size", "seed", "smoke")
    settings = {name: getattr(args, name) for name in names}
    record = args.out / "settings.json"
    if (args.out / "model.keras").exists():
        before = json.loads(record.read_text())
        was = {k: v for k, v in before.items() if settings[k] != v}
        if was:
            what = "`--resume` must keep the settings of the first run."
            received = {name: settings[name] for name in was}
            raise stop(what, received, f"keep {was}, or name another folder")
        return keras.saving.load_model(args.out / "model.keras")
    model = new_game(RECIPES[args.arch], strategy)
    args.out.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(settings))
    return model


def new_game(recipe: Recipe, strategy: Any) -> Game:
    generator, discriminator = recipe.networks()
    model = Game(
        base_model=adversarial.builders.build_gan(generator, discriminator),
        player_params={"generator": generator, "discriminator": discriminator},
    )
    adam = keras.optimizers.Adam
    each = {name: adam(r, beta_1=0.5) for name, r in recipe.rates.items()}
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(strategy, each, loss=loss)
    return model


def generator_of(model: Game) -> keras.Model:
    return model.players["generator"].network.get_layer("generator")


def train(model: Game, images: np.ndarray, args: argparse.Namespace) -> int:
    """Trains on whole batches; returns the number of epochs it made."""
    steps = len(images) // args.batch_size
    count = steps * args.batch_size
    done = min(args.epochs, int(model.optimizer.iterations) // steps)
    targets = adversarial.builders.gan_targets(count)
    targets[-1] *= REAL

    def fixed() -> np.ndarray:
        return enlarged(draw(generator_of(model), 100, [args.seed, 0]))

    pictures = args.out / "epochs" / "{:03d}.png"
    grid = adversarial.callbacks.ImageGrid(pictures, fixed, BLACK_WHITE)
    notes = Bookkeeper(args.out, RECIPES[args.arch].rates, args.epochs)
    model.fit(
        *(images[:count], targets, args.batch_size, args.epochs),
        initial_epoch=done,
        callbacks=[grid, notes],
    )
    return args.epochs - done


class Bookkeeper(keras.callbacks.Callback):
    """Sets the learning rates, and writes down what each epoch brought."""

    def __init__(self, out: Path, rates: dict[str, float], epochs: int) -> None:
        super().__init__()
        self.out, self.rates, self.epochs = out, rates, epochs

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        fall = max(0.0, 2 * (epoch + 1) / self.epochs - 1)
        for player, rate in self.rates.items():
            optimizer = self.model.optimizer.player_optimizers[player]
            optimizer.learning_rate = rate * (1 - fall * (1 - LAST_RATE))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        rows = [*read_history(self.out)[:epoch], {"epoch": epoch, **logs}]
        unfinished = self.out / "history.tmp.csv"
        with open(unfinished, "w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[-1]))
            writer.writeheader()
            writer.writerows(rows)
        os.replace(unfinished, self.out / "history.csv")
        save(generator_of(self.model), self.out / "generator.keras")
        # Last, since a resumed run counts the epochs that are in it.
        save(self.model, self.out / "model.keras")


def save(model: keras.Model, path: Path) -> None:
    """Saves in one go: an interrupt leaves what was there before."""
    unfinished = path.with_suffix(".tmp.keras")
    model.save(unfinished)
    os.replace(unfinished, path)


def read_history(out: Path) -> list[dict[str, str]]:
    path = out / "history.csv"
    lines = path.read_text().splitlines() if path.exists() else []
    return list(csv.DictReader(lines))


def draw(generator: keras.Model, count: int, seed: Sequence[int]) -> np.ndarray:
    """Generates images; the same seed means the same latents."""
    shape = (count, *generator.input_shape[1:])
    z = np.random.default_rng(seed).normal(size=shape).astype("float32")
    return generator.predict(z, verbose=0)


def enlarged(images: np.ndarray) -> np.ndarray:
    return images.repeat(ZOOM, axis=1).repeat(ZOOM, axis=2)


def plot_losses(out: Path) -> None:
    history = read_history(out)
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, label in CURVES.items():
        values = [float(row[name]) for row in history]
        axes.plot(range(1, len(values) + 1), values, ".-", label=label)
    axes.axhline(np.log(2), color="grey", ls=":", label="cannot tell (log 2)")
    axes.set(xlabel="epoch", ylabel="cross-entropy")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    figure.savefig(out / "losses.png", dpi=120)


def draw_contact_sheet(out: Path) -> None:
    """Puts the same latents at up to eight epochs below each other."""
    epochs = np.geomspace(1, len(read_history(out)), 8).round().astype(int)
    epochs = np.unique(epochs)
    width, height = ZOOM * SHAPE[1] * 10 + 2 * 9, ZOOM * SHAPE[0]
    sheet = Image.new("L", (90 + width, (height + 2) * len(epochs)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, epoch in enumerate(epochs):
        y = (height + 2) * row
        with Image.open(out / "epochs" / f"{epoch - 1:03d}.png") as grid:
            sheet.paste(grid.crop((0, 0, width, height)), (90, y))
        pen.text((8, y + 20), f"epoch {epoch}", "black", font_size=16)
    sheet.save(out / "contact_sheet.png")


def classifier_of(
    out: Path, x: np.ndarray, y: np.ndarray, epochs: int
) -> keras.Model:
    """Loads the digit classifier of the folder, or trains it."""
    path = out / "classifier.keras"
    if path.exists():
        return keras.saving.load_model(path)
    print("Training the classifier that will read the digits:")
    stack = [keras.Input(SHAPE), layers.Rescaling(0.5, offset=0.5)]
    stack += [layers.RandomTranslation(0.06, 0.06, fill_mode="constant")]
    for filters in (16, 32, 64):
        stack += [layers.Conv2D(filters, 3, padding="same", use_bias=False)]
        stack += [layers.BatchNormalization(momentum=0.9), layers.ReLU()]
        stack += [layers.MaxPooling2D()]
    stack += [layers.Flatten(), layers.Dropout(0.3)]
    stack += [layers.Dense(64, "relu"), layers.Dense(10, "softmax")]
    classifier = keras.Sequential(stack)
    steps = epochs * -(-len(x) // 100)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    loss = "sparse_categorical_crossentropy"
    classifier.compile(keras.optimizers.Adam(rate), loss)
    classifier.fit(x, y, batch_size=100, epochs=epochs, verbose=2)
    save(classifier, path)
    return classifier


def measure(
    generator: keras.Model, data: list[np.ndarray], args: argparse.Namespace
) -> dict[str, Any]:
    """Lets the classifier read test digits, and as many generated ones."""
    x, y, x_test, y_test = data
    classifier = classifier_of(args.out, x, y, epochs=2 if args.smoke else 10)
    outputs = [layer.output for layer in classifier.layers[-2:]]
    reader = keras.Model(classifier.inputs[0], outputs)
    real, p_test = reader.predict(x_test, verbose=0)
    images = draw(generator, len(x_test), [args.seed, 1])
    fake, p = reader.predict(images, verbose=0)
    distance, cover = metrics.FrechetDistance(), metrics.DensityCoverage()
    for metric in (distance, cover):
        metric.update_state(real, fake)
    digits = np.bincount(p.argmax(axis=1), minlength=10) / len(p)
    report = cover.result() | {
        "frechet_distance": distance.result(),
        "confident": float(np.mean(p.max(axis=1) >= CONFIDENT)),
        "digits": digits.tolist(),
        "test_accuracy": float(np.mean(p_test.argmax(axis=1) == y_test)),
    }
    (args.out / "report.json").write_text(json.dumps(report, indent=1))
    return report


def write_samples(args: argparse.Namespace) -> dict[str, Any]:
    """Writes new digits, others each time."""
    path = args.out / "generator.keras"
    if not path.exists():
        what = "`--sample` needs a trained generator."
        raise stop(what, f"no {path}", "train first, without `--sample`")
    number = 1
    while (file := args.out / f"samples-{number:03d}.png").exists():
        number += 1
    generator = keras.saving.load_model(path)
    images = draw(generator, args.sample, [args.seed, 1 + number])
    write_grid(file, enlarged(images), BLACK_WHITE)
    print(f"{args.sample} new digits are in {file}")
    return {"paths": [str(file)]}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    def positive(text: str) -> int:
        if int(text) < 1:
            raise ValueError
        return int(text)

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--data", default="embedded", help="embedded, keras or PATH.npz")
    add("--arch", default="modern", choices=RECIPES)
    add("--strategy", help="how the players move, by name")
    add("--epochs", type=positive, help="in all, those before included")
    add("--batch-size", type=positive)
    add("--seed", type=int, default=0)
    add("--out", type=Path, default=Path("output/dcgan"))
    add("--smoke", action="store_true", help="try everything in seconds")
    either = parser.add_mutually_exclusive_group().add_argument
    either("--resume", action="store_true", help="go on with what is in OUT")
    either("--sample", type=positive, metavar="N", help="write N new digits")
    args = parser.parse_args(argv)
    recipe = RECIPES[args.arch]
    args.strategy = args.strategy or recipe.strategy
    args.epochs = args.epochs or (2 if args.smoke else recipe.epochs)
    args.batch_size = args.batch_size or recipe.batch_size
    return args


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    if args.sample:
        return write_samples(args)
    times = [time.perf_counter()]
    keras.utils.set_random_seed(args.seed)
    data = load_data(args.data, args.smoke)
    model = begin(args, len(data[0]))
    try:
        trained = train(model, data[0], args)
    except KeyboardInterrupt:
        raise SystemExit("\nStopped. Add `--resume` to go on.") from None
    times.append(time.perf_counter())
    if not trained:
        print("All epochs were made before: there is nothing to train.")
    plot_losses(args.out)
    draw_contact_sheet(args.out)
    report = measure(generator_of(model), data, args)
    times.append(time.perf_counter())
    seconds = np.diff(times).round(1).tolist()
    paths = sorted(str(path) for path in args.out.iterdir())
    digits = " ".join(f"{share:.1%}" for share in report["digits"])
    print(f"""
{trained} new epochs took {seconds[0]} s, the rest {seconds[1]} s.
The classifier reads {report["test_accuracy"]:.2%} of the test digits right.
It reads {report["confident"]:.1%} of as many new ones \
with confidence >= {CONFIDENT}.
0 to 9: {digits}
Frechet distance of its features: {report["frechet_distance"]:.3f}
Density and coverage: {report["density"]:.3f}, {report["coverage"]:.3f}
Written:""")
    print(*paths, sep="\n")
    return report | {"epochs": trained, "seconds": seconds, "paths": paths}


if __name__ == "__main__":
    main()
