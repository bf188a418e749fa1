"""The tables and pictures of the pages are what the scripts in `docs/` make."""

import importlib
import math
import re
import sys
from pathlib import Path

import pytest

from adversarial import momentum, registry
from adversarial.testing import bilinear_rate

DOCS = Path(__file__).parents[2] / "docs"
ROUNDING = 1e-12
"""Of formulas of a few terms; 1e-15 is seen."""
NO_PICTURE = {"balanced", "phases"}
"""They have no path of their own: they play those of others."""
MOST_BYTES = 600_000
"""For all pictures together."""


def script(name):
    sys.path.insert(0, str(DOCS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(DOCS))


strategies = script("make_strategy_table")
rates = script("make_rate_table")
ROWS = strategies.rows()


def cells(page, name):
    """The table between two markers, a list per line."""
    between = page.read_text().split(f"<!-- {name}: begin -->")[1]
    table = between.split(f"<!-- {name}: end -->")[0].strip()
    return [line.strip("|")[1:-1].split(" | ") for line in table.splitlines()]


def test_the_table_of_strategies_has_a_line_for_each():
    assert {row.name for row in ROWS} == set(registry.names("optimizers"))
    head, _, *lines = cells(strategies.PAGE, "strategies")
    assert len(lines) == len(ROWS)
    assert ("Cost" in head) == strategies.COSTS.is_file()


def test_field_evaluations_are_in_words_where_they_depend():
    makers = {row.name: row.make for row in ROWS}
    depending = {n for n, f in makers.items() if f().field_evaluations is None}
    assert depending == set(strategies.FACTS)


def test_the_readme_names_every_strategy():
    readme = (DOCS.parent / "README.md").read_text()
    for row in ROWS:
        assert f"`{type(row.make()).__name__}`" in readme


@pytest.mark.parametrize("number", range(len(ROWS)), ids=lambda n: ROWS[n].call)
def test_a_strategy_is_and_does_what_the_table_says(number, float64):
    head, _, *lines = cells(strategies.PAGE, "strategies")
    found = dict(zip(head, lines[number], strict=True))
    row = ROWS[number]
    # The cost is measured elsewhere, and differs from run to run.
    wanted = {
        **dict(zip(head, strategies.facts(row), strict=False)),
        **strategies.measured(row.make()),
    }
    assert {name: found[name] for name in wanted} == wanted


def test_the_table_of_rates_is_what_the_script_writes():
    between = "\n".join(rates.table())
    assert between in rates.PAGE.read_text()


def value(formula, h):
    """What a formula says: spaces are products, ^ is a power, i is i."""
    code = re.sub(r"(?<=[\w)]) (?=[\w(])", " * ", formula)
    names = {"h": h, "c": rates.C, "k": rates.K, "i": 1j, "abs": abs}
    names |= {n: getattr(math, n) for n in ("sqrt", "cos", "acos")}
    return eval(code.replace("^", "**"), {"__builtins__": {}}, names)


@pytest.mark.parametrize("h", [0.05, 0.1, 0.3])
def test_the_formulas_are_those_of_the_numbers(h):
    for row in rates.rows():
        if row.formula:
            wanted = bilinear_rate(row.name, h, **row.arguments).radius
            assert abs(value(row.formula, h) - wanted) < ROUNDING, row.call


def test_every_strategy_has_a_picture_and_a_page():
    pictures = DOCS / "pictures" / "trajectories"
    index = (DOCS / "strategies" / "index.md").read_text()
    for name in registry.names("optimizers"):
        page = DOCS / "strategies" / f"{strategies.page_of(name)}.md"
        if name not in NO_PICTURE:
            assert f"trajectories/{name}.png" in page.read_text()
            assert (pictures / f"{name}.png").is_file()
        assert f"]({page.name})" in index
    for name in momentum.__all__:
        assert name in (DOCS / "strategies" / "momentum.md").read_text()


def test_the_pictures_are_those_that_the_script_draws():
    trajectories = script("make_trajectories")
    drawn = {play.name for play in trajectories.plays()}
    drawn |= {*trajectories.RIDGES, "overview"}
    folder = DOCS / "pictures" / "trajectories"
    assert {picture.stem for picture in folder.iterdir()} == drawn


def test_the_pictures_are_small():
    sizes = [f.stat().st_size for f in (DOCS / "pictures").rglob("*.png")]
    assert sum(sizes) < MOST_BYTES
