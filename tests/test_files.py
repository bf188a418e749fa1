import os
import stat
import zipfile
from pathlib import Path

import pytest

from adversarial.files import (
    NEEDED,
    archive_path,
    check_archive,
    is_local,
    replaced,
)


def archive(path, names=NEEDED):
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, f"the text of {name}")
    return path


def left(folder):
    return sorted(os.listdir(folder))


def test_a_file_is_replaced_when_the_new_one_is_complete(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replaced(path) as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"
        assert unfinished.parent == tmp_path
        assert unfinished.suffix == ".txt"
    assert path.read_text() == "new"
    assert left(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), replaced(path) as unfinished:
        unfinished.write_text("half of the ne")
        raise error
    assert path.read_text() == "old"
    assert left(tmp_path) == ["a.txt"]


def test_what_fails_before_it_begins_to_write_is_as_good(tmp_path):
    with pytest.raises(RuntimeError), replaced(tmp_path / "a.txt"):
        raise RuntimeError
    assert left(tmp_path) == []


def test_what_a_killed_writer_left_is_overwritten(tmp_path):
    (tmp_path / ".unfinished.a.txt").write_text("half of something longer")
    with replaced(tmp_path / "a.txt") as unfinished:
        unfinished.write_text("new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert left(tmp_path) == ["a.txt"]


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "a.txt"
    target.write_text("old")
    (tmp_path / "link.txt").symlink_to(target)
    with replaced(tmp_path / "link.txt") as unfinished:
        unfinished.write_text("new")
    assert target.read_text() == "new"
    assert stat.S_ISLNK(os.lstat(tmp_path / "link.txt").st_mode)


def test_paths_of_other_machines_and_open_files_are_not_local(tmp_path):
    assert is_local(tmp_path) and is_local("a.keras")
    assert not is_local("gs://bucket/a.keras")
    with open(tmp_path / "a", "wb") as file:
        assert not is_local(file)


def test_a_whole_archive_is_sound(tmp_path):
    check_archive(archive(tmp_path / "a.keras"))


def test_no_file_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        check_archive(tmp_path / "a.keras")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(OSError, match="it is no file"):
        check_archive(tmp_path)


def test_an_archive_of_something_else_is_told(tmp_path):
    path = archive(tmp_path / "a.keras", NEEDED[:2])
    with pytest.raises(OSError, match=r"'model.weights.h5' is missing"):
        check_archive(path)


def test_every_truncation_and_every_changed_byte_of_text_is_found(tmp_path):
    path = archive(tmp_path / "a.keras")
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(OSError, match=f"its {size} bytes are no whole zip"):
            check_archive(path)
    for name in NEEDED:
        place = whole.index(f"the text of {name}".encode())
        changed = whole[:place] + b"T" + whole[place + 1 :]
        path.write_bytes(changed)
        with pytest.raises(OSError, match=f"checksum of its part '{name}'"):
            check_archive(path)


def test_who_is_not_the_chief_writes_nothing(tmp_path):
    path = tmp_path / "file.keras"
    path.write_text("old")
    with replaced(path, chief=False) as unfinished:
        assert unfinished.name == path.name and unfinished.parent != tmp_path
        unfinished.write_text("new")
    assert not unfinished.exists() and path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.keras"]


def test_a_model_is_saved_to_a_file_of_keras():
    assert archive_path("a/b.keras", "It") == Path("a/b.keras")
    with pytest.raises(ValueError) as caught:
        archive_path("a/b.h5", "It")
    assert str(caught.value) == (
        "It is saved to a `.keras` file.\n"
        "  Received: 'a/b.h5'.\n"
        "  Fix: write 'a/b.keras'."
    )
