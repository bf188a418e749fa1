import numpy as np

from adversarial.penalties import R1, R2


def test_it_is_the_formula_of_r1_at_generated_samples(critics, samples, agrees):
    network, critic = critics()
    x = samples(1)
    agrees(
        R2(network),
        x,
        lambda weights: 0.5 * (critic.slopes(weights, x) ** 2).sum(axis=1),
    )
    np.testing.assert_array_equal(R2(network)(x), R1(network)(x))
    assert R2.reads == "fake"
    assert R2(network).name == "r2"
