import numpy as np
import pytest
import scipy.linalg

from adversarial.metrics import FrechetDistance, frechet_distance

EXACT = 1e-9
"""Relative, between two ways to take the root of a well-conditioned matrix."""
N, WIDTH = 400, 6


def samples(n=N, width=WIDTH, seed=0, shift=0.0):
    rng = np.random.default_rng(seed)
    return shift + rng.normal(size=(n, width)) @ rng.normal(size=(width, width))


def of(real, fake, **kwargs):
    metric = FrechetDistance(**kwargs)
    metric.update_state(real, fake)
    return metric.result()


def by_scipy(real, fake):
    """The formula with `scipy.linalg.sqrtm` of the product."""
    c_r, c_f = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    root = np.real(scipy.linalg.sqrtm(c_r @ c_f))
    apart = real.mean(axis=0) - fake.mean(axis=0)
    return apart @ apart + np.trace(c_r + c_f - 2 * root)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_formula_with_the_root_of_scipy(seed):
    real, fake = samples(seed=seed), samples(300, seed=seed + 10, shift=0.3)
    assert of(real, fake) == pytest.approx(by_scipy(real, fake), rel=EXACT)


def test_covariances_that_commute_have_a_closed_form():
    rng = np.random.default_rng(0)
    q, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    a, b = rng.uniform(0.1, 3.0, size=(2, 5))
    m_r, m_f = rng.normal(size=(2, 5))
    found = frechet_distance(m_r, q * a @ q.T, m_f, q * b @ q.T)
    closed = np.sum((m_r - m_f) ** 2) + np.sum((a**0.5 - b**0.5) ** 2)
    assert found == pytest.approx(closed, rel=EXACT)


def test_in_one_dimension_deviations_are_subtracted():
    found = frechet_distance([1.0], [[4.0]], [3.0], [[25.0]])
    assert found == pytest.approx(2.0**2 + (5.0 - 2.0) ** 2, rel=EXACT)


def test_the_covariance_is_divided_by_n_minus_1():
    real, fake = np.array([[0.0], [2.0]]), np.array([[0.0], [6.0]])
    found = of(real, fake)
    # Means 1 and 3, variances 2 and 18.
    assert found == pytest.approx(4 + (18**0.5 - 2**0.5) ** 2, rel=EXACT)


def test_a_set_has_no_distance_from_itself_and_from_its_mirror_order():
    real = samples()
    assert of(real, real[::-1]) == pytest.approx(0.0, abs=1e-9)
    assert of(real, real) >= 0.0


def test_a_shift_alone_is_its_square():
    real = samples()
    shift = np.arange(WIDTH) * 0.5
    assert of(real, real + shift) == pytest.approx(shift @ shift, rel=EXACT)


def test_it_is_symmetric_and_does_not_see_rotations():
    real, fake = samples(), samples(seed=3)
    q, _ = np.linalg.qr(samples(WIDTH, seed=4))
    assert of(fake, real) == pytest.approx(of(real, fake), rel=EXACT)
    assert of(real @ q, fake @ q) == pytest.approx(of(real, fake), rel=EXACT)


def test_a_large_common_offset_changes_nothing():
    real, fake = samples(), samples(seed=5)
    found = of(real + 1e7, fake + 1e7)
    assert found == pytest.approx(of(real, fake), rel=1e-6)


def test_singular_covariances_have_the_limit_of_regular_ones():
    # Rank 2 and 3 in 6 dimensions.
    f_r, f_f = samples(6, 2), samples(6, 3, seed=1)
    f_r = np.random.default_rng(2).normal(size=(6, 2)) @ f_r[:2]
    c_r, c_f = f_r @ f_r.T, f_f @ f_f.T
    zero = np.zeros(6)
    found = frechet_distance(zero, c_r, zero, c_f)
    # tr (C_r C_f)^(1/2) is the sum of singular values of F_r^T F_f.
    nuclear = np.linalg.svd(f_r.T @ f_f, compute_uv=False).sum()
    closed = np.trace(c_r) + np.trace(c_f) - 2 * nuclear
    assert found == pytest.approx(closed, rel=EXACT)
    jitter = 1e-12 * np.eye(6)
    limit = frechet_distance(zero, c_r + jitter, zero, c_f + jitter)
    assert found == pytest.approx(limit, rel=1e-4)


def test_rounding_in_the_null_space_is_no_distance():
    # The eigenvalues of the product that should be 0 are rounding, and the
    # root of 1e-16 is 1e-8: 81 of them are seen in the usual form.
    real = samples(20, 100)
    with pytest.warns(UserWarning, match="rank 19"):
        found = of(real, real)
    covariance = np.cov(real, rowvar=False)
    total = np.trace(covariance)
    assert found < 1e-12 * total
    eigenvalues = np.linalg.eigvals(covariance @ covariance)
    usual = 2 * total - 2 * np.sum(np.sqrt(np.maximum(eigenvalues.real, 0)))
    assert abs(usual) > 1e-9 * total


def test_rounding_in_one_null_space_is_not_seen_from_the_other_side():
    # Roots of rounding, 1e-8 each, would add to the overlap with a regular
    # covariance. The exact one is made of the samples themselves.
    real, fake = samples(20, 100), samples(300, 100, seed=1)
    with pytest.warns(UserWarning, match="rank 19"):
        found = of(real, fake)
    factors = [(x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (real, fake)]
    overlap = np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum()
    apart = np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2)
    exact = apart + sum(np.sum(f**2) for f in factors) - 2 * overlap
    assert found == pytest.approx(exact, rel=1e-11)


def test_constant_samples_have_a_distance():
    real, fake = np.zeros((5, 2)), np.full((5, 2), 3.0)
    assert of(real, fake) == pytest.approx(18.0)


def test_a_covariance_of_too_few_samples_is_a_warning_with_its_rank():
    real, fake = samples(50), samples(6, seed=1)
    with pytest.warns(UserWarning, match=r"6 fake samples of 6 .* rank 5"):
        found = of(real, fake)
    assert found > 0


def test_one_sample_has_no_covariance():
    with pytest.raises(ValueError, match=r"generated(.|\n)*at least 2"):
        of(samples(), samples(1))


def test_few_samples_make_it_too_large():
    # The bias that the documentation warns of.
    small = np.mean([of(samples(20), s) for s in np.split(samples(400), 20)])
    assert small > 5 * of(samples(), samples(400))


def test_statistics_are_written_once_and_read(tmp_path):
    real, fake = samples(), samples(seed=1)
    writer = FrechetDistance()
    writer.update_real(real)
    writer.write_real(tmp_path / "real.npz")
    reader = FrechetDistance(keep_real=True)
    reader.read_real(tmp_path / "real.npz")
    for _ in range(2):
        reader.reset_state()
        reader.update_fake(fake)
        assert reader.result() == pytest.approx(of(real, fake), rel=1e-12)
    with np.load(tmp_path / "real.npz") as file:
        np.testing.assert_allclose(file["mu"], real.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(
            file["sigma"], np.cov(real, rowvar=False), rtol=1e-12
        )
        assert file["n"] == N


def test_statistics_replace_the_real_samples_so_far(tmp_path):
    real, fake = samples(), samples(seed=1)
    metric = FrechetDistance()
    metric.update_real(real)
    metric.write_real(tmp_path / "real.npz")
    metric.update_real(fake)
    metric.read_real(tmp_path / "real.npz")
    metric.update_fake(fake)
    assert metric.result() == pytest.approx(of(real, fake), rel=1e-12)


def test_files_of_others_need_the_number_of_samples(tmp_path):
    real, fake = samples(), samples(seed=1)
    np.savez(
        tmp_path / "other.npz",
        mu=real.mean(axis=0),
        sigma=np.cov(real, rowvar=False),
    )
    metric = FrechetDistance()
    with pytest.raises(ValueError, match="samples="):
        metric.read_real(tmp_path / "other.npz")
    metric.read_real(tmp_path / "other.npz", samples=N)
    metric.update_fake(fake)
    assert metric.result() == pytest.approx(of(real, fake), rel=1e-12)


def test_files_without_statistics_are_refused(tmp_path):
    np.savez(tmp_path / "none.npz", x=np.ones(3))
    with pytest.raises(ValueError, match="write_real"):
        FrechetDistance().read_real(tmp_path / "none.npz", samples=3)
    np.savez(tmp_path / "odd.npz", mu=np.ones(3), sigma=np.ones((2, 2)), n=9)
    with pytest.raises(ValueError, match="one width"):
        FrechetDistance().read_real(tmp_path / "odd.npz")


def test_statistics_of_another_width_are_refused(tmp_path):
    metric = FrechetDistance()
    metric.update_real(samples())
    metric.write_real(tmp_path / "real.npz")
    other = FrechetDistance()
    other.update_fake(samples(width=WIDTH + 1))
    with pytest.raises(ValueError, match="same width"):
        other.read_real(tmp_path / "real.npz")


def test_statistics_need_two_samples(tmp_path):
    with pytest.raises(ValueError, match="needs real samples"):
        FrechetDistance().write_real(tmp_path / "real.npz")


@pytest.mark.parametrize(
    "mean, covariance", [(np.ones(2), np.eye(3)), (np.ones((1, 3)), np.eye(3))]
)
def test_gaussians_of_other_shapes_are_refused(mean, covariance):
    with pytest.raises(ValueError, match=r"shapes \(d,\)"):
        frechet_distance(np.ones(3), np.eye(3), mean, covariance)
    with pytest.raises(ValueError, match=r"shapes \(d,\)"):
        frechet_distance(mean, covariance, np.ones(3), np.eye(3))
