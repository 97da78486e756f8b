"""A model hub on this machine, as far as the hub's client needs one: repositories with branches and commits.

It stands in for the network alone: the real client talks to it over HTTP.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

TOKEN = "hf_of_the_test"


@dataclass
class Repository:
    """Files of each commit, and the commit of each branch."""

    private: bool = False
    branches: dict[str, str] = field(default_factory=lambda: {"main": "0" * 40})
    commits: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"0" * 40: {}})

    def files(self, revision: str) -> dict[str, bytes] | None:
        return self.commits.get(self.branches.get(revision, revision))

    def commit(self, branch: str, files: dict[str, bytes]) -> str:
        merged = {**(self.files(branch) or {}), **files}
        oid = hashlib.sha1(repr(sorted(merged.items())).encode()).hexdigest()
        self.commits[oid], self.branches[branch] = merged, oid
        return oid


@dataclass
class Hub:
    """What it holds, what it was asked, and how it misbehaves: refuses, keeps silent, sends only so many bytes."""

    address: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refuse: int | None = None
    silent: bool = False
    cut: int | None = None
    over: threading.Event = field(default_factory=threading.Event)


class _Handler(http.server.BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._route()

    def do_HEAD(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def _route(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        if self.hub.silent:
            self.hub.over.wait(30)  # the connection stays open, and nothing comes
            self.close_connection = True
            return None
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.command == "POST":
            if self.hub.refuse is not None:
                return self._json({"error": "refused"}, status=self.hub.refuse)
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self._json({"error": "Invalid username or password."}, status=401)
        parts = path.strip("/").split("/")
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if parts[:2] == ["api", "models"]:
            return self._model("/".join(parts[2:4]), parts[4:], body)
        if len(parts) > 4 and parts[2] == "resolve":
            return self._file("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        return self._json({"error": f"unknown address {path}"}, status=404)

    def _create(self, asked: dict[str, Any]) -> None:
        name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
        url = {"url": f"{self.hub.address}/{name}", "name": name, "id": name}
        if name in self.hub.repositories:
            return self._json({**url, "error": "You already created this model repo"}, status=409)
        private = asked.get("private") or asked.get("visibility") == "private"
        self.hub.repositories[name] = Repository(private=bool(private))
        return self._json(url)

    def _model(self, name: str, rest: list[str], body: bytes) -> None:
        repository = self.hub.repositories.get(name)
        if repository is None:
            return self._missing("RepoNotFound")
        what, revision = (rest[0] if rest else "revision"), "/".join(rest[1:]) or "main"
        if what == "branch":
            if revision in repository.branches:
                return self._json({"error": "exists"}, status=409)
            repository.branches[revision] = repository.branches["main"]
            return self._json({})
        files = repository.files(revision)
        if files is None:
            return self._missing("RevisionNotFound")
        oid = repository.branches.get(revision, revision)
        if what == "preupload":
            paths = [file["path"] for file in json.loads(body)["files"]]
            told = [{"path": path, "uploadMode": "regular", "shouldIgnore": False, "oid": None} for path in paths]
            return self._json({"files": told})
        if what == "commit":
            lines = [json.loads(line) for line in body.splitlines()]
            new = {line["value"]["path"]: line["value"] for line in lines if line["key"] == "file"}
            oid = repository.commit(revision, {path: base64.b64decode(file["content"]) for path, file in new.items()})
            return self._json(
                {"success": True, "commitOid": oid, "commitUrl": f"{self.hub.address}/{name}/commit/{oid}"}
            )
        if what == "tree":
            rows = [
                {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for path, data in files.items()
            ]
            return self._json(rows)
        siblings = [{"rfilename": path} for path in files]
        return self._json({"id": name, "private": repository.private, "sha": oid, "siblings": siblings, "tags": []})

    def _file(self, name: str, revision: str, path: str) -> None:
        repository = self.hub.repositories.get(name)
        if repository is None:
            return self._missing("RepoNotFound")
        files = repository.files(revision)
        if files is None:
            return self._missing("RevisionNotFound")
        if path not in files:
            return self._missing("EntryNotFound")
        oid = repository.branches.get(revision, revision)
        headers = {"ETag": f'"{hashlib.sha1(files[path]).hexdigest()}"', "X-Repo-Commit": oid}
        return self._send(files[path], {**headers, "Content-Type": "application/octet-stream"})

    def _missing(self, code: str) -> None:
        self._json({"error": code}, status=404, headers={"X-Error-Code": code})

    def _json(self, value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})}, status=status)

    def _send(self, content: bytes, headers: dict[str, str], *, status: int = 200) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content if self.hub.cut is None else content[: self.hub.cut])
            self.close_connection = self.hub.cut is not None

    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def open_hub() -> Iterator[Hub]:
    hub = Hub()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        hub.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def connected(monkeypatch: pytest.MonkeyPatch, cache: Path, *, token: str | None = TOKEN) -> Iterator[Hub]:
    """A hub that the client of this process talks to, with a cache of its own, as HF_ENDPOINT and HF_HOME would do.

    The client reads its environment once, when it is imported.
    """
    from huggingface_hub import constants

    for switch in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "INSTRUCTERC_OFFLINE"):
        monkeypatch.delenv(switch, raising=False)
    if token is None:
        monkeypatch.delenv("HF_TOKEN", raising=False)
    else:
        monkeypatch.setenv("HF_TOKEN", token)
    with open_hub() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
        yield hub
