import keras
import numpy as np
import pytest

from adversarial.builders import (
    build_bigan,
    build_gan,
    gan_targets,
    named_outputs,
)
from adversarial.layers import NormalLatent, UniformLatent
from adversarial.penalties import R1, R2, GradientPenalty, PathLength


def dense(inputs, units, name):
    return keras.Sequential(
        [keras.Input((inputs,)), keras.layers.Dense(units)], name=name
    )


@pytest.fixture
def generator():
    return dense(2, 3, "generator")


@pytest.fixture
def discriminator():
    return dense(3, 1, "discriminator")


@pytest.fixture
def pair():
    """A discriminator of pairs (z, x), or (x, condition): [2, 3] -> 1."""
    a, b = keras.Input((2,)), keras.Input((3,))
    y = keras.layers.Dense(1)(keras.layers.Concatenate()([a, b]))
    return keras.Model([a, b], y, name="pair")


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.dense = keras.layers.Dense(1)

    def call(self, inputs):
        return self.dense(inputs)


def rows(*columns):
    random = np.random.default_rng(0)
    found = [random.normal(size=(8, c)).astype("float32") for c in columns]
    return found[0] if len(found) == 1 else found


def test_a_gan_takes_samples_and_has_the_outputs_yfake_and_yreal(
    generator, discriminator
):
    gan = build_gan(generator, discriminator)
    assert gan.name == "gan"
    assert gan.output_names == ["yfake", "yreal"]
    assert gan.input_shape == (None, 3)
    assert gan.output_shape == [(None, 1), (None, 1)]
    assert build_gan(generator, discriminator, name="g").name == "g"


def test_the_networks_of_a_gan_are_the_ones_given(generator, discriminator):
    gan = build_gan(generator, discriminator)
    wanted = {id(v) for m in (generator, discriminator) for v in m.variables}
    assert {id(v) for v in gan.trainable_variables} == wanted


def test_a_gan_without_latents_scores_what_the_generator_makes(
    generator, discriminator
):
    gan = build_gan(generator, discriminator, latent=False)
    assert gan.input_shape == [(None, 2), (None, 3)]
    z, x = rows(2, 3)
    yfake, yreal = gan([z, x])
    np.testing.assert_array_equal(yfake, discriminator(generator(z)))
    np.testing.assert_array_equal(yreal, discriminator(x))


def latents(make):
    """What a GAN with this `latent` feeds to its generator, 500 samples."""
    generator = keras.Sequential(
        [keras.Input((2,)), keras.layers.Activation("linear")]
    )
    score = keras.Sequential(
        [keras.Input((2,)), keras.layers.Activation("linear")]
    )
    yfake, yreal = build_gan(generator, score, make)(np.zeros((500, 2)))
    assert not np.any(yreal)
    return keras.ops.convert_to_numpy(yfake)


@pytest.mark.parametrize("latent", [None, 2, (2,), [2]])
def test_latents_are_standard_normal_unless_told(latent):
    keras.utils.set_random_seed(0)
    z = latents(latent)
    assert z.shape == (500, 2)
    # Five standard errors of 1000 draws.
    assert abs(z.mean()) < 0.16
    assert abs(z.var() - 1) < 0.23


def test_latents_are_drawn_by_the_layer_that_is_given():
    z = latents(UniformLatent(2, 5.0, 6.0, seed=1))
    assert z.min() >= 5 and z.max() < 6
    again = latents(UniformLatent(2, 5.0, 6.0, seed=1))
    np.testing.assert_array_equal(z, again)


def test_latents_have_the_shape_of_the_generators_input(discriminator):
    generator = keras.Sequential(
        [
            keras.Input((4, 5)),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    gan = build_gan(generator, discriminator)
    assert gan.get_layer("latent").shape == (4, 5)
    assert gan(rows(3))[0].shape == (8, 1)


def test_a_wrong_latent_shape_is_refused_by_the_generator(
    generator, discriminator
):
    with pytest.raises(ValueError, match="incompatible"):
        build_gan(generator, discriminator, latent=7)


def test_inputs_keep_their_name_and_dtype():
    tokens = keras.Input((4,), dtype="int32", name="tokens")
    flat = keras.layers.Flatten()(keras.layers.Embedding(5, 2)(tokens))
    discriminator = keras.Model(tokens, keras.layers.Dense(1)(flat))
    z = keras.Input((4,), dtype="int32", name="z")
    generator = keras.Model(z, keras.layers.Identity()(z))
    gan = build_gan(generator, discriminator, latent=False)
    assert [x.name for x in gan.inputs] == ["z", "tokens"]
    assert [x.dtype for x in gan.inputs] == ["int32", "int32"]


def test_a_generator_of_several_inputs_needs_them_from_outside(
    pair, discriminator
):
    with pytest.raises(ValueError, match="generator does not have") as error:
        build_gan(pair, discriminator)
    assert "'pair' with 2" in str(error.value)
    narrow = dense(1, 1, "narrow")
    gan = build_gan(pair, narrow, latent=False)
    assert gan.input_shape == [(None, 2), (None, 3), (None, 1)]
    z, c, x = rows(2, 3, 1)
    yfake, yreal = gan([z, c, x])
    np.testing.assert_array_equal(yfake, narrow(pair([z, c])))
    np.testing.assert_array_equal(yreal, narrow(x))


def test_a_generator_of_several_outputs_meets_as_many_inputs(pair):
    z = keras.Input((4,))
    halves = [keras.layers.Dense(2)(z), keras.layers.Dense(3)(z)]
    generator = keras.Model(z, halves)
    gan = build_gan(generator, pair, latent=False)
    values = rows(4, 2, 3)
    yfake, yreal = gan(values)
    np.testing.assert_array_equal(yfake, pair(generator(values[0])))
    np.testing.assert_array_equal(yreal, pair(values[1:]))
    assert build_gan(generator, pair).input_shape == [(None, 2), (None, 3)]


def test_a_discriminator_of_more_inputs_than_there_are_outputs_is_an_error(
    generator, pair
):
    with pytest.raises(
        ValueError, match="discriminator does not have"
    ) as error:
        build_gan(generator, pair)
    assert "Expected: 1." in str(error.value)
    assert "'pair' with 2" in str(error.value)


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_an_unbuilt_model_is_an_error(role, generator, discriminator):
    parts = {"generator": generator, "discriminator": discriminator}
    parts[role] = keras.Sequential([keras.layers.Dense(3)], name="unbuilt")
    with pytest.raises(ValueError, match=f"{role} must be built") as error:
        build_gan(**parts)
    assert "'unbuilt'" in str(error.value)
    assert "keras.Input" in str(error.value)


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_a_subclassed_model_is_an_error_that_says_how_to_wrap_it(
    role, generator, discriminator
):
    parts = {"generator": generator, "discriminator": discriminator}
    parts[role] = Subclassed()
    parts[role](np.zeros((1, 3)))
    with pytest.raises(ValueError, match=f"{role} must be a graph") as error:
        build_gan(**parts)
    assert "'subclassed' of type `Subclassed`" in str(error.value)


def test_a_wrapped_subclassed_model_will_do(generator):
    model, x = Subclassed(), keras.Input((3,))
    gan = build_gan(generator, keras.Model(x, model(x)), latent=False)
    z, x = rows(2, 3)
    np.testing.assert_array_equal(gan([z, x])[1], model(x))


def test_a_bigan_scores_pairs_of_latent_and_sample(generator, pair):
    encoder = dense(3, 2, "encoder")
    draws = NormalLatent(2, seed=1)
    bigan = build_bigan(generator, encoder, pair, draws)
    assert bigan.name == "bigan"
    assert bigan.output_names == ["yfake", "yreal"]
    assert bigan.input_shape == (None, 3)
    x = keras.ops.convert_to_tensor(rows(3))
    yfake, yreal = bigan(x)
    z = NormalLatent(2, seed=1)(x)
    np.testing.assert_array_equal(yfake, pair([z, generator(z)]))
    np.testing.assert_array_equal(yreal, pair([encoder(x), x]))


@pytest.mark.parametrize("latent", [None, 2])
def test_a_bigan_draws_latents_of_its_own(generator, pair, latent):
    bigan = build_bigan(generator, dense(3, 2, "encoder"), pair, latent, "b")
    assert bigan.name == "b"
    assert bigan.get_layer("latent").shape == (2,)
    assert isinstance(bigan.get_layer("latent"), NormalLatent)


def test_a_bigan_of_wrong_parts_is_an_error(generator, discriminator, pair):
    encoder = dense(3, 2, "encoder")
    with pytest.raises(ValueError, match="discriminator does not") as error:
        build_bigan(generator, encoder, discriminator)
    assert "Expected: 2." in str(error.value)
    with pytest.raises(ValueError, match="encoder does not"):
        build_bigan(generator, pair, pair)
    with pytest.raises(ValueError, match="generator does not"):
        build_bigan(pair, encoder, pair)
    unbuilt = keras.Sequential([keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="encoder must be built"):
        build_bigan(generator, unbuilt, pair)


def test_named_outputs_pass_tensors_through_under_new_names():
    x = keras.Input((2,))
    a, b = keras.layers.Dense(1)(x), keras.layers.Dense(3)(x)
    model = keras.Model(x, named_outputs([a, b], ["first", "second"]))
    assert model.output_names == ["first", "second"]
    values = rows(2)
    for found, wanted in zip(
        model(values), keras.Model(x, [a, b])(values), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


def test_one_tensor_is_named_by_one_name():
    x = keras.Input((2,))
    for outputs in (named_outputs(x, "y"), named_outputs((x,), ("y",))):
        assert keras.Model(x, outputs).output_names == ["y"]


def test_every_output_needs_a_name():
    x = keras.Input((2,))
    with pytest.raises(ValueError, match="Every output needs a name") as error:
        named_outputs([x, x], ["a", "b", "c"])
    assert "Expected: 2 names." in str(error.value)
    assert "3: 'a', 'b', 'c'" in str(error.value)


def test_targets_are_ones_for_what_a_player_wants_taken_for_real():
    targets = gan_targets(3)
    assert [y.shape for y in targets] == [(3, 1)] * 4
    assert [y.dtype for y in targets] == [np.float32] * 4
    assert [y.mean() for y in targets] == [1, 0, 0, 1]
    assert [y.std() for y in targets] == [0] * 4


def test_targets_may_be_smoothed_or_signed():
    targets = gan_targets(2, real=0.5, fake=-1.0)
    assert [y[1, 0] for y in targets] == [0.5, -1, -1, 0.5]


def test_penalties_are_called_on_what_they_read(generator, discriminator):
    wanted = {
        "r1": lambda z, x: R1(discriminator)(x),
        "r2": lambda z, x: R2(discriminator)(generator(z)),
        "gradient_penalty": lambda z, x: GradientPenalty(discriminator, seed=1)(
            [x, generator(z)]
        ),
        "path_length": lambda z, x: PathLength(generator, seed=1)(z),
    }
    penalties = [
        R1(discriminator),
        R2(discriminator),
        GradientPenalty(discriminator, seed=1),
        PathLength(generator, seed=1),
    ]
    gan = build_gan(generator, discriminator, False, penalties=penalties)
    assert gan.output_names == ["yfake", "yreal", *wanted]
    z, x = rows(2, 3)
    found = dict(zip(gan.output_names, gan([z, x]), strict=True))
    np.testing.assert_array_equal(found["yreal"], discriminator(x))
    for name, value in wanted.items():
        assert found[name].shape == (8,)
        np.testing.assert_array_equal(found[name], value(z, x))


def test_penalties_of_several_inputs_see_them_all(pair):
    z = keras.Input((4,))
    halves = [keras.layers.Dense(2)(z), keras.layers.Dense(3)(z)]
    generator = keras.Model(z, halves)
    penalties = [R1(pair), GradientPenalty(pair, seed=1)]
    gan = build_gan(generator, pair, latent=False, penalties=penalties)
    z, a, b = rows(4, 2, 3)
    found = gan([z, a, b])
    np.testing.assert_array_equal(found[2], R1(pair)([a, b]))
    np.testing.assert_array_equal(
        found[3], GradientPenalty(pair, seed=1)([[a, b], generator(z)])
    )


def test_two_penalties_of_one_name_are_an_error(generator, discriminator):
    twice = [R1(discriminator), R1(discriminator)]
    with pytest.raises(ValueError, match="a name of its own") as error:
        build_gan(generator, discriminator, penalties=twice)
    assert "'r1', 'r1'" in str(error.value)
    twice = [R1(discriminator), R1(discriminator, name="again")]
    gan = build_gan(generator, discriminator, penalties=twice)
    assert gan.output_names == ["yfake", "yreal", "r1", "again"]


def test_what_is_no_penalty_is_an_error(generator, discriminator):
    for other in ("r1", keras.layers.Dense(1)):
        with pytest.raises(TypeError, match="looks at a network"):
            build_gan(generator, discriminator, penalties=[other])
