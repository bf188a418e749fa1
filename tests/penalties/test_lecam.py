import keras
import numpy as np
import pytest
from engines import JITS, array, dtype_of, slopes, tensor
from keras import ops

import adversarial
from adversarial import backend
from adversarial.losses import NonSaturating, Penalty, Wasserstein
from adversarial.penalties import LeCam

RNG = np.random.default_rng(2)
X = RNG.normal(size=(8, 4)).astype("float32")
FLOAT32 = 1e-5
"""Relative; a few float32 operations on numbers of the order of 1."""
STEP = 1e-6
"""Of central differences in float64."""
DECAY = 0.9


def scores(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0.5, 2.0, shape), rng.normal(-0.5, 2.0, shape)


def per_sample(x):
    return x.reshape(len(x), -1).mean(axis=1)


def formula(real, fake, a_real, a_fake, one_sided=False):
    r, f = real - a_fake, a_real - fake
    if one_sided:
        r, f = np.maximum(0, r), np.maximum(0, f)
    return per_sample(r**2) + per_sample(f**2)


def own_anchors(real, fake, a_real, a_fake, one_sided=False):
    """The faulty form: each side is held to the mean of its own."""
    return formula(real, fake, a_fake, a_real, one_sided)


def settled(one_sided=False, a_real=0.7, a_fake=-1.1):
    layer = LeCam(DECAY, one_sided=one_sided, dtype="float64")
    layer.anchor_real.assign(a_real)
    layer.anchor_fake.assign(a_fake)
    layer.steps.assign(3)
    return layer


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("shape", [(5, 1), (5,), (5, 2, 3, 1)], ids=str)
def test_values_and_gradients_are_those_of_the_formula(one_sided, shape):
    pair = scores(*shape)
    layer = settled(one_sided)
    for training in (False, True):

        def total(*xs, training=training):
            state = [(v, backend.read(v)) for v in layer.variables]
            with keras.StatelessScope(state):
                return ops.sum(layer(xs, training=training))

        gradients = slopes(total, *pair)
        found = array(layer([tensor(x) for x in pair], training=training))
        anchors = (0.7, -1.1, one_sided)
        np.testing.assert_allclose(found, formula(*pair, *anchors), rtol=1e-12)
        assert np.abs(found - own_anchors(*pair, *anchors)).max() > 0.1
        for side, slope in enumerate(gradients):
            expected = np.zeros(shape)
            for index in np.ndindex(shape):
                ends = []
                for sign in (1, -1):
                    moved = [x.copy() for x in pair]
                    moved[side][index] += sign * STEP
                    ends.append(formula(*moved, *anchors).sum())
                expected[index] = (ends[0] - ends[1]) / (2 * STEP)
            np.testing.assert_allclose(slope, expected, atol=1e-7)


def test_only_what_is_too_far_costs_on_one_side():
    layer = settled(one_sided=True)
    good = layer([np.array([[-2.0]]), np.array([[2.0]])])
    assert float(good[0]) == 0.0
    both = settled()([np.array([[-2.0]]), np.array([[2.0]])])
    assert float(both[0]) == pytest.approx(0.9**2 + 1.3**2)


def test_the_anchors_are_unbiased_exponential_averages():
    layer, plain = LeCam(DECAY, dtype="float64"), np.zeros(2)
    for t in range(1, 8):
        pair = scores(6, 1, seed=t)
        means = np.array([x.mean() for x in pair])
        anchors = means if t == 1 else plain / (1 - DECAY ** (t - 1))
        found = layer(pair, training=True)
        np.testing.assert_allclose(found, formula(*pair, *anchors), rtol=1e-12)
        plain = DECAY * plain + (1 - DECAY) * means
        kept = [float(layer.anchor_real.value), float(layer.anchor_fake.value)]
        np.testing.assert_allclose(kept, plain / (1 - DECAY**t), rtol=1e-12)


def test_without_a_past_the_anchors_are_the_last_means():
    layer = LeCam(0.0, dtype="float64")
    for t in range(3):
        pair = scores(4, 1, seed=t)
        layer(pair, training=True)
        assert float(layer.anchor_fake.value) == pytest.approx(pair[1].mean())


def test_at_inference_the_anchors_stay():
    layer = settled()
    layer(scores(4, 1))
    assert float(layer.anchor_real.value) == 0.7
    assert int(layer.steps.value) == 3


def test_the_value_is_zero_until_the_start_and_the_anchors_move():
    layer, free = LeCam(DECAY, start=2), LeCam(DECAY)
    for t in range(4):
        pair = [x.astype("float32") for x in scores(4, 1, seed=t)]
        found, expected = (each(pair, training=True) for each in (layer, free))
        np.testing.assert_array_equal(
            found, expected if t >= 2 else np.zeros(4)
        )
        assert float(layer.anchor_real.value) == float(free.anchor_real.value)


def lecam_gan(**kwargs):
    layers = keras.layers
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4)], name="generator"
    )
    critic = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, "tanh"), layers.Dense(1)]
    )
    pair = [keras.Input((4,)), keras.Input((4,))]
    scored = [critic(x) for x in pair]
    judge = keras.Model(pair, [*scored, LeCam(**kwargs)(scored)], name="judge")
    x = keras.Input((4,))
    made = generator(x[:, :2])
    names = ["yreal", "yfake", "lecam"]
    outputs = dict(zip(names, judge([x, made]), strict=True))
    return adversarial.AdversarialModel(
        keras.Model(x, outputs),
        player_params={"generator": generator, "discriminator": judge},
    )


LOSS = Wasserstein() + 0.5 * Penalty("lecam")


def state_of(model):
    return [float(v.value) for v in model.players["discriminator"].state]


@pytest.mark.parametrize(
    "strategy", ["simultaneous", "alternating", "extra_gradient", "unrolled"]
)
def test_the_anchors_move_once_per_step_whatever_the_strategy(strategy):
    model = lecam_gan(decay=DECAY)
    # Players that stand still see the same scores at every evaluation.
    still = [keras.optimizers.SGD(1e-30) for _ in range(2)]
    model.compile(strategy, still, LOSS)
    generator, judge = (
        model.networks[0].get_layer(name) for name in ("generator", "judge")
    )
    plain = np.zeros(2)
    for t in range(1, 4):
        batch = X[2 * t - 2 : 2 * t]
        made = np.asarray(generator(batch[:, :2]))
        pair = judge([batch, made])[:2]
        plain = DECAY * plain + (1 - DECAY) * np.array(
            [np.mean(array(y)) for y in pair]
        )
        model.train_on_batch(batch)
        expected = [*(plain / (1 - DECAY**t)), t]
        assert state_of(model) == pytest.approx(expected, rel=FLOAT32)


def test_another_players_move_leaves_them():
    model = lecam_gan()
    schedule = adversarial.optimizers.Scheduled(
        ["generator", "generator", "discriminator"]
    )
    model.compile(schedule, "sgd", LOSS)
    for steps in (0, 0, 1):
        model.train_on_batch(X)
        assert state_of(model)[-1] == steps


def test_a_bad_batch_leaves_them():
    model = lecam_gan()
    model.compile("simultaneous", "sgd", LOSS, on_nonfinite="warn")
    model.train_on_batch(X)
    before = state_of(model)
    with pytest.warns(UserWarning, match="must be finite"):
        model.train_on_batch(np.full_like(X, np.nan))
    assert state_of(model) == before


def test_it_bounds_a_critic_of_wasserstein():
    """Alone, a linear loss lets the scores drift apart for ever."""

    def gap(loss):
        keras.utils.set_random_seed(1)
        model = lecam_gan()
        rates = [keras.optimizers.SGD(0.0), keras.optimizers.Adam(0.05)]
        model.compile("simultaneous", rates, loss)
        for _ in range(200):
            model.train_on_batch(X + 2.0)
        logs = model.test_on_batch(X + 2.0, return_dict=True)
        judge = model.networks[0].get_layer("judge")
        made = model.networks[0].get_layer("generator")((X + 2.0)[:, :2])
        real, fake, _ = judge([X + 2.0, np.asarray(made)])
        assert np.isfinite(logs["discriminator_loss"])
        return float(ops.mean(real) - ops.mean(fake))

    assert gap(Wasserstein()) > 10
    # At rest the anchors are the means, and the slope in the mean real score,
    # -1 + 2 * 0.5 (real - fake), is 0.
    assert 0.5 < gap(LOSS) < 1.5


def test_it_trains_under_every_strategy_and_in_every_mode(conforms):
    loss = NonSaturating() + 0.5 * Penalty("lecam")
    conforms(lambda: lecam_gan(decay=DECAY), {"loss": loss}, [X], 2)


@pytest.mark.parametrize("jit", JITS)
def test_a_saved_model_goes_on(jit, tmp_path):
    model = lecam_gan(decay=DECAY, start=1)
    model.compile("simultaneous", "sgd", LOSS, jit_compile=jit)
    model.fit(X, batch_size=4, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert state_of(copy) == state_of(model)
    assert copy.train_on_batch(X) == model.train_on_batch(X)
    assert state_of(copy) == state_of(model)


def test_in_half_precision_it_computes_in_single():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = LeCam()
        big = ops.cast([[300.0]], "float16")
        value = layer([big, -big], training=True)
        assert dtype_of(value) == "float32"
        # 600^2 does not fit into float16.
        assert float(value[0]) == pytest.approx(2 * 600.0**2)
        assert layer.anchor_real.dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


def test_batches_of_unknown_size_keep_it_unknown():
    score = keras.Input((3, 3, 1))
    assert LeCam()([score, score]).shape == (None,)


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"decay": 1.0}, "`decay` is out of range"),
        ({"decay": -0.1}, "`decay` is out of range"),
        ({"start": -1}, "`start` is out of range"),
        ({"start": 1.5}, "`start` must be a whole number"),
    ],
)
def test_numbers_out_of_range_are_refused(kwargs, words):
    with pytest.raises((TypeError, ValueError), match=words):
        LeCam(**kwargs)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (((4, 3), (4, 1)), "needs one score per sample"),
        (((4, 1), (5, 1)), "must have the same shape"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(shapes, words):
    with pytest.raises(ValueError, match=words):
        LeCam()([np.zeros(shape) for shape in shapes])


def test_the_layer_is_remade_from_its_config():
    layer = LeCam(0.7, one_sided=True, start=5, name="anchors")
    config = keras.saving.serialize_keras_object(layer)
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is LeCam
    assert copy.get_config() == layer.get_config()
    assert (copy.decay, copy.one_sided, copy.start) == (0.7, True, 5)
