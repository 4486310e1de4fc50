"""What a run's manifest says of the code that made it."""

from embryology.runs import manifest


def test_the_commit_is_git_s_or_what_it_is_said_to_be(monkeypatch, tmp_path):
    monkeypatch.delenv("EMBRYOLOGY_COMMIT", raising=False)
    monkeypatch.setattr(manifest, "ROOT", tmp_path)  # no checkout
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert manifest.commit() is None
    monkeypatch.setenv("EMBRYOLOGY_COMMIT", "abc123")
    assert manifest.commit() == "abc123"
