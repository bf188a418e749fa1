"""Writes the results of `benchmarks/gan_recipes.py` into a page.

    python docs/make_gan_table.py docs/PAGE.md

The page has two places for it, from `<!-- gan_recipes: begin -->` and from
`<!-- gan_correlations: begin -->` to the same with `end`.
"""

import json
import sys
from pathlib import Path

from make_strategy_table import between

FOUND = (
    Path(__file__).parents[1] / "benchmarks" / "results" / "gan_recipes.json"
)
COLUMNS = {
    "frechet_distance": ("Frechet distance", "{:.1f}"),
    "coverage": ("Coverage", "{:.2f}"),
    "density": ("Density", "{:.2f}"),
    "confident": ("Read with confidence", "{:.0%}"),
    "rarest": ("Rarest digit", "{:.1%}"),
    "averaged_frechet_distance": ("Frechet distance, averaged", "{:.1f}"),
    "averaged_coverage": ("Coverage, averaged", "{:.2f}"),
}
CORRELATIONS = {
    "score_gap_spearman": "of the score gap, by rank",
    "score_gap_pearson": "of the score gap",
    "discriminator_loss_spearman": "of minus its loss, by rank",
    "discriminator_loss_pearson": "of minus its loss",
}


def table(found):
    """The medians of the seeds, with the least and the most."""
    steps = min(e["seconds_per_step"]["median"] for e in measured(found))
    head = [
        "Recipe",
        *(name for name, _ in COLUMNS.values()),
        "Time of a step, in the quickest",
    ]
    lines = [head, ["---"] * len(head)]
    for recipe, entry in found["recipes"].items():
        line = [f"`{recipe}`"]
        line += [spread(entry, k, form) for k, (_, form) in COLUMNS.items()]
        if "seconds_per_step" in entry:
            ratio = entry["seconds_per_step"]["median"] / steps
            line.append(f"{ratio:.1f}")
        lines.append(line + [""] * (len(head) - len(line)))
    real = found["real"]
    line = ["real digits"]
    for key, (_, form) in COLUMNS.items():
        line.append(form.format(real[key]) if key in real else "")
    return drawn([*lines, [*line, ""]])


def correlations(found):
    """How the discriminator's figures go with the Frechet distance."""
    head = ["Recipe", *CORRELATIONS.values()]
    lines = [head, ["---"] * len(head)]
    for recipe, entry in found["recipes"].items():
        if "score_gap_pearson" in entry:
            values = [spread(entry, key, "{:.2f}") for key in CORRELATIONS]
            lines.append([f"`{recipe}`", *values])
    return drawn(lines)


def measured(found):
    return [e for e in found["recipes"].values() if "seconds_per_step" in e]


def spread(entry, key, form):
    """A median, and how far the seeds are apart."""
    if key not in entry:
        return "diverged"
    values = {k: form.format(v) for k, v in entry[key].items()}
    if values["least"] == values["most"]:
        return values["median"]
    return f"{values['median']} ({values['least']} to {values['most']})"


def drawn(lines):
    return ["| " + " | ".join(line) + " |" for line in lines]


def main():
    page, found = Path(sys.argv[1]), json.loads(FOUND.read_text())
    text = between(page.read_text(), "gan_recipes", table(found))
    text = between(text, "gan_correlations", correlations(found))
    page.write_text(text)


if __name__ == "__main__":
    main()
