import keras
import numpy as np
import pytest

from adversarial import metrics
from adversarial.callbacks.metric_group import MetricGroup

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(60, 3)), RNG.normal(size=(50, 3)) + 0.3


def test_all_metrics_see_all_samples():
    group = MetricGroup(
        ["frechet_distance", metrics.DensityCoverage(k=3), "classifier_score"]
    )
    one = MetricGroup("sliced_wasserstein")
    assert group.feed_real(REAL, 7) == one.feed_real(REAL, 64) == (3,)
    probabilities = np.abs(FAKE) / np.abs(FAKE).sum(axis=1, keepdims=True)
    found = group.measure(np.split(probabilities, [9, 30]))
    expected = {}
    for metric in (
        metrics.FrechetDistance(),
        metrics.DensityCoverage(k=3),
        metrics.ClassifierScore(),
    ):
        if metric.least[0]:
            metric.update_real(REAL)
        metric.update_fake(probabilities)
        result = metric.result()
        expected |= (
            result if isinstance(result, dict) else {metric.name: result}
        )
    assert list(found) == list(group.directions) == list(expected)
    for name, value in expected.items():
        # Other batches are other orders of sums, in float64.
        np.testing.assert_allclose(found[name], value, rtol=1e-12)


def test_real_samples_may_be_tensors_or_batches_with_labels():
    labelled = [(REAL[:20], np.zeros(20)), (REAL[20:], np.zeros(40))]
    found = []
    for real in (
        REAL,
        keras.ops.convert_to_tensor(REAL),
        iter([REAL[:5], REAL[5:]]),
        labelled,
    ):
        group = MetricGroup("frechet_distance")
        group.feed_real(real, 16)
        found.append(group.measure([FAKE])["frechet_distance"])
    np.testing.assert_allclose(found, found[0], rtol=1e-12)


def test_each_measurement_forgets_the_samples_before():
    group = MetricGroup("frechet_distance")
    group.feed_real(REAL, 64)
    first = group.measure([FAKE])
    group.measure([FAKE + 5])
    assert group.measure([FAKE]) == first


def test_feeding_again_replaces_the_real_samples():
    group = MetricGroup("frechet_distance")
    group.feed_real(REAL + 9, 64)
    group.feed_real(REAL, 64)
    assert group.metrics[0].seen == (60, 0)


def test_kept_statistics_are_not_fed_over(tmp_path):
    source = metrics.FrechetDistance()
    source.update_real(REAL)
    source.write_real(tmp_path / "statistics.npz")
    kept = metrics.FrechetDistance(keep_real=True)
    kept.read_real(tmp_path / "statistics.npz")
    group = MetricGroup([kept, metrics.PrecisionRecall(k=2)])
    group.feed_real(REAL[:10], 64)
    assert [m.seen[0] for m in group.metrics] == [60, 10]
    alone = MetricGroup(kept)
    assert alone.feed_real(None, 64) is None
    assert alone.measure([FAKE])["frechet_distance"] > 0


def test_a_metric_without_a_real_side_is_not_fed():
    group = MetricGroup(metrics.ModeCoverage(modes=3))

    def endless():
        while True:
            yield REAL

    assert group.feed_real(endless(), 64) == (3,)
    assert group.metrics[0].seen == (0, 0)


def test_two_logs_of_one_name_are_refused():
    with pytest.raises(ValueError, match="names of their own") as error:
        MetricGroup([metrics.FrechetDistance(), metrics.FrechetDistance()])
    assert error.match("'frechet_distance' twice")
    group = MetricGroup(
        [metrics.FrechetDistance(), metrics.FrechetDistance(name="pixels")]
    )
    assert list(group.directions) == ["frechet_distance", "pixels"]


def test_an_unknown_metric_gets_the_nearest_spelling():
    with pytest.raises(ValueError, match="did you mean 'frechet_distance'"):
        MetricGroup(["frechet_distanse"])
    with pytest.raises(TypeError, match="metric must be a name"):
        MetricGroup([keras.metrics.Mean()])
    with pytest.raises(ValueError, match="a metric or more"):
        MetricGroup([])


@pytest.mark.parametrize(
    ("metric", "real", "generated"),
    [
        (metrics.KernelDistance(subset_size=20), 20, 20),
        (metrics.DensityCoverage(k=4), 5, 1),
        (metrics.PrecisionRecall(k=4), 5, 5),
        (metrics.ClassifierScore(splits=7), 0, 7),
        (metrics.FrechetDistance(), 2, 2),
    ],
)
def test_too_few_samples_are_told_from_what_the_metric_needs(
    metric, real, generated
):
    group = MetricGroup(metric)
    group.check_samples(generated)
    with pytest.raises(ValueError, match="needs more generated samples") as e:
        group.check_samples(generated - 1)
    assert e.match(f"at least {generated}") and e.match("`samples`")
    group.feed_real(REAL[:real], 64)
    if real:
        with pytest.raises(ValueError, match="needs more real samples") as e:
            group.feed_real(REAL[: real - 1], 64)
        assert e.match(f"at least {real}") and e.match("`real`")
        with pytest.raises(ValueError, match=r"Received: 0\."):
            MetricGroup([type(metric)()]).feed_real(None, 64)


def test_real_samples_must_be_samples():
    with pytest.raises(TypeError, match="`real` must hold samples"):
        MetricGroup("frechet_distance").feed_real(5, 64)


def test_metrics_know_which_way_is_better():
    group = MetricGroup(
        ["frechet_distance", "kernel_distance", "density_coverage"]
    )
    assert group.choose("frechet_distance", "auto")[1] == "min"
    assert group.choose("coverage", "auto")[1] == "max"
    assert group.choose("density", "max") == ("density", "max")
    assert group.choose("coverage", "min") == ("coverage", "min")
    with pytest.raises(ValueError, match=r"pass `mode=\"min\"` or"):
        group.choose("density", "auto")
    with pytest.raises(ValueError, match="did you mean 'coverage'"):
        group.choose("covrage", "auto")
    with pytest.raises(ValueError, match="Unknown `mode`: 'maximum'"):
        group.choose("coverage", "maximum")


def test_the_log_to_monitor_may_be_left_out_if_only_one_has_a_direction():
    assert MetricGroup("kernel_distance").choose(None, "auto") == (
        "kernel_distance",
        "min",
    )
    for names, mode in (
        (["kernel_distance"], "min"),
        (["frechet_distance", "sliced_wasserstein"], "auto"),
    ):
        with pytest.raises(ValueError, match="`monitor` must say"):
            MetricGroup(names).choose(None, mode)
