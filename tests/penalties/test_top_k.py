import keras
import numpy as np
import pytest
from engines import JITS, compiled, dtype_of, slopes, slopes_of, tensor
from keras import ops

import adversarial
from adversarial.losses import NonSaturating, Weighted
from adversarial.penalties import TopK

RNG = np.random.default_rng(4)
X = RNG.normal(size=(12, 4)).astype("float32")
FLOAT32 = 1e-5
"""Relative; means of a few float32 numbers."""


def at(share, **kwargs):
    """A layer that keeps this share for ever."""
    layer = TopK(share, 0.01, 1, **kwargs)
    layer.steps.assign(100)
    return layer


def kept(weights):
    return np.flatnonzero(np.asarray(weights).ravel()).tolist()


@pytest.mark.parametrize(
    ("share", "n", "k"),
    [(0.5, 8, 4), (0.5, 7, 3), (0.7, 10, 7), (0.1, 4, 1), (1.0, 5, 5)],
)
def test_the_k_best_weigh_n_over_k(share, n, k):
    scores = RNG.normal(size=(n, 1)).astype("float32")
    weights = np.asarray(at(share)(scores))
    assert weights.shape == (n, 1)
    best = np.sort(np.argsort(-scores[:, 0])[:k]).tolist()
    assert kept(weights) == best
    np.testing.assert_allclose(weights[best], n / k, rtol=FLOAT32)
    # The mean of the weighed losses is the mean of the best.
    np.testing.assert_allclose(
        np.mean(weights * scores), scores[best].mean(), rtol=FLOAT32
    )


def test_of_equal_scores_the_first_count_and_no_more_than_k():
    assert kept(at(0.5)(np.zeros((6, 1), "float32"))) == [0, 1, 2]
    scores = np.array([[1.0], [2.0], [1.0], [1.0]], "float32")
    assert kept(at(0.5)(scores)) == [0, 1]


def test_of_energies_the_lowest_are_best():
    scores = np.array([[3.0], [0.5], [2.0], [1.0]], "float32")
    assert kept(at(0.5, largest=False)(scores)) == [1, 3]
    assert kept(at(0.5)(scores)) == [0, 2]


def test_patches_are_averaged_before_they_are_compared():
    patches = np.zeros((4, 2, 2, 1), "float32")
    patches[:, 0, 0, 0] = [9.0, 4.0, 0.0, 0.0]  # The largest is no measure.
    patches[:, 1, 1, 0] = [-9.0, 0.0, 3.0, 2.0]
    assert kept(at(0.5)(patches)) == [1, 2]
    assert at(0.5)(patches).shape == (4, 1)
    assert kept(at(0.5)(np.array([0.0, 2.0], "float32"))) == [1]


def test_the_share_shrinks_by_epochs_as_in_the_paper():
    fraction, decay, period, n = 0.3, 0.8, 3, 20
    layer, k = TopK(fraction, decay, period), 1.0 * n
    scores = RNG.normal(size=(n, 1)).astype("float32")
    for t in range(24):
        if t and t % period == 0:  # After an epoch.
            k = max(decay * k, fraction * n)
        found = layer(scores, training=True)
        assert len(kept(found)) == int(k + 1e-6), t
    assert len(kept(found)) == 6
    layer(scores)
    assert int(layer.steps.value) == 24


def test_no_gradient_flows_into_the_scores():
    layer, weights = at(0.5), tensor(np.arange(6.0)[:, None])
    (slope,) = slopes(
        lambda scores: ops.sum(layer(scores) * ops.cast(weights, "float32")),
        RNG.normal(size=(6, 1)).astype("float32"),
    )
    np.testing.assert_array_equal(slope, np.zeros((6, 1)))


@pytest.mark.parametrize("jit", [False, True])
def test_batches_of_unknown_size_are_weighed(jit):
    layer = at(0.5)
    shapes = None if jit else [((None, 1), "float32")]
    weigh = compiled(layer, jit, shapes)
    for n in (4, 6, 7):
        scores = RNG.normal(size=(n, 1)).astype("float32")
        found = weigh(tensor(scores))
        np.testing.assert_array_equal(found, layer(scores))
    assert layer(keras.Input((3, 3, 1))).shape == (None, 1)


def topk_gan(**kwargs):
    layers = keras.layers
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4)], name="generator"
    )
    critic = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, "tanh"), layers.Dense(1)]
    )
    pair = [keras.Input((4,)), keras.Input((4,))]
    yreal, yfake = (critic(x) for x in pair)
    top = TopK(**kwargs)(yfake)
    judge = keras.Model(pair, [yreal, yfake, top], name="judge")
    x = keras.Input((4,))
    made = generator(x[:, :2])
    names = ["yreal", "yfake", "top_k"]
    outputs = dict(zip(names, judge([x, made]), strict=True))
    return adversarial.AdversarialModel(
        keras.Model(x, outputs),
        player_params={"generator": generator, "discriminator": judge},
    )


LOSS = Weighted(NonSaturating(), "top_k")


def steps_of(model):
    (steps,) = model.players["discriminator"].state
    return int(steps.value)


@pytest.mark.parametrize(
    "strategy", ["simultaneous", "alternating", "extra_gradient", "unrolled"]
)
def test_it_counts_once_per_step_whatever_the_strategy(strategy):
    model = topk_gan()
    model.compile(strategy, "sgd", LOSS)
    for t in (1, 2, 3):
        model.train_on_batch(X)
        assert steps_of(model) == t


def test_a_generators_move_and_a_bad_batch_do_not_count():
    model = topk_gan()
    schedule = adversarial.optimizers.Scheduled(["generator", "discriminator"])
    model.compile(schedule, "sgd", LOSS, on_nonfinite="warn")
    model.train_on_batch(X)
    assert steps_of(model) == 0
    with pytest.warns(UserWarning, match="must be finite"):
        model.train_on_batch(np.full_like(X, np.nan))
    assert steps_of(model) == 0


def test_the_generator_learns_from_the_best_alone():
    """Its step is that of the mean over the k best, by hand."""
    model = topk_gan(fraction=0.25, decay=0.25, period=1)
    rates = [keras.optimizers.SGD(1.0), keras.optimizers.SGD(0.0)]
    model.compile("simultaneous", rates, LOSS)
    generator, judge = (
        model.networks[0].get_layer(name) for name in ("generator", "judge")
    )
    model.players["discriminator"].state[0].assign(1)
    kernel = generator.weights[0]

    def by_hand():
        fake = judge([tensor(X), generator(tensor(X[:, :2]))])[1][:, 0]
        best = ops.flip(ops.sort(fake))[:3]
        loss = ops.mean(ops.softplus(-best))
        return loss, [loss, ops.mean(ops.softplus(-fake))]

    (loss, everybody), (slope,) = slopes_of(by_hand, [kernel])
    expected = kernel.numpy() - slope
    assert abs(float(loss) - float(everybody)) > 1e-2
    logs = model.train_on_batch(X, return_dict=True)
    assert logs["generator_loss"] == pytest.approx(float(loss), rel=FLOAT32)
    np.testing.assert_allclose(kernel.numpy(), expected, atol=1e-6)


def test_a_layer_in_nobodys_model_warns():
    layers = keras.layers
    generator, critic = (
        keras.Sequential([keras.Input((n,)), layers.Dense(m)])
        for n, m in ((2, 4), (4, 1))
    )
    x = keras.Input((4,))
    yreal, yfake = critic(x), critic(generator(x[:, :2]))
    outputs = {"yreal": yreal, "yfake": yfake, "top_k": TopK()(yfake)}
    owners = {"generator": generator, "discriminator": critic}
    model = adversarial.AdversarialModel(
        keras.Model(x, outputs), player_params=owners
    )
    model.compile("simultaneous", "sgd", LOSS, run_eagerly=True)
    with pytest.warns(UserWarning, match="No player owns 'top_k"):
        model.train_on_batch(X)


def test_it_trains_under_every_strategy_and_in_every_mode(conforms):
    conforms(
        lambda: topk_gan(fraction=0.5, decay=0.7, period=1),
        {"loss": LOSS},
        [X],
        3,
    )


@pytest.mark.parametrize("jit", JITS)
def test_a_saved_model_goes_on(jit, tmp_path):
    model = topk_gan(fraction=0.5, decay=0.9, period=2)
    model.compile("simultaneous", "sgd", LOSS, jit_compile=jit)
    model.fit(X, batch_size=5, epochs=2, verbose=0)  # 5, 5 and 2 samples.
    assert steps_of(model) == 6
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert copy.train_on_batch(X) == model.train_on_batch(X)
    assert steps_of(copy) == steps_of(model) == 7


def test_in_half_precision_it_counts_and_ranks_in_single():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = at(0.5)
        scores = tensor([[1.0], [3.0], [2.0], [0.0]], "float16")
        found = layer(scores, training=True)
        assert dtype_of(found) == "float32"
        assert kept(found) == [1, 2]
        assert int(layer.steps.value) == 101
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"fraction": 0.0}, "`fraction` is out of range"),
        ({"fraction": 1.5}, "`fraction` is out of range"),
        ({"decay": 0.0}, "`decay` is out of range"),
        ({"period": 0}, "`period` must be a whole number"),
    ],
)
def test_numbers_out_of_range_are_refused(kwargs, words):
    with pytest.raises(ValueError, match=words):
        TopK(**kwargs)


def test_what_is_no_score_is_refused():
    with pytest.raises(ValueError, match="needs one score per sample"):
        TopK()(np.zeros((4, 3)))


def test_the_layer_is_remade_from_its_config():
    layer = TopK(0.7, 0.9, 50, largest=False, name="best")
    config = keras.saving.serialize_keras_object(layer)
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is TopK
    assert copy.get_config() == layer.get_config()
    found = (copy.fraction, copy.decay, copy.period, copy.largest)
    assert found == (0.7, 0.9, 50, False)
