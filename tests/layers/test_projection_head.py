import keras
import numpy as np
import pytest
from engines import dtype_of

from adversarial.layers import ProjectionHead, SpectralNormalization

ROUNDING = 1e-6
RNG = np.random.default_rng(0)
H = RNG.normal(size=(5, 6)).astype("float32")
C = np.array([0, 3, 1, 3, 2])


def test_it_is_equation_3_of_the_paper():
    head = ProjectionHead(4)
    found = head([H, C])
    psi, e = head.score, head.embedding.embeddings.numpy()
    expected = [
        h @ psi.kernel.numpy()[:, 0] + psi.bias.numpy()[0] + e[c] @ h
        for h, c in zip(H, C, strict=True)
    ]
    assert found.shape == (5, 1)
    np.testing.assert_allclose(found[:, 0], expected, atol=ROUNDING)


def test_scores_of_one_sample_differ_by_class():
    head = ProjectionHead(4)
    scores = [float(head([H[:1], np.array([c])])[0, 0]) for c in range(4)]
    assert len(set(scores)) == 4


def test_the_gradient_equals_finite_differences(check_derivatives):
    head = ProjectionHead(4, dtype="float64")
    check_derivatives(head, H.astype("float64"), [C])


def normalised():
    return ProjectionHead(
        4,
        score=SpectralNormalization(keras.layers.Dense(1)),
        embedding=SpectralNormalization(keras.layers.Embedding(4, 6)),
    )


def test_both_parts_can_be_spectrally_normalised():
    head = normalised()
    head([H, C])
    head.embedding.refine()
    head.score.refine()
    found = head([H, C])
    w, e = head.score.kernel.numpy(), head.embedding.kernel.numpy()
    w, e = w / np.linalg.norm(w, 2), e / np.linalg.norm(e, 2)
    expected = (H @ w)[:, 0] + (e[C] * H).sum(axis=1)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-5)


@pytest.mark.parametrize("make", [lambda: ProjectionHead(4), normalised])
def test_a_saved_model_computes_the_same(make, saved):
    h, c = keras.Input((6,)), keras.Input((), dtype="int32")
    model = keras.Model([h, c], make()([h, c]))
    assert model.output_shape == (None, 1)
    copy = saved(model)
    np.testing.assert_array_equal(copy([H, C]), model([H, C]))


@pytest.mark.parametrize("make", [lambda: ProjectionHead(4), normalised])
def test_a_config_remakes_the_layer(make, remade):
    assert remade(make()).classes == 4


def test_mixed_precision_gives_half_precision():
    head = ProjectionHead(4, dtype="mixed_bfloat16")
    assert dtype_of(head([H, C])) == "bfloat16"


def test_features_that_are_not_flat_are_an_error():
    with pytest.raises(ValueError, match="needs flat features"):
        ProjectionHead(4)([np.zeros((5, 2, 2, 3)), C])


@pytest.mark.parametrize(
    "parts, what",
    [
        ({"score": keras.layers.Dense(2, name="psi")}, "'psi' in"),
        ({"embedding": keras.layers.Embedding(4, 5, name="e")}, "'e' in"),
        ({"embedding": keras.layers.Embedding(3, 6)}, "one row per class"),
    ],
)
def test_parts_that_do_not_fit_are_an_error(parts, what):
    with pytest.raises(ValueError, match=what):
        ProjectionHead(4, **parts)([H, C])
