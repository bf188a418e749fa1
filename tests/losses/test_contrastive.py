import numpy as np
import pytest
from engines import slopes
from keras import ops

from adversarial.losses import ConditionalContrastive, DataToDataCrossEntropy

RNG = np.random.default_rng(5)
N, D = 6, 4
NAMES = ("hreal", "hfake", "preal", "pfake")
LABELS = np.array([0, 1, 0, 2, 1, 0])
OUTPUTS = {name: RNG.normal(size=(N, D)) for name in NAMES}
T = 0.7
A, B = 0.6, 0.1


def cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


def contrastive(h, e, *, itself=False, blind=False, t=T):
    total = 0.0
    for i in range(N):
        own = np.exp(cosine(h[i], e[i]) / t)
        top, bottom = own, own
        for k in range(N):
            if k == i and not itself:
                continue
            term = np.exp(cosine(h[i], h[k]) / t)
            bottom += term
            if LABELS[k] == LABELS[i] and not blind:
                top += term
        total -= np.log(top / bottom)
    return total / N


def data_to_data(h, e, *, kin=False, hinges=True, shift=False):
    total = 0.0
    for i in range(N):
        near = cosine(h[i], e[i]) - A
        near = np.exp((min(0.0, near) if hinges else near) / T)
        far = []
        for j in range(N):
            if j != i and (kin or LABELS[j] != LABELS[i]):
                cos = cosine(h[i], h[j]) - B
                far.append((max(0.0, cos) if hinges else cos) / T)
        shifted = max(far) if shift else 0.0
        away = sum(np.exp(x - shifted) for x in far)
        total -= np.log(near / (near + away))
    return total / N


def game(formula, **kwargs):
    def reference(hreal, hfake, preal, pfake):
        return {
            "generator": formula(hfake, pfake, **kwargs),
            "discriminator": formula(hreal, preal, **kwargs),
        }

    return reference


TWO_C = ConditionalContrastive(temperature=T)
D2D = DataToDataCrossEntropy(
    temperature=T, positive_margin=A, negative_margin=B
)
each = pytest.mark.parametrize(
    ("loss", "formula"),
    [(TWO_C, contrastive), (D2D, data_to_data)],
    ids=["2C", "D2D-CE"],
)


@each
def test_values_and_gradients_are_those_of_the_formula(loss, formula, agrees):
    agrees(loss, OUTPUTS, game(formula), LABELS)


@pytest.mark.parametrize("fault", [{"itself": True}, {"blind": True}, {"t": 1}])
def test_a_faulty_contrast_is_told_apart(fault, tells_apart):
    # Each sample counted against itself, kin counted as strangers, no
    # temperature.
    tells_apart(TWO_C, OUTPUTS, game(contrastive, **fault), LABELS)


@pytest.mark.parametrize(
    "fault", [{"kin": True}, {"hinges": False}, {"shift": True}]
)
def test_a_faulty_cross_entropy_is_told_apart(fault, tells_apart):
    # Kin repelled, no margins, and the logarithm of a sum in which only some
    # exponents were shifted "for stability", as in one toolkit.
    tells_apart(D2D, OUTPUTS, game(data_to_data, **fault), LABELS)


@each
def test_exchanged_players_are_told_apart(loss, formula, tells_apart):
    def exchanged(hreal, hfake, preal, pfake):
        return game(formula)(hfake, hreal, pfake, preal)

    tells_apart(loss, OUTPUTS, exchanged, LABELS)


@each
def test_detached_embeddings_are_told_apart(loss, formula, tells_apart):
    class Detached(type(loss)):
        def contrast(self, to_proxy, between, same):
            return super().contrast(to_proxy, ops.stop_gradient(between), same)

    tells_apart(Detached(**loss.get_config()), OUTPUTS, game(formula), LABELS)


def test_the_values_of_the_docstring_for_2c(values):
    same = dict.fromkeys(NAMES, np.ones((N, D)))
    # Samples of class 0 have 3 strangers and 2 kin, and their label.
    sizes = [np.sum(LABELS == y) for y in LABELS]
    expected = np.mean([np.log(1 + (N - m) / m) for m in sizes])
    found = values(TWO_C, same, LABELS)
    assert found["generator"] == pytest.approx(expected, rel=1e-12)
    apart = dict.fromkeys(NAMES, np.eye(3)[LABELS])
    found = values(ConditionalContrastive(temperature=0.01), apart, LABELS)
    assert found["discriminator"] == pytest.approx(0.0, abs=1e-12)


def test_the_values_of_the_docstring_for_d2d_ce(values):
    apart = dict.fromkeys(NAMES, np.eye(3)[LABELS])
    strangers = [np.sum(LABELS != y) for y in LABELS]
    expected = np.mean(np.log(1 + np.array(strangers)))
    found = values(D2D, apart, LABELS)
    assert found["generator"] == pytest.approx(expected, rel=1e-12)


@each
@pytest.mark.parametrize("scale", [1e4, 1e-4])
def test_embeddings_of_any_length_count_the_same(loss, formula, scale, values):
    outputs = {n: (scale * x).astype("float32") for n, x in OUTPUTS.items()}
    expected = values(loss, OUTPUTS, LABELS)
    assert values(loss, outputs, LABELS) == pytest.approx(expected, rel=1e-5)


@each
def test_a_temperature_near_0_gives_finite_values_and_slopes(loss, formula):
    cold = type(loss)(**loss.get_config() | {"temperature": 1e-4})

    def total(*tensors):
        outputs = dict(zip(OUTPUTS, tensors, strict=True))
        return sum(
            cold(["generator", "discriminator"], outputs, LABELS).values()
        )

    points = [x.astype("float32") for x in OUTPUTS.values()]
    assert np.isfinite(float(total(*map(ops.convert_to_tensor, points))))
    for slope in slopes(total, *points):
        assert np.isfinite(slope).all()


@each
def test_embeddings_and_proxies_must_have_one_shape(
    loss, formula, values, refused
):
    outputs = OUTPUTS | {"preal": np.ones((N, D + 1))}
    message = refused(lambda: values(loss, outputs, LABELS))
    assert "'hreal', 'preal'" in message


@each
def test_labels_are_needed(loss, formula, values, refused):
    message = refused(lambda: values(loss, OUTPUTS))
    assert "needs labels of classes" in message


def test_numbers_out_of_range_are_refused(refused):
    for cls in (ConditionalContrastive, DataToDataCrossEntropy):
        message = refused(lambda cls=cls: cls(temperature=0.0))
        assert "`temperature` is out of range" in message
    message = refused(lambda: DataToDataCrossEntropy(positive_margin=1.5))
    assert "`positive_margin` is out of range" in message
    message = refused(lambda: DataToDataCrossEntropy(negative_margin=-2.0))
    assert "`negative_margin` is out of range" in message
