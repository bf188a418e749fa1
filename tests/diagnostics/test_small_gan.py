"""A real GAN against its Jacobian by brute force."""

import keras
import numpy as np
import pytest
from engines import TRACED

from adversarial import diagnostics
from adversarial.diagnostics.checkpoints import point_from
from adversarial.diagnostics.eigenvalues import measured_product
from adversarial.diagnostics.view import batch_of, view_of

H = 1e-5
DIFFERENCES = 1e-7
"""Central differences: h^2 = 1e-10 times third derivatives of up to a few
hundred, behind batch normalisation; their rounding, 1e-16 / h, is smaller."""


class BruteForce:
    """The field of a model by steps of SGD of rate 1, in float64."""

    def __init__(self, model, x, y):
        self.model, self.batch = model, (x, y)
        self.owned = [v for p in model.players.values() for v in p.variables]
        self.all = [*model.variables, *model.optimizer.variables]
        self.saved = [np.array(v) for v in self.all]

    def point(self):
        return np.concatenate([np.ravel(np.array(v)) for v in self.owned])

    def restore(self):
        for variable, value in zip(self.all, self.saved, strict=True):
            variable.assign(value)

    def field(self, theta):
        self.restore()
        begin = 0
        for v in self.owned:
            size = int(np.prod(v.shape))
            v.assign(theta[begin : begin + size].reshape(v.shape))
            begin += size
        self.model.train_on_batch(*self.batch)
        return theta - self.point()

    def jacobian(self, theta):
        columns = [
            (self.field(theta + H * e) - self.field(theta - H * e)) / (2 * H)
            for e in np.eye(theta.size)
        ]
        self.restore()
        return np.stack(columns, axis=1)


@pytest.fixture
def gan(small_gan, float64):
    model = small_gan()
    model.compile(
        "simultaneous",
        {n: keras.optimizers.SGD(1.0) for n in model.players},
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=TRACED,
    )
    return model


def test_everything_agrees_with_the_jacobian_by_brute_force(
    gan, gan_batch, untouched
):
    x, y = gan_batch
    x = x.astype("float64")
    brute = BruteForce(gan, x, y)
    theta = brute.point()
    fields = [brute.field(theta), brute.field(1.1 * theta)]
    xi, j = fields[0], brute.jacobian(theta)
    s, a = (j + j.T) / 2, (j - j.T) / 2
    assert j.shape == (124, 124)

    with untouched(gan):
        seen = diagnostics.rotation(gan, x, y)
        leading = diagnostics.spectrum(gan, x, y, k=4)
        end = {
            name: [1.1 * w for w in block]
            for name, block in point_from(gan, None).items()
        }
        path = diagnostics.path_angle(
            gan, x, y, start=None, end=end, along=[0, 1]
        )
        view, batch = view_of(gan), batch_of(x, y)
        names = view.names
        products = [
            view.run(measured_product, batch, None, e, players=names)
            for e in np.eye(theta.size)
        ]

    np.testing.assert_allclose(np.stack(products, 1), j, atol=DIFFERENCES)
    np.testing.assert_allclose(
        seen.gradient.total, np.linalg.norm(xi), rtol=1e-10
    )
    np.testing.assert_allclose(
        [seen.symmetric, seen.antisymmetric],
        [np.linalg.norm(s @ xi), np.linalg.norm(a @ xi)],
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        seen.curvature, xi @ s @ xi / (xi @ xi), rtol=1e-6
    )
    everything = np.linalg.eigvals(j)
    expected = everything[np.argsort(-abs(everything))][:4]
    np.testing.assert_allclose(
        np.sort_complex(leading.eigenvalues),
        np.sort_complex(expected),
        atol=1e-6,
    )

    np.testing.assert_allclose(
        path.cosines,
        [theta @ f / np.linalg.norm(theta) / np.linalg.norm(f) for f in fields],
        rtol=1e-8,
    )
