"""A small mirror of the Hub on loopback: the requests that ``huggingface_hub`` makes, answered as the Hub does.

Large files are on another host, to which the Hub redirects, as it does to its storage.
"""

import hashlib
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".bin")
"""Files that the Hub keeps apart, and whose sha256 it lists."""
ZEROS = "0" * 40

Fault = Callable[["Handler"], bool]
"""Answers a request in place of the mirror; False leaves it to that."""


class Mirror:
    """Repositories by name: ``branches`` and ``tags`` by name, each a commit, and files by commit."""

    def __init__(self):
        self.branches: dict[str, dict[str, str]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.commits: dict[str, dict[str, bytes]] = {}
        self.faults: list[tuple[str, Fault]] = []
        self.requests: list[tuple[str, str, str | None]] = []
        """Method, path and range of each."""
        self.sent = 0
        """Bytes of files."""
        self.hung = threading.Event()
        mirror = self

        class Here(Handler):
            hub = mirror

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Here)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a client that has had enough hangs up
        self.port = self.server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def commit(self, repository: str, name: str, files: dict[str, bytes], tag: bool = False) -> str:
        """Put files at a branch, or a tag, in place of those there."""
        content = json.dumps([repository, name, {file: sha256(files[file]) for file in sorted(files)}])
        sha = hashlib.sha1(content.encode()).hexdigest()
        self.commits[sha] = files
        self.branches.setdefault(repository, {})
        (self.tags if tag else self.branches).setdefault(repository, {})[name] = sha
        return sha

    def reset(self) -> None:
        """As it was made: without repositories, faults and requests."""
        self.hung.set()
        self.hung = threading.Event()
        for each in (self.branches, self.tags, self.commits, self.faults, self.requests):
            each.clear()
        self.sent = 0

    def fault(self, path: str, fault: Fault, times: int = 10**9) -> None:
        """Answer requests to a path (a regular expression), the first so many, in another way."""
        left = iter(range(times))
        self.faults.append((path, lambda handler: next(left, None) is not None and fault(handler)))


def error(status: int, code: str = "") -> Fault:
    """Answer with a status, and the code of the Hub for the reason."""

    def fault(handler: "Handler") -> bool:
        handler.answer(status, b"", {"X-Error-Code": code} if code else {})
        return True

    return fault


def hang(handler: "Handler") -> bool:
    """Take the request, and never answer."""
    handler.hub.hung.wait(60)
    handler.close_connection = True
    return True


def cut(after: int) -> Fault:
    """Break off in the middle of a file, after so many bytes of what was asked for."""

    def fault(handler: "Handler") -> bool:
        content, start = handler.part(handler.content())
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(content)))
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{start + len(content) - 1}/{start + len(content)}")
        handler.end_headers()
        handler.wfile.write(content[:after])
        handler.close_connection = True
        return True

    return fault


def damaged(handler: "Handler") -> bool:
    """One byte of a file is another one."""
    content = bytearray(handler.content())
    content[-1] ^= 1
    handler.answer(200, bytes(content))
    return True


def without_ranges(handler: "Handler") -> bool:
    """The whole file, whatever part was asked for."""
    handler.answer(200, handler.content())
    return True


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def blob(content: bytes) -> str:
    """As git has it."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    hub: Mirror

    def log_message(self, *_):
        """Nothing is printed."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        url = urlsplit(self.path)
        self.url, self.parameters = unquote(url.path), parse_qs(url.query)
        self.hub.requests.append((self.command, self.url, self.headers.get("Range")))
        for path, fault in self.hub.faults:
            if re.search(path, self.url) and fault(self):
                return
        if self.url == "/api/models":
            return self.found()
        if match := re.fullmatch(r"/api/models/(.+)/refs", self.url):
            return self.refs(match[1])
        if match := re.fullmatch(r"/api/models/(.+?)/revision/(.+)", self.url):
            return self.listing(*match.groups())
        if match := re.fullmatch(r"/(.+)/resolve/([^/]+)/(.+)", self.url):
            return self.resolve(*match.groups())
        if re.fullmatch(r"/storage/[0-9a-f]+/.+", self.url):
            return self.file(self.content())
        self.answer(404, b"")

    def found(self):
        """Two a page."""
        author, search = self.parameters["author"][0], self.parameters.get("search", [""])[0]
        names = [name for name in self.hub.branches if name.startswith(f"{author}/") and search in name]
        start = int(self.parameters.get("cursor", ["0"])[0])
        more = f'<{self.hub.endpoint}/api/models?author={author}&search={search}&cursor={start + 2}>; rel="next"'
        headers = {"Link": more} if len(names) > start + 2 else {}
        self.json([{"id": name} for name in names[start : start + 2]], headers)

    def refs(self, repository):
        if repository not in self.hub.branches:
            return self.answer(401, b"", {"X-Error-Code": "RepoNotFound"})
        kinds = {"branches": self.hub.branches, "tags": self.hub.tags}
        listed = {
            kind: [{"name": name, "ref": f"refs/{name}", "targetCommit": sha} for name, sha in refs[repository].items()]
            if repository in refs
            else []
            for kind, refs in kinds.items()
        }
        self.json(listed | {"converts": []})

    def listing(self, repository, revision):
        files = self.files(repository, revision)
        if files is None:
            return
        siblings = []
        for name, content in files.items():
            large = {"lfs": {"sha256": sha256(content), "size": len(content), "pointerSize": 130}}
            pointer = f"oid sha256:{sha256(content)}".encode()
            is_large = name.endswith(LARGE)
            entry = {"rfilename": name, "size": len(content), "blobId": blob(pointer if is_large else content)}
            siblings.append(entry | (large if is_large else {}))
        self.json({"id": repository, "sha": self.sha, "siblings": siblings if "blobs" in self.parameters else []})

    def files(self, repository, revision):
        """Of a revision; None where it was refused."""
        if repository not in self.hub.branches:
            return self.answer(401, b"", {"X-Error-Code": "RepoNotFound"})
        named = self.hub.tags.get(repository, {}) | self.hub.branches[repository]
        self.sha = named.get(revision, revision)
        if self.sha not in self.hub.commits:
            return self.answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        return self.hub.commits[self.sha]

    def resolve(self, repository, revision, name):
        files = self.files(repository, revision)
        if files is None:
            return
        if name not in files:
            return self.answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": self.sha})
        content = files[name]
        headers = {"X-Repo-Commit": self.sha, "ETag": f'"{blob(content)}"', "Accept-Ranges": "bytes"}
        if not name.endswith(LARGE):
            return self.file(content, headers)
        headers["X-Linked-Etag"], headers["X-Linked-Size"] = f'"{sha256(content)}"', str(len(content))
        headers["Location"] = f"http://localhost:{self.hub.port}/storage/{self.sha}/{name}"
        self.answer(302, b"", headers)

    def content(self) -> bytes:
        """Of the file that is asked for."""
        _, _, sha, name = self.url.split("/", 3)
        return self.hub.commits[sha][name]

    def part(self, content: bytes) -> tuple[bytes, int]:
        """What is asked for of it, and from where on."""
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "bytes=0-")
        start, end = int(match[1]), int(match[2]) + 1 if match[2] else len(content)
        return content[start:end], start

    def file(self, content, headers=None):
        part, start = self.part(content)
        status, headers = 206 if "Range" in self.headers else 200, dict(headers or {})
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
        self.answer(status, part, headers)

    def json(self, value, headers=None):
        self.answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"} | (headers or {}))

    def answer(self, status, content, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.hub.sent += len(content)
            self.wfile.write(content)
