"""Trees of files as a hostile job makes them: deep, locked, changing, with pipes and links."""

import os

import pytest

from localmaker.services.sagemaker.jobs.data.trees import open_files, remove_tree

DEEP = 3000


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def dig(root, depth, name="d" * 20):
    """Make nested folders far beyond the longest path, with a file in the last one."""
    descriptor = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=descriptor)
        inner = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=descriptor))
    os.close(descriptor)


def names(root):
    descriptor = os.open(root, os.O_RDONLY)
    found = []
    for name, file in open_files(descriptor):
        file.close()
        found.append(name)
    os.close(descriptor)
    return found


def test_only_regular_files_are_found_in_order(root):
    for name in ("b/2", "b/1", "a", "c/deep/er"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    os.mkfifo(root / "b" / "pipe")
    (root / "link").symlink_to("/etc/passwd")
    (root / "folder").symlink_to("/etc")
    assert names(root) == ["a", "b/1", "b/2", "c/deep/er"]


def test_a_folder_that_becomes_a_pipe_does_not_block(root):
    (root / "a").mkdir()
    (root / "a" / "file").touch()
    (root / "b").mkdir()
    descriptor = os.open(root, os.O_RDONLY)
    files = open_files(descriptor)
    next(files)[1].close()
    (root / "b").rmdir()
    os.mkfifo(root / "b")
    assert list(files) == []
    os.close(descriptor)


def test_a_folder_that_is_moved_meanwhile_leads_nowhere_else(root):
    (root / "a" / "b").mkdir(parents=True)
    for name in ("a/b/file", "a/late"):
        (root / name).touch()
    (root.parent / "secret").touch()
    descriptor = os.open(root, os.O_RDONLY)
    files = open_files(descriptor)
    next(files)[1].close()
    (root / "a" / "b").rename(root.parent / "b")
    assert list(files) == []
    os.close(descriptor)


def test_depth_is_no_obstacle(root):
    dig(root, DEEP)
    assert [len(name) for name in names(root)] == [DEEP * 21 + 4]
    remove_tree(root)
    assert not root.exists()


def test_many_locked_folders_are_removed(root):
    for number in range(1200):
        (root / f"{number}").mkdir()
    (root / "locked" / "in").mkdir(parents=True)
    (root / "locked" / "in" / "file").touch()
    (root / "locked" / "in").chmod(0)
    (root / "locked").chmod(0)
    (root / "link").symlink_to("/etc")
    root.chmod(0)
    remove_tree(root)
    assert not root.exists()
