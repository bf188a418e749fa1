"""Plays the cases of `test_replicas.py` with two replicas and with one.

TensorFlow must be told of its devices before it starts, so this is a program
of its own. Its arguments are the number of a part and that of all parts; it
writes one line of JSON for each case of its part.

One strategy object serves all cases: those that a program makes count their
meetings alike, and would meet each other's.
"""

import json
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import tensorflow as tf

HALVES = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], HALVES
)

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402

import adversarial  # noqa: E402
from adversarial import optimizers as o, registry  # noqa: E402
from adversarial.evaluation import (  # noqa: E402
    Evaluator,
    read_all,
    read_noise,
)
from adversarial.penalties import R1  # noqa: E402

# Short graphs, run three times, are not worth the time it takes.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
TWO = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
ONE = tf.distribute.get_strategy()
ROWS = np.random.default_rng(0).normal(size=(2, 24, 2)).astype("float32")
DIRECTION = {"tolerance": 1e-2, "max_iterations": 1}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "alternating": {"steps": {"discriminator": 2}},
    "averaging": {"inner": "simultaneous"},
    "balanced": {"skip": {"discriminator": (1.95, "generator")}},
    "competitive_gradient": DIRECTION,
    "follow_the_ridge": {"leader": "generator", **DIRECTION},
    "gradient_norm": {"weights": {"discriminator": {"generator": 0.1}}},
    "historical_averaging": {"inner": "simultaneous"},
    "lookahead": {"period": 2},
    "phases": {"phases": [[1, "simultaneous"], "optimistic"]},
    "prediction": {"two_sided": True},
    "runge_kutta": {"tableau": "heun"},
    "scheduled": {"schedule": ["discriminator", "generator"]},
    "stackelberg_gradient": {"leader": "generator", **DIRECTION},
    "unrolled": {"depth": 1},
}
OTHERS: dict[str, Callable[[], Any]] = {
    "adaptive competitive_gradient": lambda: o.CompetitiveGradient(
        adaptive=True, **DIRECTION
    ),
    "anderson of simultaneous": lambda: o.Anderson("simultaneous"),
    "extra_gradient from the past": lambda: o.ExtraGradient(reuse_past=True),
    "extra_gradient on fresh batches": lambda: o.ExtraGradient(
        fresh_batch=True
    ),
    "historical_averaging of scheduled": lambda: o.HistoricalAveraging(
        o.Scheduled(["discriminator", "generator"])
    ),
    "phases of scheduled": lambda: nested_switch(),
    "unrolled once more": lambda: o.Unrolled(1, rematerialize=True),
    "unrolled constants": lambda: o.Unrolled(2, through=False),
}


def nested_switch() -> Any:
    """A switch within a switch."""
    schedule = o.Scheduled(["discriminator", "generator"])
    return o.Phases([(1, "simultaneous"), schedule])


def strategies() -> dict[str, Callable[[], Any]]:
    """Makers of all registered strategies, by name."""
    named = {registry.snake_case(name): getattr(o, name) for name in o.__all__}
    return {
        name: lambda name=name: named[name](**ARGUMENTS.get(name, {}))
        for name in registry.names("optimizers")
    }


def gan(
    discriminator: Any = None, latent: Any = False, penalties: Any = None
) -> Any:
    """A generator and a discriminator of a few weights."""
    g = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    d = discriminator or keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(2, "tanh", use_bias=False),
            layers.Dense(1),
        ]
    )
    more = {"penalties": penalties(d)} if penalties else {}
    base = adversarial.builders.build_gan(g, d, latent=latent, **more)
    return adversarial.AdversarialModel(
        base, player_params={"generator": g, "discriminator": d}
    )


def optimizers() -> list[Any]:
    """One with momentum, and one with a state that depends on the scale."""
    return [
        keras.optimizers.SGD(0.05, momentum=0.5, clipnorm=0.3),
        keras.optimizers.Adam(0.01, epsilon=1e-3, weight_decay=0.01),
    ]


def numbers(model: Any) -> list[float]:
    """All weights, and all state of the strategy and the optimizers."""
    variables = [*model.variables, *model.optimizer.variables]
    kept = [v for v in variables if "seed" not in v.name]
    for v in kept:
        first, *others = TWO.experimental_local_results(v.value)
        for other in others:
            np.testing.assert_array_equal(first.numpy(), other.numpy())
    return np.concatenate([np.ravel(v.numpy()) for v in kept]).tolist()


def fitted(
    scope: Any,
    strategy: Any,
    make: Callable[[], Any] = gan,
    *,
    rows: Any = ROWS,
    given: Any = None,
    optimizers: Callable[[], Any] = optimizers,
    **fit: Any,
) -> tuple[Any, dict[str, Any]]:
    """Trains three steps; returns the model and what was logged."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    eager = scope is ONE  # Nothing to trace: the quickest way to a reference.
    given = {"loss": "non_saturating", "run_eagerly": eager, **(given or {})}
    with scope.scope():
        model = make()
        model.compile(strategy(), optimizers(), **given)
    fit = {"batch_size": 8, "shuffle": False, "verbose": 0, **fit}
    return model, model.fit([*rows], **fit).history


def compared(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """The same training with two replicas and with one."""
    found = {}
    for name, scope in (("two", TWO), ("one", ONE)):
        model, logs = fitted(scope, *args, **kwargs)
        found[name] = [
            *numbers(model),
            *(x for _, values in sorted(logs.items()) for x in values),
        ]
    return found


def run(name: str, case: Callable[[], dict[str, Any]], kind: str = "") -> None:
    """Writes what a case finds, or its error."""
    begin = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = case()
    except Exception:
        found = {"error": traceback.format_exc()[-2000:]}
    seconds = round(time.process_time() - begin, 1)
    print(
        "CASE",
        json.dumps({"name": name, "kind": kind, "seconds": seconds, **found}),
    )
    sys.stdout.flush()


def with_penalties() -> Any:
    """A discriminator that keeps moving statistics and pays three ways."""
    d = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(3, kernel_regularizer="l2", name="regularized"),
            layers.BatchNormalization(synchronized=True),
            layers.Activation("tanh"),
            layers.Dense(1, kernel_constraint=keras.constraints.MaxNorm(0.5)),
        ]
    )
    return gan(d)


def everything() -> dict[str, Any]:
    """Moving statistics, uneven batches, evaluation and prediction."""
    found = {}
    for name, scope in (("two", TWO), ("one", ONE)):
        x = ROWS[:, :23]
        model, logs = fitted(scope, o.Simultaneous, with_penalties, rows=x)
        scores = model.evaluate([*x], batch_size=8, verbose=0)
        outputs = model.predict([*x], batch_size=8, verbose=0)
        found[name] = [
            *numbers(model),
            *(v for _, values in sorted(logs.items()) for v in values),
            *scores,
            *np.concatenate([np.ravel(y) for y in outputs]).tolist(),
        ]
    return found


def regression() -> Any:
    """Two players with targets of their own."""
    x = keras.Input((2,))
    heads = {n: layers.Dense(1, name=n) for n in ("first", "second")}
    base = keras.Model(x, layers.add([head(x) for head in heads.values()]))
    return adversarial.AdversarialModel(base, player_params=heads)


def weighted() -> dict[str, Any]:
    """Targets, sample weights and metrics of Keras, in uneven batches."""
    found = {}
    for name, scope in (("two", TWO), ("one", ONE)):
        keras.utils.set_random_seed(0)
        with scope.scope():
            model = regression()
            model.compile(
                "alternating",
                optimizers(),
                loss="mse",
                metrics=["mae"],
                weighted_metrics=["mse"],
            )
        x, y = ROWS[0, :23], ROWS[1, :23, :1]
        w = np.linspace(0.5, 1.5, 23, dtype="float32")
        logs = model.fit(
            x,
            [y, -y],
            batch_size=8,
            shuffle=False,
            verbose=0,
            sample_weight=[w, w],
        ).history
        found[name] = [
            *numbers(model),
            *(v for _, values in sorted(logs.items()) for v in values),
        ]
    return found


def one_row_left() -> dict[str, Any]:
    """The last batch has a row for one replica and none for the other."""
    return compared(o.Alternating, rows=ROWS[:, :17])


def held_back() -> dict[str, Any]:
    """NaN in the half of one replica, found after the first player moved."""
    rows = ROWS.copy()
    rows[0, 14] = np.nan
    return compared(o.Alternating, rows=rows, given={"on_nonfinite": "warn"})


def reported() -> dict[str, Any]:
    """The same, when it is to be raised."""
    rows = ROWS.copy()
    rows[0, 14] = np.nan
    try:
        fitted(TWO, o.Alternating, rows=rows)
    except adversarial.GameDivergedError as error:
        return {"message": str(error)}
    return {"message": ""}


def half_precision() -> dict[str, Any]:
    """Dynamic loss scales."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        return compared(o.Simultaneous, optimizers=lambda: "sgd")
    finally:
        keras.mixed_precision.set_global_policy("float32")


def latents() -> dict[str, Any]:
    """What each replica draws, and the random state afterwards."""
    keras.utils.set_random_seed(0)
    with TWO.scope():
        model = gan(latent=2)
        model.compile("alternating", optimizers(), "non_saturating")
    states = [v for v in model.variables if "seed" in v.name]
    before = [v.numpy() for v in states]
    model.fit(ROWS[0], batch_size=8, verbose=0)
    evaluator = Evaluator(model.players)

    @tf.function(autograph=False)
    def play() -> Any:
        values = read_all(evaluator.state) | read_noise(evaluator.noise)
        with keras.StatelessScope(list(values.values())):
            return model.networks[0](tf.ones((4, 2)))

    drawn = [
        tf.nest.map_structure(TWO.experimental_local_results, y)
        for y in tf.nest.flatten(TWO.run(play))
    ]
    copies = [TWO.experimental_local_results(v.value) for v in states]
    return {
        "outputs": [[x.numpy().tolist() for x in y] for y in drawn],
        "states": [[x.numpy().tolist() for x in y] for y in copies],
        "moved": [
            bool((v.numpy() != x).any())
            for v, x in zip(states, before, strict=True)
        ],
    }


def draws() -> dict[str, Any]:
    """How often noise is drawn under a switch within a switch."""
    found = {}
    for name, scope in (("two", TWO), ("one", ONE)):
        model, _ = fitted(
            scope,
            nested_switch,
            lambda: gan(latent=2),
            rows=ROWS[:1],
            given={"run_eagerly": True},
        )
        states = [v for v in model.variables if "seed" in v.name]
        found[name] = [int(v.numpy()[1]) for v in states]
    return found


CASES = {
    "draws": draws,
    "everything": everything,
    "weighted": weighted,
    "one row left": one_row_left,
    "held back": held_back,
    "reported": reported,
    "half precision": half_precision,
    "latents": latents,
    "penalised": lambda: compared(
        o.Consensus, lambda: gan(penalties=lambda d: [R1(d, interval=2)])
    ),
}


def main(part: int, parts: int) -> None:
    """Plays one case of so many."""
    eager = {"run_eagerly": True}
    cases = [
        *((name, case, "") for name, case in CASES.items()),
        *(
            (name, lambda make=make: compared(make), "")
            for name, make in strategies().items()
        ),
        *(
            (name, lambda make=make: compared(make, given=eager), "variant")
            for name, make in OTHERS.items()
        ),
    ]
    for name, case, kind in cases[part::parts]:
        run(name, case, kind)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
