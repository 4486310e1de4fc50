"""The archives hold what is committed and what was built, the same bytes each time, and nothing that is neither."""

import hashlib
import shutil
import subprocess
import tarfile
import zipfile

import pytest

from embryology.errors import EmbryologyError
from embryology.report import archive


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    pages = root / "_build" / "html" / "book"
    pages.mkdir(parents=True)
    (root / "_build" / "html" / "index.html").write_text("front")
    (pages / "a.html").write_text("page")
    (root / "code.py").write_text("1")
    (root / ".gitignore").write_text("_build/\nruns/\n")
    (root / "runs").mkdir()
    (root / "runs" / "mine").write_text("not committed, and ignored")
    git = ["git", "-c", "user.name=n", "-c", "user.email=n@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], cwd=root, check=True)
    return root


def test_both_hold_what_they_should_and_the_sums_are_theirs(project):
    folder = archive.archive(project)
    code, book = sorted(folder.glob("*.tar.gz"))[0], sorted(folder.glob("*.zip"))[0]
    with tarfile.open(code) as packed:
        assert {name.partition("/")[2] for name in packed.getnames()} == {"", "code.py", ".gitignore"}
    with zipfile.ZipFile(book) as packed:
        texts = {name.partition("/")[2]: packed.read(name).decode() for name in packed.namelist()}
        assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}  # the first that there is
    assert texts == {"index.html": "front", "book/a.html": "page"}
    sums = dict(line.split("  ")[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert sums == {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in (code, book)}


def test_the_same_is_the_same_bytes_and_another_commit_takes_its_place(project):
    first = {each.name: each.read_bytes() for each in archive.archive(project).iterdir()}
    (project / "_build" / "html" / "index.html").touch()
    assert {each.name: each.read_bytes() for each in archive.archive(project).iterdir()} == first
    commit = ["commit", "-q", "--allow-empty", "-m", "second"]
    subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=n@example.org", *commit], cwd=project, check=True)
    assert len({each.name for each in archive.archive(project).iterdir()} - set(first)) == 2
    assert len([*archive.archive(project).iterdir()]) == 3


def _put_into_another(root):
    shutil.rmtree(root / ".git")
    subprocess.run(["git", "init", "-q"], cwd=root.parent, check=True)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "code.py").write_text("2"), "code.py is not committed"),
        (lambda root: (root / "new.py").write_text("2"), "new.py is not committed"),
        (lambda root: (root / "_build" / "html" / "index.html").unlink(), "there is no book in"),
        (lambda root: (root / ".git" / "HEAD").unlink(), "^git rev-parse: .*not a git repository"),
        (_put_into_another, "project is no git repository, but project/ of another one"),
    ],
)
def test_what_would_not_be_what_is_there_is_refused(project, monkeypatch, spoil, message):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent.parent))
    spoil(project)
    with pytest.raises(EmbryologyError, match=message):
        archive.archive(project)
    assert not (project / "_build" / "archive").exists()
