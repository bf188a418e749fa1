import keras
import numpy as np
import pytest
from engines import COMPILES, JITS, learning, without

import adversarial
from adversarial import registry
from adversarial.metrics import (
    DensityCoverage,
    FrechetDistance,
    GenerativeMetric,
    PrecisionRecall,
)
from adversarial.metrics.generative_metric import update_together

ORDER = 1e-12
"""Relative: other batches are other orders of sums, in float64."""
SINGLE = 1e-5
"""Relative: samples that went through a float32 network."""


def seen_in_batches(metric, real, fake, rng):
    """Feeds both sides in random batches, some of them empty-handed."""
    for x, update in ((real, metric.update_real), (fake, metric.update_fake)):
        cuts = np.sort(rng.integers(0, len(x) + 1, size=6))
        for part in np.split(x, cuts):
            update(part)


def table_of(case, flat):
    metric = case.make()
    metric.update_state(case.real, case.fake)
    return flat(metric.result())


@pytest.mark.parametrize("seed", range(3))
def test_batches_of_any_size_give_what_one_batch_gives(case, flat, seed):
    metric = case.make()
    rng = np.random.default_rng(seed)
    seen_in_batches(metric, case.real, case.fake, rng)
    np.testing.assert_allclose(
        flat(metric.result()), table_of(case, flat), rtol=ORDER
    )


def test_results_are_python_floats_under_the_declared_keys(case):
    metric = case.make()
    metric.update_state(case.real, case.fake)
    found = metric.result()
    if metric.measures:
        assert tuple(found) == metric.measures
    else:
        found = {"": found}
    assert all(type(value) is float for value in found.values())


def test_tensors_and_lists_are_as_good_as_arrays(case, flat):
    tensors, lists = case.make(), case.make()
    convert = keras.ops.convert_to_tensor
    tensors.update_state(
        convert(case.real, "float64"), convert(case.fake, "float64")
    )
    lists.update_state(case.real.tolist(), case.fake.tolist())
    expected = table_of(case, flat)
    np.testing.assert_array_equal(flat(tensors.result()), expected)
    np.testing.assert_array_equal(flat(lists.result()), expected)


def test_a_call_updates_and_returns_the_result(case, flat):
    found = case.make()(case.real, case.fake)
    np.testing.assert_array_equal(flat(found), table_of(case, flat))


def test_float32_state_changes_the_result_by_its_rounding(case, flat):
    metric = case.make(dtype="float32")
    metric.update_state(case.real, case.fake)
    np.testing.assert_allclose(
        flat(metric.result()), table_of(case, flat), rtol=1e-4, atol=1e-4
    )


def test_a_reset_forgets_both_sides_by_default(case, flat):
    metric = case.make()
    metric.update_state(case.real[::-1], case.fake[:50])
    metric.reset_state()
    with pytest.raises(ValueError, match="needs"):
        metric.result()
    metric.update_state(case.real, case.fake)
    np.testing.assert_allclose(
        flat(metric.result()), table_of(case, flat), rtol=ORDER
    )


def test_a_reset_can_keep_the_real_side(case, flat):
    metric = case.make(keep_real=True)
    half = len(case.real) // 2
    metric.update_real(case.real[:half])
    metric.update_real(case.real[half:])
    for rows in (case.fake[:50], case.fake):
        metric.reset_state()
        metric.update_fake(rows)
    np.testing.assert_allclose(
        flat(metric.result()), table_of(case, flat), rtol=ORDER
    )


def test_kept_real_samples_cannot_be_counted_twice(case):
    metric = case.make(keep_real=True)
    metric.update_state(case.real, case.fake)
    metric.reset_state()
    with pytest.raises(ValueError, match="come once"):
        metric.update_state(case.real, case.fake)
    metric.reset_real()
    metric.update_real(case.real)


def test_a_reset_before_real_samples_came_does_not_lock_them_out(case):
    metric = case.make(keep_real=True)
    metric.reset_state()
    metric.update_state(case.real, case.fake)
    metric.result()


def test_what_is_asked_without_samples_is_refused(case):
    metric = case.make()
    with pytest.raises(ValueError, match=r"needs real|needs generated"):
        metric.result()
    metric.update_real(case.real)
    with pytest.raises(ValueError, match="needs generated samples"):
        metric.result()


def test_rows_that_are_not_finite_are_refused_with_their_batch(case, flat):
    metric = case.make()
    metric.update_state(case.real, case.fake[:30])
    bad = case.fake[30:].copy()
    bad[[3, 7], 0] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"2 of 60 fake rows .* batch 1"):
        metric.update_state(case.real, bad)
    metric.update_fake(case.fake[30:])
    np.testing.assert_allclose(
        flat(metric.result()), table_of(case, flat), rtol=ORDER
    )


def network(case):
    """Returns its input, so that outputs are the generated samples."""
    width = case.fake.shape[1]
    dense = keras.layers.Dense(
        width, use_bias=False, kernel_initializer="identity"
    )
    return keras.Sequential([keras.Input((width,)), dense])


def pairs(case):
    n = len(case.fake)
    return case.fake.astype("float32"), case.real[:n].astype("float32")


# Without a compiled step, Keras' own models ask after every batch.
SIZE = 16 if COMPILES else 32


def alone(case, flat):
    metric = case.make()
    fake, real = pairs(case)
    metric.update_state(real, fake)
    return flat(metric.result())


@pytest.mark.parametrize("jit_compile", JITS)
def test_evaluate_gives_what_the_metric_gives_on_its_own(
    case, flat, jit_compile
):
    model, (fake, real) = network(case), pairs(case)
    model.compile(loss="mse", metrics=[case.make()], jit_compile=jit_compile)
    for _ in range(2):
        logs = model.evaluate(
            fake, real, batch_size=SIZE, verbose=0, return_dict=True
        )
        del logs["loss"]
        expected = dict(zip(case.keys, alone(case, flat), strict=True))
        assert logs == pytest.approx(expected, rel=SINGLE, nan_ok=True)


def test_fit_logs_the_value_of_the_epoch(kind, flat):
    model, (fake, real) = network(kind), pairs(kind)
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=[kind.make()])
    with learning():
        history = model.fit(fake, real, epochs=2, shuffle=False, verbose=0)
    expected = alone(kind, flat)
    for key, value in zip(kind.keys, expected, strict=True):
        assert history.history[key] == pytest.approx([value] * 2, rel=1e-3)


def test_adversarial_models_log_the_metrics_of_a_player(case, flat):
    model, (fake, real) = network(case), pairs(case)
    game = adversarial.AdversarialModel(
        base_model=model, player_params={"generator": model}
    )
    game.compile(
        "simultaneous", "sgd", loss="mse", metrics=[[case.make(), "mae"]]
    )
    logs = game.evaluate(fake, real, batch_size=16, verbose=0, return_dict=True)
    for key, value in zip(case.keys, alone(case, flat), strict=True):
        found = logs[f"generator_{key}"]
        assert found == pytest.approx(value, rel=SINGLE, nan_ok=True)
    assert logs["generator_mae"] == pytest.approx(
        np.abs(real - fake).mean(), rel=SINGLE
    )


@without("torch", "nothing is compiled")
def test_in_a_compiled_step_the_result_is_nan_and_never_a_wrong_number():
    metric = FrechetDistance()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse", metrics=[metric])
    x = np.random.default_rng(0).normal(size=(8, 2))
    logs = model.train_on_batch(x, x, return_dict=True)
    assert np.isnan(logs["frechet_distance"])
    assert metric.result() >= 0


class Evaluated(keras.Model):
    """A model with a `test_step` of its own, as in many tutorials."""

    def __init__(self, metric, jit_compile):
        super().__init__()
        self.distance = metric
        self.compile(jit_compile=jit_compile)

    @property
    def metrics(self):
        return [self.distance]

    def call(self, x):
        return x

    def test_step(self, data):
        self.distance.update_real(data[1])
        self.distance.update_fake(self(data[0]))
        return {m.name: m.result() for m in self.metrics}


@pytest.mark.parametrize("jit_compile", JITS)
def test_a_test_step_may_make_the_state_while_it_is_compiled(
    kind, flat, jit_compile
):
    metric = kind.make()
    model, (fake, real) = Evaluated(metric, jit_compile), pairs(kind)
    model.evaluate(fake, real, batch_size=16, verbose=0)
    np.testing.assert_allclose(
        flat(metric.result()), alone(kind, flat), rtol=SINGLE
    )


def test_stateless_updates_leave_the_metric_alone(case, flat):
    metric = case.make()
    metric.update_state(case.real[:5], case.fake[:5])
    metric.reset_state()
    start = [keras.ops.copy(v.value) for v in metric.variables]
    state = metric.stateless_update_state(start, case.real, case.fake)
    np.testing.assert_array_equal(
        flat(metric.stateless_result(state)), table_of(case, flat)
    )
    with pytest.raises(ValueError, match="needs"):
        metric.result()


@without("torch", "nothing is compiled")
def test_what_a_graph_cannot_refuse_is_refused_by_the_result(kind):
    metric, model = kind.make(), network(kind)
    fake, real = pairs(kind)
    fake[40, 1] = np.nan
    model.compile(loss="mse", metrics=[metric])
    with pytest.raises(ValueError, match="1 of 90 fake rows"):
        model.evaluate(fake, real, batch_size=16, verbose=0)
    metric.reset_state()
    model.evaluate(real, real, batch_size=16, verbose=0)


@without("torch", "nothing is compiled")
def test_compiled_functions_do_not_keep_real_samples(kind):
    model, (fake, real) = network(kind), pairs(kind)
    model.compile(loss="mse", metrics=[kind.make(keep_real=True)])
    with pytest.raises(ValueError, match="come once"):
        model.evaluate(fake, real, verbose=0)


def test_sample_weights_are_refused(case):
    with pytest.raises(ValueError, match="take no weights"):
        case.make().update_state(case.real, case.fake, np.ones(90))


def test_an_update_with_nothing_is_refused(case):
    with pytest.raises(ValueError, match="needs samples"):
        case.make().update_state()


def test_replicas_are_refused(monkeypatch):
    monkeypatch.setattr(adversarial.backend, "replicas", lambda: 2)
    with pytest.raises(ValueError, match="2 replicas"):
        FrechetDistance().update_fake(np.ones((2, 2)))


def test_samples_of_a_higher_rank_need_an_extractor():
    images = np.zeros((4, 8, 8, 3))
    with pytest.raises(ValueError, match=r"no extractor(.|\n)*reshape"):
        FrechetDistance().update_fake(images)


def test_numbers_without_an_axis_of_features_are_refused():
    with pytest.raises(ValueError, match=r"shape \(5,\)"):
        FrechetDistance().update_fake(np.zeros(5))


def test_maps_of_features_are_not_pooled_behind_ones_back():
    pool = keras.layers.Rescaling(1.0)
    with pytest.raises(ValueError, match="GlobalAveragePooling2D"):
        FrechetDistance(pool).update_fake(np.zeros((4, 8, 8, 3)))


def test_both_sides_must_have_one_width(case):
    metric = case.make()
    metric.update_real(case.real)
    if case.name == "modes":
        return
    with pytest.raises(ValueError, match="same width"):
        metric.update_fake(case.fake[:, :2])


@pytest.mark.parametrize(
    "low, high, looks", [(0, 1, r"\[0, 1\]"), (-3, 300, "fit none")]
)
def test_images_outside_the_stated_range_are_named(low, high, looks):
    metric = FrechetDistance(keras.layers.Flatten(), value_range=(-0.5, 0.5))
    images = np.linspace(low, high, 3 * 4).reshape(3, 2, 2, 1)
    with pytest.raises(ValueError, match=rf"\[-0.5, 0.5\](.|\n)*{looks}"):
        metric.update_fake(images)
    metric.update_fake(np.clip(images, -0.5, 0.5))
    assert metric.get_config()["value_range"] == [-0.5, 0.5]


def test_pixels_of_8_bits_are_recognised():
    metric = FrechetDistance(keras.layers.Flatten(), value_range=(-1, 1))
    images = np.arange(12, dtype="uint8").reshape(3, 2, 2, 1) * 20
    with pytest.raises(ValueError, match=r"look like pixels in \[0, 255\]"):
        metric.update_fake(images)


def test_a_range_has_room_for_rounding():
    metric = FrechetDistance(value_range=(0, 1))
    metric.update_fake(np.float32([[0.0, 1.0 + 1e-6]]))


@pytest.mark.parametrize("jit_compile", JITS)
def test_the_range_is_watched_in_compiled_functions(jit_compile):
    metric = FrechetDistance(value_range=(0, 1))
    model = keras.Sequential([keras.Input((2,)), keras.layers.Rescaling(5.0)])
    model.compile(loss="mse", metrics=[metric], jit_compile=jit_compile)
    x = np.random.default_rng(0).uniform(0.5, 1.0, size=(9, 2))
    with pytest.raises(ValueError, match="fake samples in"):
        model.evaluate(x, x, verbose=0)
    metric.reset_state()
    metric.update_state(x, x)
    assert metric.result() == pytest.approx(0.0, abs=ORDER)


def test_a_metric_comes_back_from_its_configuration(case, flat):
    metric = case.make(
        name="mine", keep_real=True, dtype="float32", value_range=(-9, 9)
    )
    config = keras.saving.serialize_keras_object(metric)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is case.cls
    assert again.get_config() == metric.get_config()
    for each in (metric, again):
        each.update_state(case.real, case.fake)
    np.testing.assert_array_equal(flat(again.result()), flat(metric.result()))


def test_a_saved_model_has_its_metrics(kind, tmp_path, flat):
    model, (fake, real) = network(kind), pairs(kind)
    model.compile("sgd", "mse", metrics=[kind.make()])
    model.evaluate(fake, real, verbose=0)
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    logs = again.evaluate(fake, real, verbose=0, return_dict=True)
    expected = dict(zip(kind.keys, alone(kind, flat), strict=True))
    del logs["loss"]
    assert logs == pytest.approx(expected, rel=SINGLE)


def test_the_name_begins_the_keys_if_it_is_ones_own():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 2))
    assert set(PrecisionRecall()(x, x)) == {"precision", "recall"}
    own = DensityCoverage(name="train")(x, x)
    assert set(own) == {"train_density", "train_coverage"}
    assert FrechetDistance().name == "frechet_distance"


@pytest.mark.parametrize("dtype", ["float16", "int32"])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(ValueError, match="'float64' or 'float32'"):
        FrechetDistance(dtype=dtype)


@pytest.mark.parametrize("value_range", [(1.0, 1.0), (1, -1)])
def test_an_empty_value_range_is_refused(value_range):
    with pytest.raises(ValueError, match="lowest and highest"):
        FrechetDistance(value_range=value_range)


def test_what_is_not_made_of_numbers_is_refused():
    for samples in (np.array([["a"]]), np.ones((3, 2), complex)):
        with pytest.raises(TypeError, match="real numbers"):
            FrechetDistance().update_fake(samples)


def test_whole_numbers_and_booleans_are_numbers():
    metric = FrechetDistance()
    x = np.array([[0, 1], [1, 1], [1, 0]])
    metric.update_state(x.astype("bool"), x.astype("uint8"))
    assert metric.result() == pytest.approx(0.0, abs=ORDER)


def test_every_public_metric_is_registered_and_in_the_table_of_tests(tested):
    public = {
        value
        for name in adversarial.metrics.__all__
        if isinstance(value := getattr(adversarial.metrics, name), type)
        and issubclass(value, GenerativeMetric)
    } - {GenerativeMetric}
    assert registry.names("metrics") == sorted(
        registry.snake_case(cls.__name__) for cls in public
    )
    assert public == set(tested)


def test_an_extractor_is_used_in_inference_mode():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.9)])
    x = np.random.default_rng(0).normal(size=(50, 4))
    through, direct = FrechetDistance(model), FrechetDistance()
    for metric in (through, direct):
        metric.update_state(x.astype("float32"), 2 * x.astype("float32"))
    assert through.result() == pytest.approx(direct.result(), rel=ORDER)


def test_a_reset_of_the_generated_side_keeps_the_real_one(case, flat):
    metric = case.make()
    metric.update_state(case.real, case.fake[:50])
    assert metric.seen == (len(case.real), 50)
    metric.reset_fake()
    assert metric.seen == (len(case.real), 0)
    metric.update_fake(case.fake)
    np.testing.assert_allclose(
        flat(metric.result()), table_of(case, flat), rtol=ORDER
    )


# Two samples of three features: the Frechet distance says that it is too few.
@pytest.mark.filterwarnings("ignore:The covariance of 2:UserWarning")
def test_the_declared_numbers_of_samples_are_the_fewest(case):
    """With one sample less, of either side, there is no result."""
    metric = case.make()
    real, fake = metric.least
    if real:
        metric.update_real(case.real[:real])
    metric.update_fake(case.fake[:fake])
    metric.result()
    for fewer in [(real - 1, fake)] * (real > 0) + [(real, fake - 1)]:
        metric.reset_real()
        metric.reset_fake()
        for count, rows, update in zip(
            fewer,
            (case.real, case.fake),
            (metric.update_real, metric.update_fake),
            strict=True,
        ):
            if count:
                update(rows[:count])
        with pytest.raises(ValueError, match="needs"):
            metric.result()


WORSE = {"min": 1, "max": -1}


def test_the_declared_directions_are_those_in_which_samples_get_worse(case):
    """Real samples themselves are better than others, in every number."""
    metric = case.make()
    assert tuple(metric.directions) == (metric.measures or (metric.name,))
    half = len(case.real) // 2
    if case.name in ("classifier", "modes"):
        worse = np.tile(case.real[:1], (half, 1))
        good = np.eye(case.real.shape[1])[np.arange(half) % 4]
    else:
        good, worse = case.real[half:], case.real[half:] + 20
    found = []
    for fake in (good, worse):
        metric.reset_fake()
        if metric.least[0] and not metric.seen[0]:
            metric.update_real(case.real[:half])
        metric.update_fake(fake)
        result = metric.result()
        found.append(result if metric.measures else {metric.name: result})
    directions = [way for way in metric.directions.values() if way]
    assert directions, "none is known"
    for name, way in metric.directions.items():
        if way:
            assert WORSE[way] * (found[1][name] - found[0][name]) > 0, name


def test_a_metric_that_declares_no_direction_has_none():
    class Width(FrechetDistance):
        better = ()

    assert Width().directions == {"width": None}
    assert FrechetDistance(name="fid").directions == {"fid": "min"}
    assert list(DensityCoverage(name="dc").directions) == [
        "dc_density",
        "dc_coverage",
    ]


def test_metrics_with_one_extractor_share_its_work():
    calls = []

    def extractor(x):
        calls.append(len(x))
        return x[:, :2]

    def other(x):
        return x[:, 1:]

    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(40, 3)), rng.normal(size=(30, 3))
    together = [
        FrechetDistance(extractor),
        PrecisionRecall(extractor),
        FrechetDistance(other, name="other"),
    ]
    update_together(together, real=real, fake=fake)
    assert calls == [40, 30]
    for metric, function in zip(
        together, (extractor, extractor, other), strict=True
    ):
        alone = type(metric)(function)
        alone.update_state(real, fake)
        assert metric.result() == alone.result()


def test_what_one_metric_refuses_leaves_all_as_they_were():
    fine, strict = FrechetDistance(), FrechetDistance(value_range=(-1, 1))
    with pytest.raises(ValueError, match="value_range"):
        update_together([fine, strict], real=np.full((4, 2), 3.0))
    assert fine.seen == strict.seen == (0, 0)
