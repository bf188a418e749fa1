import keras
import numpy as np
import pytest

from adversarial.builders import gan_targets
from adversarial.evaluation import Outcome
from adversarial.scoreboard import Scoreboard

BCE = keras.losses.BinaryCrossentropy(from_logits=True)


def scoreboard(model, *, skips_bad=False, **given):
    empty = dict.fromkeys(
        ("loss", "loss_weights", "metrics", "weighted_metrics")
    )
    return Scoreboard(model.players, {**empty, **given}, skips_bad=skips_bad)


def outcome(generator, discriminator, finite=True):
    outputs = [keras.ops.zeros((4, 1)), keras.ops.zeros((4, 1))]
    return Outcome(
        {
            "generator": keras.ops.convert_to_tensor(generator),
            "discriminator": keras.ops.convert_to_tensor(discriminator),
        },
        {"generator": outputs, "discriminator": outputs},
        {
            "generator": keras.ops.convert_to_tensor(finite),
            "discriminator": keras.ops.convert_to_tensor(True),
        },
    )


def test_logs_are_means_over_samples_and_the_total_is_the_sum(small_gan):
    scores = scoreboard(small_gan(), loss=BCE)
    data = (np.ones((4, 3)), gan_targets(4))
    assert not scores.ready
    batch = scores.deal(data)
    assert scores.ready
    scores.log(batch, outcome(1.0, 2.0))
    logs = scores.log(batch, outcome(3.0, 2.0))
    assert float(logs["generator_loss"]) == 2.0
    assert float(logs["discriminator_loss"]) == 2.0
    assert float(logs["loss"]) == 4.0
    assert float(logs["generator_yfake_loss"]) == pytest.approx(np.log(2))
    for metric in scores.metrics:
        metric.reset_state()
    assert float(scores.results()["loss"]) == 0.0


def test_a_bad_batch_stays_out_of_the_means_if_asked(small_gan):
    scores = scoreboard(small_gan(), loss=BCE, skips_bad=True)
    batch = scores.deal((np.ones((4, 3)), gan_targets(4)))
    scores.log(batch, outcome(1.0, 1.0))
    logs = scores.log(batch, outcome(np.nan, 1.0, finite=False))
    assert float(logs["loss"]) == 2.0


def test_making_the_metrics_runs_nothing_and_counts_nothing(small_gan):
    model = small_gan()
    before = [np.array(v) for v in model.variables]
    scores = scoreboard(model, loss=BCE, metrics={"generator": ["mae", "mae"]})
    seen = []
    wrapped = scores.wrap(lambda iterator: seen.append(next(iterator)))
    data = (np.ones((4, 3)), gan_targets(4))
    wrapped(iter([data]))
    assert scores.ready and seen[0] is data
    assert float(scores.results()["generator_yfake_mae"]) == 0.0
    for v, old in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(v, old)


def test_targets_that_do_not_fit_are_refused_before_anything_is_traced(
    small_gan,
):
    scores = scoreboard(small_gan(), loss=BCE)
    wrapped = scores.wrap(lambda iterator: pytest.fail("was called"))
    with pytest.raises(ValueError, match="must hold one entry per target"):
        wrapped(iter([(np.ones((4, 3)), gan_targets(4)[:3])]))
    with pytest.raises(ValueError, match="need targets"):
        wrapped(iter([(np.ones((4, 3)),)]))


def test_means_come_back_at_once_or_when_their_variables_are_made(small_gan):
    first = scoreboard(small_gan(), loss=BCE)
    batch = first.deal((np.ones((4, 3)), gan_targets(4)))
    first.log(batch, outcome(1.0, 2.0))
    kept = first.state()
    late = scoreboard(small_gan(), loss=BCE)
    late.restore(kept)
    assert float(late.results()["loss"]) == 0
    assert late.state() == kept
    late.deal((np.ones((4, 3)), gan_targets(4)))
    for scores in (first, late):
        scores.restore(kept)
        assert float(scores.results()["loss"]) == 3
    late.restore([np.zeros(7)])
    assert float(late.results()["loss"]) == 3
