"""Ten steps of all that the package has, and where they lead.

    python tests/conformance_cases.py [part of a name ...]

trains every case, or some, in both precisions on TensorFlow and writes the ends
to `tests/data/conformance.npz`. On another engine a case must end alike:
weights, data and what is drawn come from NumPy.
"""

import contextlib
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import loss_games
import numpy as np
import small_games
from keras import layers

import adversarial
from adversarial import layers as ours, losses, momentum, penalties, registry
from adversarial.augmentation import AdaptiveAugment, DiffAugment
from adversarial.builders import build_gan
from adversarial.optimizers import ExtraGradient, Simultaneous

ENDS = Path(__file__).with_name("data") / "conformance.npz"
STEPS, ROWS = 10, 6
Model = adversarial.AdversarialModel
Case = tuple[Callable[[], Model], dict[str, Any], Any]
"""Makes the model; the arguments of `compile`; the shapes of the inputs."""
VECTORS = ((2,), (2,))
"""Of latents and samples."""
IMAGES = ((2,), (8, 8, 1))
LOSS = {"loss": "non_saturating"}


def gan(generator: Any, discriminator: Any, made: Any = ()) -> Model:
    """A GAN whose latents are data."""
    base = build_gan(generator, discriminator, False, penalties=list(made))
    return playing(base, generator, discriminator)


def playing(base: Any, generator: Any, discriminator: Any) -> Model:
    """The players of a GAN on their model."""
    return Model(
        base,
        player_params={"generator": generator, "discriminator": discriminator},
    )


def maker(*inner: Any) -> Any:
    """A generator of vectors, with these layers inside."""
    first = [keras.Input((2,)), layers.Dense(4, "tanh")]
    return keras.Sequential([*first, *inner, layers.Dense(2)])


def critic(*inner: Any, dense: Any = layers.Dense, **kwargs: Any) -> Any:
    """A discriminator of vectors, with these layers inside."""
    first = [keras.Input((2,)), dense(4, activation="tanh", **kwargs)]
    return keras.Sequential([*first, *inner, dense(1, **kwargs)])


def painter() -> Any:
    """A generator of images."""
    return keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(64, "tanh"),
            layers.Reshape((8, 8, 1)),
        ]
    )


def viewer(*first: Any) -> Any:
    """A discriminator of images, which these layers see first."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            *first,
            layers.Conv2D(3, 3, strides=2, activation="tanh"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


def judged(layer: Any, name: str) -> Model:
    """A GAN with a layer on the scores of fake, or of both, samples."""
    generator, score = maker(), critic()
    pair = [keras.Input((2,)), keras.Input((2,))]
    real, fake = (score(x) for x in pair)
    found = layer([real, fake] if name == "le_cam" else fake)
    judge = keras.Model(pair, [real, fake, found])
    z, x = keras.Input((2,)), keras.Input((2,))
    outputs = dict(
        zip(("yreal", "yfake", name), judge([x, generator(z)]), strict=True)
    )
    return playing(keras.Model([z, x], outputs), generator, judge)


def conditional() -> Model:
    """A GAN of classes: conditional normalisation, and a projection."""
    z, x = keras.Input((2,)), keras.Input((2,))
    c = keras.Input((), dtype="int32")
    normalised = ours.ConditionalBatchNormalization(3)
    hidden = normalised([layers.Dense(4)(z), c])
    generator = keras.Model([z, c], layers.Dense(2)(hidden))
    scores = ours.ProjectionHead(3)([layers.Dense(4, "tanh")(x), c])
    discriminator = keras.Model([x, c], scores)
    a, b = keras.Input((2,), name="z"), keras.Input((2,), name="x")
    label = keras.Input((), dtype="int32", name="label")
    outputs = {
        "yfake": discriminator([generator([a, label]), label]),
        "yreal": discriminator([b, label]),
    }
    base = keras.Model({"z": a, "x": b, "label": label}, outputs)
    return playing(base, generator, discriminator)


def reversed_gradient() -> Model:
    """One network, and a head that pulls it the other way."""
    x, y = keras.Input((2,)), keras.Input((2,))
    body, label, domain = (layers.Dense(n, "tanh") for n in (3, 1, 1))
    turned = ours.GradientReversal(0.7)
    outputs = {
        "yfake": label(body(x)),
        "yreal": domain(turned(body(x))) + domain(turned(body(y))),
    }
    own = [*body.trainable_variables, *label.trainable_variables]
    return playing(keras.Model([x, y], outputs), own, domain)


def drawing(latent: Any) -> Model:
    """A GAN that draws its latents."""
    generator, discriminator = maker(), critic()
    base = build_gan(generator, discriminator, latent)
    return playing(base, generator, discriminator)


def of_strategies() -> dict[str, Case]:
    """The small GAN under every strategy."""
    makers = {**small_games.strategies(), **small_games.OTHERS}
    return {
        name: (small_games.gan, {"strategy": make, **LOSS}, VECTORS)
        for name, make in makers.items()
    }


def of_losses() -> dict[str, Case]:
    """A conditional GAN under every loss."""
    return {
        registry.snake_case(name): (
            lambda heads=heads, name=name: loss_games.game(
                heads, name in loss_games.CONTRASTIVE
            ),
            {"loss": loss},
            {"x": (4,), "label": ()},
        )
        for name, (loss, heads) in loss_games.CASES.items()
    }


PAID: dict[str, Callable[[Any, Any], Any]] = {
    "dragan": lambda g, d: penalties.DRAGAN(d),
    "gradient_penalty": lambda g, d: penalties.GradientPenalty(d, interval=2),
    "max_gradient_penalty": lambda g, d: penalties.MaxGradientPenalty(d),
    "path_length": lambda g, d: penalties.PathLength(g),
    "r1": lambda g, d: penalties.R1(d),
    "r2": lambda g, d: penalties.R2(d, interval=3),
}


def paying(name: str) -> Model:
    """A GAN with a penalty on the slopes of a network."""
    generator, discriminator = maker(), critic()
    made = [PAID[name](generator, discriminator)]
    return gan(generator, discriminator, made)


def of_penalties() -> dict[str, Case]:
    """A GAN that pays each penalty."""
    plain = losses.NonSaturating()
    found: dict[str, Case] = {}
    for name in PAID:
        player = "generator" if name == "path_length" else "discriminator"
        loss = plain + 0.5 * losses.Penalty(name, player=player)
        found[name] = lambda name=name: paying(name), {"loss": loss}, VECTORS
    le_cam = plain + 0.5 * losses.Penalty("le_cam")
    top_k = losses.Weighted(plain, "top_k")
    makers: dict[str, tuple[Callable[[], Model], Any]] = {
        "le_cam": (lambda: judged(penalties.LeCam(0.5), "le_cam"), le_cam),
        "top_k": (lambda: judged(penalties.TopK(0.5, 0.7, 2), "top_k"), top_k),
        "orthogonal_regularizer": (
            lambda: gan(
                maker(),
                critic(kernel_regularizer=penalties.OrthogonalRegularizer(0.1)),
            ),
            plain,
        ),
        "weight_clipping": (
            lambda: gan(
                maker(), critic(kernel_constraint=penalties.WeightClipping(0.3))
            ),
            plain,
        ),
    }
    for name, (make, loss) in makers.items():
        found[name] = make, {"loss": loss}, VECTORS
    return found


def of_layers() -> dict[str, Case]:
    """A GAN with each layer."""

    def equalized(*args: Any, **kwargs: Any) -> Any:
        return ours.EqualizedLearningRate(layers.Dense(*args, **kwargs))

    def spectral(*args: Any, **kwargs: Any) -> Any:
        return ours.SpectralNormalization(layers.Dense(*args, **kwargs))

    vectors: dict[str, Callable[[], Model]] = {
        "equalized_learning_rate": lambda: gan(
            maker(), critic(dense=equalized)
        ),
        "spectral_normalization": lambda: gan(maker(), critic(dense=spectral)),
        "gradient_reversal": reversed_gradient,
        "minibatch_discrimination": lambda: gan(
            maker(), critic(ours.MinibatchDiscrimination(2, 3))
        ),
        "pixel_normalization": lambda: gan(
            maker(ours.PixelNormalization()), critic()
        ),
        "batch normalization": lambda: gan(
            maker(layers.BatchNormalization()), critic()
        ),
    }
    images: dict[str, Callable[[], Any]] = {
        "adaptive_augment": lambda: AdaptiveAugment(target=None, start=0.5),
        "diff_augment": DiffAugment,
        "minibatch_standard_deviation": lambda: ours.MinibatchStandardDeviation(
            3
        ),
        "self_attention2_d": lambda: ours.SelfAttention2D(1, 1),
    }
    classes = {"z": (2,), "x": (2,), "label": ()}
    return {
        **{name: (make, LOSS, VECTORS) for name, make in vectors.items()},
        **{
            name: (
                lambda make=make: gan(painter(), viewer(make())),
                LOSS,
                IMAGES,
            )
            for name, make in images.items()
        },
        "normal_latent": (
            lambda: drawing(ours.NormalLatent(2)),
            LOSS,
            VECTORS[1:],
        ),
        "uniform_latent": (
            lambda: drawing(ours.UniformLatent(2, -1.0)),
            LOSS,
            VECTORS[1:],
        ),
        "conditional_batch_normalization": (conditional, LOSS, classes),
        "projection_head": (conditional, LOSS, classes),
    }


def of_optimizers() -> dict[str, Case]:
    """The small GAN with our optimizers, and with Keras'."""
    makers: dict[str, Callable[[], Any]] = {
        # Keras rounds other numbers than these to float32, on TensorFlow.
        "AdamW": lambda: keras.optimizers.AdamW(0.01, 0.01, 0.5, 0.75),
        "momentum_adam": lambda: momentum.MomentumAdam(0.01),
        "momentum_sgd": lambda: momentum.MomentumSGD(0.05),
        **{
            name: lambda name=name: getattr(keras.optimizers, name)(0.01)
            for name in ("RMSprop", "Adagrad", "Lion")
        },
    }
    return {
        name: (
            small_games.gan,
            {"strategy": ExtraGradient, "optimizer": make, **LOSS},
            VECTORS,
        )
        for name, make in makers.items()
    }


def cases() -> dict[str, Case]:
    """All cases, by kind and name."""
    kinds = {
        "strategy": of_strategies(),
        "loss": of_losses(),
        "penalty": of_penalties(),
        "layer": of_layers(),
        "optimizer": of_optimizers(),
    }
    return {
        f"{kind} {name}": case
        for kind, found in kinds.items()
        for name, case in found.items()
    }


@contextlib.contextmanager
def numbers_of_numpy(precision: str) -> Iterator[None]:
    """All that is drawn is the same on every engine, and in every step."""

    def drawn(name: str, shape: Any, draw: Callable[[Any, Any], Any]) -> Any:
        seed = zlib.crc32(f"{name} {tuple(shape)}".encode())
        x = draw(np.random.default_rng(seed), tuple(shape))
        return keras.ops.convert_to_tensor(x)

    def normal(
        shape: Any,
        mean: float = 0.0,
        stddev: float = 1.0,
        dtype: Any = None,
        seed: Any = None,
    ) -> Any:
        x = drawn("normal", shape, lambda rng, size: rng.normal(size=size))
        return keras.ops.cast(x * stddev + mean, dtype or precision)

    def uniform(
        shape: Any,
        minval: float = 0.0,
        maxval: float = 1.0,
        dtype: Any = None,
        seed: Any = None,
    ) -> Any:
        x = drawn("uniform", shape, lambda rng, size: rng.uniform(size=size))
        return keras.ops.cast(
            x * (maxval - minval) + minval, dtype or precision
        )

    kept = keras.random.normal, keras.random.uniform
    keras.random.normal, keras.random.uniform = normal, uniform
    keras.config.set_floatx(precision)
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.random.normal, keras.random.uniform = kept
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


def begin(model: Model) -> None:
    """Replaces whatever was drawn when the model was built."""
    rng = np.random.default_rng(0)
    for v in model.variables:
        value = keras.ops.convert_to_numpy(v.value)
        if "seed" in v.name or value.dtype.kind != "f":
            continue
        if v.trainable:
            v.assign(rng.normal(0.0, 0.4, value.shape))
        elif np.ptp(value) > 0:  # A singular vector.
            x = rng.normal(size=value.shape)
            v.assign(x / np.linalg.norm(x))


def batches(shapes: Any, precision: str) -> Any:
    """Inputs by name or in order; a label is a number of a class."""
    rng = np.random.default_rng(1)

    def values(shape: tuple[int, ...]) -> Any:
        if not shape:
            return rng.integers(3, size=STEPS * ROWS).astype(precision)
        return rng.normal(size=(STEPS * ROWS, *shape)).astype(precision)

    if isinstance(shapes, dict):
        return {name: values(shape) for name, shape in shapes.items()}
    return [values(shape) for shape in shapes]


def end(case: Case, precision: str) -> Any:
    """Trains ten steps; returns the weights, and what was logged."""
    make, given, shapes = case
    given = dict(given)
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    with numbers_of_numpy(precision):
        model = make()
        begin(model)
        strategy = given.pop("strategy", Simultaneous)()
        optimizer = given.pop("optimizer", None)
        each = small_games.optimizers()
        if optimizer:
            each = [optimizer() for _ in model.players]
        # The suite compares it with what TensorFlow compiles.
        eager = keras.backend.backend() == "tensorflow"
        model.compile(strategy, each, run_eagerly=eager, **given)
        x = batches(shapes, precision)
        y = x["label"].astype("int32") if isinstance(x, dict) else None
        if isinstance(x, list) and len(x) == 1:
            (x,) = x
        logs = model.fit(
            x, y, batch_size=ROWS, shuffle=False, verbose=0
        ).history
        kept = [v for v in model.variables if "seed" not in v.name]
        return np.concatenate(
            [
                *(np.ravel(keras.ops.convert_to_numpy(v.value)) for v in kept),
                *(logs[name] for name in sorted(logs)),
            ]
        ).astype(precision)


def main() -> None:
    """Writes the ends of all cases, or of some."""
    parts, known = sys.argv[1:], cases()
    precisions = ("float32", "float64")
    ends = dict(np.load(ENDS)) if parts else {}
    ends = {k: x for k, x in ends.items() if k.split(" ", 1)[1] in known}
    for name, case in known.items():
        if not parts or any(part in name for part in parts):
            for precision in precisions:
                ends[f"{precision} {name}"] = end(case, precision)
    np.savez_compressed(ENDS, **ends)


if __name__ == "__main__":
    main()
