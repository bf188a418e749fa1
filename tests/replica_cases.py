"""What several replicas play, and one alone: they must end alike.

The cases of `two_replicas.py`, whose replicas are devices of one process, and
of `two_workers.py`, whose replicas are processes.

One strategy of `tf.distribute` serves all cases: those that a program makes
count their meetings alike, and would meet each other's.
"""

import json
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from small_games import OTHERS, gan, nested_switch, optimizers, strategies

import adversarial
from adversarial import optimizers as o
from adversarial.evaluation import (
    Evaluator,
    read_all,
    read_noise,
)
from adversarial.penalties import R1

# Short graphs, run three times, are not worth the time it takes.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
ONE = tf.distribute.get_strategy()
ROWS = np.random.default_rng(0).normal(size=(2, 24, 2)).astype("float32")


def flat(logs: dict[str, list[float]]) -> list[float]:
    """The values of all logs, in the order of their names."""
    return [x for _, values in sorted(logs.items()) for x in values]


def with_nan() -> Any:
    """Rows with NaN in the half of one replica of the second batch."""
    rows = ROWS.copy()
    rows[0, 14] = np.nan
    return rows


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


def regression() -> Any:
    """Two players with targets of their own."""
    x = keras.Input((2,))
    heads = {n: layers.Dense(1, name=n) for n in ("first", "second")}
    base = keras.Model(x, layers.add([head(x) for head in heads.values()]))
    return adversarial.AdversarialModel(base, player_params=heads)


class Comparison:
    """The same training with several replicas and with one.

    Args:
        several: The strategy of `tf.distribute`.
        alone: Whether to train with one, too.
    """

    def __init__(self, several: Any, *, alone: bool = True) -> None:
        self.several = several
        self.scopes = {"two": several, **({"one": ONE} if alone else {})}

    def numbers(self, model: Any) -> list[float]:
        """All weights, and all state of the strategy and the optimizers."""
        variables = [*model.variables, *model.optimizer.variables]
        kept = [v for v in variables if "seed" not in v.name]
        for v in kept:
            first, *others = self.several.experimental_local_results(v.value)
            for other in others:
                np.testing.assert_array_equal(first.numpy(), other.numpy())
        return np.concatenate([np.ravel(v.numpy()) for v in kept]).tolist()

    def compared(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The numbers and the logs of a training."""
        found = {}
        for name, scope in self.scopes.items():
            model, logs = fitted(scope, *args, **kwargs)
            found[name] = [*self.numbers(model), *flat(logs)]
        return found

    def everything(self) -> dict[str, Any]:
        """Moving statistics, uneven batches, evaluation and prediction."""
        found = {}
        for name, scope in self.scopes.items():
            x = ROWS[:, :23]
            model, logs = fitted(scope, o.Simultaneous, with_penalties, rows=x)
            scores = model.evaluate([*x], batch_size=8, verbose=0)
            outputs = model.predict([*x], batch_size=8, verbose=0)
            found[name] = [
                *self.numbers(model),
                *flat(logs),
                *scores,
                *np.concatenate([np.ravel(y) for y in outputs]).tolist(),
            ]
        return found

    def weighted(self) -> dict[str, Any]:
        """Targets, sample weights and metrics of Keras, in uneven batches."""
        found = {}
        for name, scope in self.scopes.items():
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
                validation_data=(x, [y, y]),
                validation_batch_size=8,
            ).history
            found[name] = [*self.numbers(model), *flat(logs)]
        return found

    def one_row_left(self) -> dict[str, Any]:
        """The last batch has a row for one replica and none for the other."""
        return self.compared(o.Alternating, rows=ROWS[:, :17])

    def held_back(self) -> dict[str, Any]:
        """NaN in the half of one replica, found after a player moved."""
        return self.compared(
            o.Alternating, rows=with_nan(), given={"on_nonfinite": "warn"}
        )

    def rolled_back(self) -> dict[str, Any]:
        """The same, when training is to go back."""
        given = {"on_nonfinite": "rollback", "rollback_every": 1}
        return self.compared(o.Alternating, rows=with_nan(), given=given)

    def reported(self) -> dict[str, Any]:
        """The same, when it is to be raised."""
        try:
            fitted(self.several, o.Alternating, rows=with_nan())
        except adversarial.GameDivergedError as error:
            return {"message": str(error)}
        return {"message": ""}

    def half_precision(self) -> dict[str, Any]:
        """Dynamic loss scales."""
        keras.mixed_precision.set_global_policy("mixed_float16")
        try:
            return self.compared(o.Simultaneous, optimizers=lambda: "sgd")
        finally:
            keras.mixed_precision.set_global_policy("float32")

    def penalised(self) -> dict[str, Any]:
        """A penalty that is paid in every second step."""
        return self.compared(
            o.Consensus, lambda: gan(penalties=lambda d: [R1(d, interval=2)])
        )

    def latents(self) -> dict[str, Any]:
        """What each replica draws, and the random state afterwards."""
        keras.utils.set_random_seed(0)
        with self.several.scope():
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

        here = self.several.experimental_local_results
        drawn = [
            tf.nest.map_structure(here, y)
            for y in tf.nest.flatten(self.several.run(play))
        ]
        copies = [here(v.value) for v in states]
        return {
            "outputs": [[x.numpy().tolist() for x in y] for y in drawn],
            "states": [[x.numpy().tolist() for x in y] for y in copies],
            "moved": [
                bool((v.numpy() != x).any())
                for v, x in zip(states, before, strict=True)
            ],
        }

    def draws(self) -> dict[str, Any]:
        """How often noise is drawn under a switch within a switch."""
        found = {}
        for name, scope in (("two", self.several), ("one", ONE)):
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

    def cases(self) -> dict[str, Callable[[], dict[str, Any]]]:
        """All that is not about one strategy, by name."""
        return {
            "draws": self.draws,
            "everything": self.everything,
            "weighted": self.weighted,
            "one row left": self.one_row_left,
            "held back": self.held_back,
            "rolled back": self.rolled_back,
            "reported": self.reported,
            "half precision": self.half_precision,
            "latents": self.latents,
            "penalised": self.penalised,
        }

    def of_strategies(self) -> dict[str, Callable[[], dict[str, Any]]]:
        """The same training with every registered strategy."""
        return {
            name: lambda make=make: self.compared(make)
            for name, make in strategies().items()
        }

    def of_variants(self) -> dict[str, Callable[[], dict[str, Any]]]:
        """The same with other arguments, run eagerly."""
        eager = {"run_eagerly": True}
        return {
            name: lambda make=make: self.compared(make, given=eager)
            for name, make in OTHERS.items()
        }


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
