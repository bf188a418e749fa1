"""On every engine, ten steps of everything end where TensorFlow's do."""

import conformance_cases
import numpy as np
import pytest

from adversarial import registry

CASES = conformance_cases.cases()
ENDS = dict(np.load(conformance_cases.ENDS))
AGREEMENT = {"float32": 1e-5, "float64": 1e-10}
"""Absolute, of numbers of order 1; relative where they are larger."""


@pytest.mark.filterwarnings("ignore:The solver")  # One iteration is enough.
@pytest.mark.parametrize("precision", AGREEMENT)
@pytest.mark.parametrize("name", CASES)
def test_ten_steps_end_where_those_of_tensorflow_do(name, precision):
    found = conformance_cases.end(CASES[name], precision)
    expected = ENDS[f"{precision} {name}"]
    assert found.dtype == expected.dtype == precision
    bound = AGREEMENT[precision]
    np.testing.assert_allclose(found, expected, rtol=bound, atol=bound)


@pytest.mark.parametrize(
    ("kind", "noun"),
    [
        ("optimizers", "strategy"),
        ("losses", "loss"),
        ("penalties", "penalty"),
        ("layers", "layer"),
        ("momentum", "optimizer"),
    ],
)
def test_all_that_is_registered_is_in_the_table(kind, noun):
    assert {f"{noun} {name}" for name in registry.names(kind)} <= set(CASES)


def test_an_end_is_kept_for_each_case():
    assert set(ENDS) == {f"{p} {name}" for p in AGREEMENT for name in CASES}


def test_the_cases_end_in_different_places():
    """Else a case might not play what its name says."""
    ends = [ENDS[f"float64 {name}"] for name in CASES]
    seen = {end.tobytes() for end in ends}
    # Two layers are in one game, and three ways to say the same thing.
    assert len(seen) >= len(ends) - 4
