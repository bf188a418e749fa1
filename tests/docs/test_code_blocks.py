"""The code on the pages runs, and prints what the pages say it prints.

Every ```python block of README.md and of the pages in docs/ is executed, those
of one page in order and in one namespace, so that a page reads as one program.
A ```text block straight below a ```python block is what that block prints;
`...` stands for anything.
"""

import contextlib
import doctest
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

import keras
import pytest
from tensorflow.python.framework import config

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *sorted(DOCS.glob("*.md")),
    *sorted((DOCS / "guides").glob("*.md")),
    *sorted((DOCS / "strategies").glob("*.md")),
]
FENCE = re.compile(r"( *)```(\S*)")
COLUMNS = 80


@dataclass
class Block:
    """A fenced block: its language, the lines in it, where it begins."""

    language: str
    line: int
    indent: str = ""
    lines: list[str] = field(default_factory=list)
    follows: bool = False

    @property
    def text(self):
        return "".join(f"{line}\n" for line in self.lines)


def blocks_of(page):
    blocks, block, between = [], None, ""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = FENCE.match(line)
        if block is None and fence:
            straight = bool(blocks) and not between.strip()
            block = Block(fence[2], number, fence[1], follows=straight)
        elif block is not None and line.strip() == "```":
            blocks.append(block)
            block, between = None, ""
        elif block is not None:
            block.lines.append(line)
        else:
            between += line
    assert block is None, f"{page.name}: the fence of line {block.line} is open"
    return blocks


def run(page, block, namespace):
    """Executes a block with the page's line numbers; returns its output."""
    source = "\n" * block.line + block.text
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, str(page), "exec"), namespace)
    return printed.getvalue()


def page_id(page):
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def fresh_keras(tmp_path, monkeypatch):
    """An empty folder, and Keras as at its import."""
    monkeypatch.chdir(tmp_path)
    keras.utils.clear_session()
    yield
    # A page may switch this on, and TensorFlow has no public way back.
    config.disable_op_determinism()
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.utils.clear_session()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_the_code_of_a_page_runs_and_prints_what_the_page_says(
    page, fresh_keras
):
    namespace = {"__name__": "__main__"}
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    same = doctest.OutputChecker().check_output
    printed = None
    for block in blocks_of(page):
        if block.language == "text" and block.follows and printed is not None:
            assert same(block.text, printed, flags), (
                f"{page.name}, line {block.line}: the page says\n"
                f"{block.text}\nand the code printed\n{printed}"
            )
        printed = None
        if block.language == "python":
            printed = run(page, block, namespace)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_code_is_no_wider_than_80_columns(page):
    wide = [
        f"{page.name}:{block.line + number}"
        for block in blocks_of(page)
        if block.language in ("python", "sh")
        for number, line in enumerate(block.lines, 1)
        if len(line) > COLUMNS
    ]
    assert not wide


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_block_names_a_language_and_starts_its_line(page):
    for block in blocks_of(page):
        assert block.language, f"{page.name}:{block.line}"
        assert not block.indent, f"{page.name}:{block.line}"
