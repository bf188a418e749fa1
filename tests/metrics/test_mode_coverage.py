import keras
import numpy as np
import pytest
import scipy.stats
from engines import without

from adversarial import games
from adversarial.metrics import ModeCoverage

EXACT = 1e-12
"""Relative, between two orders of sums."""


def of(labels, modes, **kwargs):
    metric = ModeCoverage(modes=modes, **kwargs)
    metric.update_fake(np.asarray(labels))
    return metric.result()


@pytest.mark.parametrize("mixture", [games.ring(), games.grid()])
def test_a_mixture_is_scored_as_the_game_scores_it(mixture):
    rng = np.random.default_rng(0)
    samples = mixture.sample(300, seed=0)[:200]
    samples += rng.normal(size=samples.shape) * mixture.deviation * 3
    found = of(samples, mixture)
    scores = mixture.scores(samples)
    assert found["modes_covered"] == scores["modes_covered"]
    assert found["high_quality"] == pytest.approx(scores["high_quality"])
    assert found["kl_divergence"] == pytest.approx(
        scores["divergence"], rel=1e-9
    )


def test_only_samples_near_a_mode_cover_it():
    ring = games.ring()
    away = ring.means + np.array([0.0, 5 * ring.deviation])
    assert of(away, ring)["modes_covered"] == 0
    assert of(away, ring)["high_quality"] == 0
    assert of(away, ring, within=5.01)["modes_covered"] == 8
    assert of(away, ring)["kl_divergence"] == pytest.approx(0.0, abs=EXACT)


def test_the_divergence_is_that_of_scipy():
    labels = np.random.default_rng(0).integers(5, size=40)
    h = np.bincount(labels, minlength=7) / 40
    r = np.arange(1, 8) / 28
    found = of(labels, 7, reference=r)["kl_divergence"]
    assert found == pytest.approx(scipy.stats.entropy(h, r), rel=EXACT)
    uniform = of(labels, 7)["kl_divergence"]
    expected = scipy.stats.entropy(h, np.full(7, 1 / 7))
    assert uniform == pytest.approx(expected, rel=EXACT)


def test_one_mode_of_many_is_their_logarithm_away():
    found = of([3] * 10, 1000)
    assert found["modes_covered"] == 1
    assert found["kl_divergence"] == pytest.approx(np.log(1000))


def test_real_samples_can_be_the_reference():
    real, fake = [0, 0, 1, 1, 1, 2], [0, 1, 1, 1]
    metric = ModeCoverage(modes=4, reference="real")
    metric.update_state(np.array(real), np.array(fake))
    h, r = np.array([0.25, 0.75]), np.array([2 / 6, 3 / 6])
    assert metric.result()["kl_divergence"] == pytest.approx(
        np.sum(h * np.log(h / r)), rel=EXACT
    )


def test_a_mode_that_the_reference_lacks_is_infinitely_far():
    metric = ModeCoverage(modes=3, reference="real")
    metric.update_state(np.array([0, 0]), np.array([0, 2]))
    assert metric.result()["kl_divergence"] == np.inf


def test_a_mode_may_need_more_samples():
    labels = [0] * 5 + [1] * 2 + [2]
    assert of(labels, 4)["modes_covered"] == 3
    assert of(labels, 4, at_least=2)["modes_covered"] == 2


def test_scores_count_by_their_largest():
    scores = np.random.default_rng(0).normal(size=(30, 6))
    assert of(scores, 6) == of(scores.argmax(axis=1), 6)


def test_a_classifier_is_applied():
    classify = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3)], name="classifier"
    )
    x = np.random.default_rng(0).normal(size=(30, 2))
    metric = ModeCoverage(classify, modes=3)
    metric.update_fake(x)
    assert metric.result() == of(classify.predict(x, verbose=0), 3)


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0]])
def test_modes_out_of_range_are_refused(labels):
    with pytest.raises(ValueError, match=r"from 0 to 2(.|\n)*1 of 2"):
        of(labels, 3)


def test_scores_that_are_not_finite_have_no_mode():
    with pytest.raises(ValueError, match="1 of 2 fake rows"):
        of([[0.1, 0.9], [np.nan, 0.1]], 2)


def test_samples_of_a_mixture_must_be_finite():
    with pytest.raises(ValueError, match="1 of 2 fake rows"):
        of([[0.1, 0.9], [np.nan, 0.1]], games.ring())


def test_real_samples_are_refused_where_they_are_not_used():
    metric = ModeCoverage(modes=3)
    with pytest.raises(ValueError, match='reference="real"'):
        metric.update_state(np.array([0]), np.array([0]))


@without("torch", "nothing is compiled")
def test_mixtures_are_not_for_compiled_functions():
    ring = games.ring()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile(
        loss="mse", metrics=[ModeCoverage(modes=ring, reference="real")]
    )
    x = ring.sample(9, seed=0)
    with pytest.raises(ValueError, match="run_eagerly=True"):
        model.evaluate(x, x, verbose=0)


def test_mixtures_run_eagerly():
    ring = games.ring()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Rescaling(1.0)])
    model.compile(
        loss="mse",
        metrics=[ModeCoverage(modes=ring, reference="real")],
        run_eagerly=True,
    )
    x = ring.sample(90, seed=0)
    logs = model.evaluate(x, x, verbose=0, return_dict=True)
    assert logs["modes_covered"] == 8
    assert logs["kl_divergence"] == pytest.approx(0.0, abs=EXACT)


@pytest.mark.parametrize(
    "modes", [games.ring(6), 6], ids=["mixture", "classes"]
)
@pytest.mark.parametrize("reference", ["uniform", np.arange(6) / 15])
def test_it_comes_back_from_its_configuration(modes, reference):
    within = None if modes == 6 else 2.0
    metric = ModeCoverage(modes=modes, reference=reference, within=within)
    config = keras.saving.serialize_keras_object(metric)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == metric.get_config()
    data = np.arange(1, 6) if modes == 6 else modes.means[1:]
    for each in (metric, again):
        each.update_fake(data)
    assert again.result() == metric.result()


@pytest.mark.parametrize(
    "reference",
    [[0.5, 0.5], [0.5, 0.6, 0.2], [1.5, -0.5, 0.0], np.ones((3, 1)) / 3],
)
def test_a_reference_must_be_a_distribution_of_the_modes(reference):
    with pytest.raises(ValueError, match=r"one probability per mode"):
        ModeCoverage(modes=3, reference=reference)


def test_unknown_references_get_the_nearest_name():
    with pytest.raises(ValueError, match="did you mean 'uniform'"):
        ModeCoverage(modes=3, reference="unifrom")


def test_near_and_far_are_for_mixtures():
    with pytest.raises(ValueError, match="Only mixtures"):
        ModeCoverage(modes=3, within=2.0)


def test_a_reference_of_words_is_refused_in_words():
    with pytest.raises(ValueError, match="`reference` must hold"):
        ModeCoverage(modes=2, reference=("x", "y"))
