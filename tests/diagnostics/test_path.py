import numpy as np
import pytest

from adversarial.diagnostics import PathAngle, path_angle

ROUNDING = 1e-12
"""Float64 sums over up to 6 numbers near 1."""
ONE = np.ones((1, 1))


def measured(model, game, start, end, **kwargs):
    return path_angle(
        model, ONE, start=game.tensors(start), end=game.tensors(end), **kwargs
    )


def test_the_path_of_a_random_game_is_that_of_its_explicit_field(
    quadratic, playing, float64
):
    game = quadratic([2, 3, 1])
    start, end = np.random.default_rng(1).normal(size=(2, 6))
    path = measured(playing(game), game, start, end)
    assert path.along[0] == -0.1 and path.along[-1] == 1.1
    assert {0.0, 1.0} <= set(np.round(path.along, 12))
    way = end - start
    points = [start + a * way for a in path.along]
    fields = [game.field(theta) for theta in points]
    np.testing.assert_allclose(
        path.norms, [np.linalg.norm(f) for f in fields], rtol=ROUNDING
    )
    np.testing.assert_allclose(
        path.cosines,
        [way @ f / np.linalg.norm(way) / np.linalg.norm(f) for f in fields],
        atol=ROUNDING,
    )
    losses = np.array([game.values(theta) for theta in points]).T
    np.testing.assert_allclose(
        list(path.losses.values()), losses, atol=10 * ROUNDING
    )
    np.testing.assert_allclose(
        path.distance, np.linalg.norm(way), rtol=ROUNDING
    )


@pytest.mark.parametrize(("curvature", "sign"), [(1.0, -1), (-1.0, 1)])
def test_an_attracting_end_turns_the_sign(
    linear, playing, float64, curvature, sign
):
    game = linear(curvature * np.eye(2))
    path = measured(playing(game), game, np.array([3.0, 4.0]), np.zeros(2))
    before, after = path.along < 0.99, path.along > 1.01
    np.testing.assert_allclose(path.cosines[before], sign, atol=ROUNDING)
    np.testing.assert_allclose(path.cosines[after], -sign, atol=ROUNDING)
    crossings = path.attractions if sign < 0 else path.repulsions
    others = path.repulsions if sign < 0 else path.attractions
    np.testing.assert_allclose(crossings, [1.0], atol=ROUNDING)
    assert others == []


def test_rotation_shows_as_a_bump_without_a_change_of_sign(bilinear, playing):
    """Past the rest at a distance of 1: the field turns by half a circle."""
    end = np.array([0.0, 1.0])
    path = measured(playing(bilinear), bilinear, np.array([20.0, 1.0]), end)
    expected = -1 / np.hypot(1, 20 * (1 - path.along))
    np.testing.assert_allclose(path.cosines, expected, atol=ROUNDING)
    assert path.attractions == path.repulsions == []


def test_at_rest_there_is_no_angle(bilinear, playing):
    path = measured(
        playing(bilinear), bilinear, np.ones(2), np.zeros(2), along=[0, 0.5, 1]
    )
    np.testing.assert_array_equal(np.isnan(path.cosines), [0, 0, 1])
    assert path.norms[-1] == 0.0


def test_the_end_is_the_model_as_it_is_and_weights_will_do(
    quadratic, playing, float64, untouched, tmp_path
):
    game = quadratic([2, 1])
    model, file = playing(game), tmp_path / "old.weights.h5"
    weights = model.get_weights()
    model.save_weights(file)
    for _ in range(3):
        model.train_on_batch(ONE)
    with untouched(model):
        one = path_angle(model, ONE, start=weights, along=[0, 1])
        two = path_angle(
            model, ONE, start=file, end=model.get_weights(), along=[0, 1]
        )
    np.testing.assert_array_equal(one.cosines, two.cosines)
    assert one.cosines[0] < -0.9


def test_crossings_are_interpolated():
    path = PathAngle(
        along=np.array([0.0, 0.5, 1.0, 1.5]),
        cosines=np.array([-0.4, 0.1, np.nan, -0.1]),
        norms=np.ones(4),
        losses={},
        distance=1.0,
    )
    assert path.attractions == pytest.approx([0.4])
    assert path.repulsions == pytest.approx([1.0])


def test_a_path_reads_as_a_table(bilinear, playing):
    path = measured(
        playing(bilinear), bilinear, np.array([3.0, 4.0]), np.array([1.0, 0.0])
    )
    lines = str(path).splitlines()
    assert lines[0] == "path of length 4.472"
    rows = [float(line.split()[0]) for line in lines[2:-1]]
    assert rows == [0.0, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1]
    assert "attracted" in lines[-1] or "neither" in lines[-1]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"start": None}, "the same point twice"),
        ({"start": {"p0": [np.array([np.nan])]}}, "NaN among the parameters"),
        ({"start": {"p0": [np.zeros(1)]}, "along": [1, 0]}, "rising"),
        ({"start": {"p0": [np.zeros(1)]}, "along": [1]}, "at least two"),
    ],
)
def test_what_is_no_path_is_refused(bilinear, playing, arguments, match):
    with pytest.raises(ValueError, match=match):
        path_angle(playing(bilinear), ONE, **arguments)
