"""The streaming metrics, and samples for each."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from engines import values_only as values_only

import adversarial
from adversarial import metrics

CLASSES = 4
WIDTH = 3


def features(rng, n):
    return rng.normal(size=(n, WIDTH)) @ rng.normal(size=(WIDTH, WIDTH))


def probabilities(rng, n):
    p = rng.exponential(size=(n, CLASSES)) ** 2
    return p / p.sum(axis=1, keepdims=True)


METRICS = {
    "frechet": (metrics.FrechetDistance, {}, features),
    "kernel": (
        metrics.KernelDistance,
        {"subset_size": 20, "subsets": 4, "seed": 3},
        features,
    ),
    "precision": (metrics.PrecisionRecall, {"k": 3}, features),
    "density": (metrics.DensityCoverage, {"k": 3}, features),
    "wasserstein": (
        metrics.SlicedWasserstein,
        {"projections": 7, "order": 1.5, "seed": 2},
        features,
    ),
    "capped": (
        metrics.SlicedWasserstein,
        {"max_samples": 30, "seed": 5},
        features,
    ),
    "classifier": (metrics.ClassifierScore, {"splits": 3}, probabilities),
    "modes": (
        metrics.ModeCoverage,
        {"modes": CLASSES, "reference": "real", "at_least": 2},
        probabilities,
    ),
}


KINDS = ("frechet", "capped", "classifier", "modes")
"""One metric for each kind of state."""


@pytest.fixture(params=METRICS)
def case(request):
    """One metric: how to make it, its samples and the keys of its result."""
    return case_of(request.param)


@pytest.fixture(params=KINDS)
def kind(request):
    """One metric for each kind of state, for tests that take long."""
    return case_of(request.param)


def case_of(name):
    cls, arguments, draw = METRICS[name]
    rng = np.random.default_rng(0)
    real, fake = draw(rng, 110), draw(rng, 90)
    return SimpleNamespace(
        name=name,
        cls=cls,
        make=lambda *args, **more: cls(*args, **{**arguments, **more}),
        keys=cls(**arguments).measures
        or (adversarial.registry.snake_case(cls.__name__),),
        real=real,
        fake=fake,
    )


@pytest.fixture
def tested():
    """The classes in the table."""
    return [cls for cls, _, _ in METRICS.values()]


@pytest.fixture
def flat():
    """Turns a result into an array."""

    def array(result):
        if isinstance(result, dict):
            return np.array(list(result.values()))
        return np.array([result])

    return array


@keras.saving.register_keras_serializable("tests_metrics")
def doubled(x):
    return 2.0 * x


@pytest.fixture
def registered():
    return doubled
