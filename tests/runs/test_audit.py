"""``embryology audit``: what it says and keeps, how long that holds, and what it does with what it cannot read."""

import hashlib
import shutil
import sys

import pytest

from embryology import cli
from embryology.errors import EmbryologyError
from embryology.runs.audit import result
from embryology.runs.audit.observed import Entry
from embryology.runs.audit.pickles import OLDER
from embryology.runs.audit.result import entries, examine
from embryology.runs.checkpoints import WEIGHTS
from embryology.runs.contents import Stored
from embryology.runs.paths import RunFolder
from tests.audited import EVENLY, audited, copied, kinds, put

COVERS = ("embryology/runs/audit/result.py",)


def test_what_cannot_be_told_is_no_finding(trained, tmp_path):
    folder = copied(trained["albert"], tmp_path / "late", [0, 50, 52, 58])
    put(folder, 0, trained["other"], 0)
    audit = audited(folder)
    assert audit.findings == ()
    spacing, stranger = audit.notes
    assert spacing.startswith("whether a step is missing between 0 and 50, ")
    assert stranger.startswith("step 0: no kin of step 50 beside it (kinship ")


class Pickles:
    """A checkpoint of a hub that says the hashes of its files."""

    def __init__(self, content, sha256="as it is"):
        self.content, self.sha256 = content, sha256

    def files(self):
        return {"pytorch_model.bin": Stored(len(self.content), self.sha256)}

    def read(self, name, start=0, end=None):
        return self.content[start:end]


def test_of_pickles_of_the_older_form_sizes_and_hashes_are_told():
    contents = [OLDER + word for word in (b"one", b"two", b"six")]
    one, other = (hashlib.sha256(each).hexdigest() for each in contents[:2])
    held = [(contents[0], one), (contents[1], other), (contents[0], one)]
    made = [Entry(step, str(step), Pickles(*each)) for step, each in enumerate(held)]
    (audit,) = examine({"hub": made})
    assert kinds(audit) == {"same weights": {0, 2}}
    assert audit.notes == ("steps 0, 1, 2: of pickles of the older form, sizes and hashes alone",)
    beginnings = 2 * len(OLDER)
    assert audit.bytes_read == 3 * len(OLDER)  # which tells the form
    assert [row.identity for row in audit.checkpoints] == [one, other, one]
    (audit,) = examine({"hub": made[:2]}, whole=True)
    assert (audit.findings, audit.bytes_read) == ((), beginnings + audit.size)
    (audit,) = examine({"hub": [*made[:2], Entry(3, "3", Pickles(contents[2], "0" * 64))]}, whole=True)
    assert kinds(audit) == {"damaged": {3}}
    assert audit.findings[0].says == "step 3: pytorch_model.bin has another sha256 than is said of it"


def test_a_checkpoint_that_cannot_be_listed_leaves_the_others():
    class Gone(Pickles):
        def files(self):
            raise EmbryologyError("there is no such revision")

    (audit,) = examine({"hub": [Entry(0, "0", Gone(b"")), Entry(1, "1", Pickles(OLDER + b"one"))]})
    assert (audit.findings, audit.unread) == ((), 1)
    assert audit.notes[0] == "step 0: not all could be read: there is no such revision"
    assert [row.step for row in audit.checkpoints] == [1]


@pytest.fixture
def sound(trained, tmp_path):
    return RunFolder(copied(trained["albert"], tmp_path / "sound", EVENLY))


def test_an_audit_holds_as_long_as_files_are_the_same(sound, trained, tmp_path):
    assert result.kept(sound) == "it was not audited (embryology audit RUN)"
    (audit,) = examine({"sound": entries(sound)})
    result.write(sound, audit)
    assert result.kept(sound) == audit
    moved = RunFolder(sound.root.rename(tmp_path / "moved"))
    assert result.kept(moved) == audit
    changed = "its files have changed since it was audited (embryology audit RUN)"
    put(moved.root, 6, trained["alike"], 6)  # of the same size
    assert result.kept(moved) == changed
    put(moved.root, 6, trained["albert"], 6)
    assert result.kept(moved) == audit
    (moved.root / "step-6" / "more").write_text("")
    assert result.kept(moved) == changed
    shutil.rmtree(moved.root / "step-6")
    assert result.kept(moved) == changed
    moved.audit.write_text(moved.audit.read_text().replace(f'"version": {result.VERSION}', '"version": 0'))
    assert "is of another version" in result.kept(moved)
    moved.audit.write_text("{}")
    assert "is damaged" in result.kept(moved)


def test_an_audit_with_others_and_in_whole_holds_too(sound, trained, tmp_path):
    other = RunFolder(copied(trained["other"], tmp_path / "other", EVENLY))
    for audit, folder in zip(audited(sound.root, other.root, whole=True), (sound, other), strict=True):
        assert audit.whole
        result.write(folder, audit)
        assert result.kept(folder) == audit


@pytest.fixture
def embryology(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["embryology", "audit", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        said = capsys.readouterr()
        return exit_.value.code or 0, said.out, said.err.splitlines()

    return run


def test_the_command_says_what_it_read_and_found(sound, embryology, trained):
    status, out, errors = embryology(sound.root)
    audit = result.kept(sound)
    assert (status, errors) == (0, [])
    assert out.splitlines()[-1] == "nothing was found to be wrong"
    assert f"read {audit.bytes_read / 1e6:,.1f} of {audit.size / 1e6:,.1f} MB" in out
    put(sound.root, 0, trained["other"], 0)
    status, out, errors = embryology(sound.root)
    assert status == 1
    assert errors == ["error: findings: 1; leave those checkpoints out, or ask those who made them"]
    assert "sound: foreign weights: step 0: no kin of step 6 beside it" in out
    assert [each.kind for each in result.kept(sound).findings] == ["foreign weights"]


def test_a_run_is_audited_as_it_is(trained, embryology, monkeypatch):
    run = trained["other"].parent
    status, out, _ = embryology(run)
    assert status == 0
    assert out.count("step-000000") == len(EVENLY)
    shutil.rmtree(run / "measurements")


@pytest.mark.parametrize(
    ("make", "message"), [(None, "there is no run at"), ("notes", "holds no weights of checkpoints")]
)
def test_what_is_no_series_is_one_line(tmp_path, embryology, make, message):
    if make:
        (tmp_path / "folder" / make).mkdir(parents=True)
    status, out, errors = embryology(tmp_path / "folder")
    assert (status, out) == (1, "")
    assert len(errors) == 1
    assert message in errors[0]


def test_a_name_that_says_no_step_is_one_line(sound, embryology):
    (sound.root / f"final/{WEIGHTS}").parent.mkdir()
    (sound.root / f"final/{WEIGHTS}").write_bytes(b"")
    status, _, errors = embryology(sound.root)
    assert status == 1
    assert "final does not say its step" in errors[0]
