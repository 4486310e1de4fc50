"""Where the book's buttons lead, and that no repository is invented."""

import subprocess
from types import SimpleNamespace

import pytest

from embryology.report.source_links import choose_buttons, public_url, repository_url, rewrite_buttons, template_of


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("https://github.com/somebody/embryology", "https://github.com/somebody/embryology"),
        ("https://github.com/somebody/embryology.git\n", "https://github.com/somebody/embryology"),
        ("https://name:secret@github.com/somebody/embryology/", "https://github.com/somebody/embryology"),
        ("git@gitlab.com:group/sub/embryology.git", "https://gitlab.com/group/sub/embryology"),
        ("ssh://git@bitbucket.org/somebody/embryology.git", "https://bitbucket.org/somebody/embryology"),
        ("https://github.com/", None),
        ("https://github.com/somebody", None),
        ("http://localhost:3000/somebody/embryology", None),
        ("git@example.org:somebody/embryology.git", None),
        ("/srv/git/github.com/embryology.git", None),
        ("../embryology", None),
        ("none", None),
    ],
)
def test_only_addresses_at_hosting_services_are_public(address, url):
    assert public_url(address) == url


def test_the_repository_is_the_variable_then_the_remote_then_none(tmp_path, monkeypatch):
    monkeypatch.delenv("EMBRYOLOGY_REPOSITORY", raising=False)
    assert repository_url(tmp_path / "nowhere") is None
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    assert repository_url(tmp_path) is None
    remote = "git@github.com:somebody/embryology.git"
    subprocess.run(["git", "remote", "add", "origin", remote], cwd=tmp_path, check=True)
    assert repository_url(tmp_path) == "https://github.com/somebody/embryology"
    monkeypatch.setenv("EMBRYOLOGY_REPOSITORY", "https://gitlab.com/other/embryology")
    assert repository_url(tmp_path) == "https://gitlab.com/other/embryology"


@pytest.mark.parametrize(
    ("address", "launch", "are_shown"),
    [
        ("https://github.com/a/b", {"colab_url": "colab", "binderhub_url": "binder"}, True),
        ("https://gitlab.com/a/b", {"binderhub_url": "binder"}, True),
        ("none", {}, False),
    ],
)
def test_buttons_are_those_that_work_with_the_repository(address, launch, are_shown, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_REPOSITORY", address)
    names = ("use_repository_button", "use_source_button", "use_edit_page_button", "use_issues_button")
    options = {"repository_url": "old", "launch_buttons": {"colab_url": "colab", "binderhub_url": "binder"}}
    options |= dict.fromkeys(names, True)
    choose_buttons(SimpleNamespace(srcdir="."), SimpleNamespace(html_theme_options=options))
    assert options == {
        "repository_url": address if are_shown else "",
        "launch_buttons": launch,
        **dict.fromkeys(names, are_shown),
    }


def test_only_executed_notebooks_are_renamed():
    assert template_of("https://x/blob/main/book/executed/a-1/tokens.ipynb?plain=1") == (
        "https://x/blob/main/notebooks/tokens.ipynb?plain=1"
    )
    assert template_of("https://x/blob/main/book/method.md") == "https://x/blob/main/book/method.md"


def rewritten(tmp_path, page):
    """The buttons of an executed page, in a project that has one notebook."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "tokens.ipynb").touch()
    launch = {"url": f"https://hub/lab/tree/book/executed/tiny/{page}.ipynb"}
    download = {"url": f"../_sources/book/executed/tiny/{page}.ipynb"}
    repository, screen = {"url": "https://hub/a/b"}, {"javascript": "toggleFullScreen()"}
    groups = [[launch], [download], [repository, launch]]
    context = {"header_buttons": [*({"type": "group", "buttons": group} for group in groups), screen]}
    rewrite_buttons(SimpleNamespace(srcdir=tmp_path), f"book/executed/tiny/{page}", "page.html", context, None)
    return [button.get("buttons", button) for button in context["header_buttons"]]


def test_buttons_in_groups_are_rewritten_and_downloads_are_not(tmp_path):
    template = {"url": "https://hub/lab/tree/notebooks/tokens.ipynb"}
    download = {"url": "../_sources/book/executed/tiny/tokens.ipynb"}
    assert rewritten(tmp_path, "tokens") == [
        [template],
        [download],
        [{"url": "https://hub/a/b"}, template],
        {"javascript": "toggleFullScreen()"},
    ]


def test_a_page_of_a_plug_in_has_no_buttons_to_a_notebook_that_is_not_there(tmp_path):
    download = {"url": "../_sources/book/executed/tiny/letters.ipynb"}
    assert rewritten(tmp_path, "letters") == [
        [download],
        [{"url": "https://hub/a/b"}],
        {"javascript": "toggleFullScreen()"},
    ]
