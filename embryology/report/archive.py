"""What a repository such as Zenodo keeps: the project as it is committed, frozen runs included, and the built book.

``make archive`` runs this module. The same commit and the same book give the same bytes.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

from embryology import __version__
from embryology.errors import EmbryologyError
from embryology.runs.paths import project_folder
from embryology.storage.files import sha256_of_file, written_whole

FIRST_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a ZIP file can say; of files that a build wrote no date is worth keeping."""


def archive(root: Path) -> Path:
    """Write both archives and their checksums.

    Args:
        root: the project's folder, a git repository whose book is built.

    Returns:
        The folder that holds them, below ``_build``.

    Raises:
        EmbryologyError: there is no book, no repository, or something is not committed.
    """
    html, folder = root / "_build" / "html", root / "_build" / "archive"
    if not (html / "index.html").is_file():
        raise EmbryologyError(f"there is no book in {html} to archive: make book, or make frozen-book")
    if inside := _git(root, "rev-parse", "--show-prefix"):
        raise EmbryologyError(f"{root} is no git repository, but {inside} of another one: archive a clone of it")
    if changed := _git(root, "status", "--porcelain").split("\n")[0]:
        raise EmbryologyError(f"{changed[3:]} is not committed; an archive holds what is: commit, or stash it")
    name = f"embryology-{__version__}-{_git(root, 'rev-parse', '--short=12', 'HEAD')}"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    code, book, sums = folder / f"{name}.tar.gz", folder / f"{name}-book.zip", folder / "SHA256SUMS"
    with written_whole(code) as temporary:
        _git(root, "archive", "--format=tar.gz", f"--prefix={name}/", f"--output={temporary}", "HEAD")
    with written_whole(book) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(each for each in html.rglob("*") if each.is_file()):
            entry = zipfile.ZipInfo(f"{name}-book/{file.relative_to(html).as_posix()}", FIRST_DATE)
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
    lines = "".join(f"{sha256_of_file(each)}  {each.name}\n" for each in (code, book))
    with written_whole(sums) as temporary:
        temporary.write_text(lines, encoding="utf-8")
    return folder


def _git(root: Path, *words: str) -> str:
    try:
        return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout.rstrip()
    except FileNotFoundError as error:
        raise EmbryologyError("an archive is made by git, which is not installed") from error
    except subprocess.CalledProcessError as error:
        raise EmbryologyError(f"git {words[0]}: {error.stderr.strip() or 'failed'}") from error


def main() -> int:
    """Archive the project; what is mendable is said in a line."""
    try:
        folder = archive(project_folder())
    except EmbryologyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for file in sorted(folder.iterdir()):
        print(f"{file.stat().st_size / 1e6:8.1f} MB  {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
