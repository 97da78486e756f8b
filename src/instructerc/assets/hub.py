"""A model hub: some files of a folder up, a model's files down. The hub client's own settings hold (`HF_TOKEN`, …)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from instructerc.assets.cache import offline, offline_switch
from instructerc.errors import AssetError, OfflineError, UsageError

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


SILENCE = 10.0
"""Seconds that a hub may say nothing when it is asked what it has; its client then asks again, more patiently."""


def is_repository(name: str) -> bool:
    """Whether a name could be one on a hub: an owner and a title, with a slash between.

    Example:
        >>> is_repository("Qwen/Qwen3-0.6B-Base"), is_repository("/models/mine"), is_repository("mine")
        (True, False, False)
    """
    return _REPOSITORY.fullmatch(name) is not None


def upload_files(
    folder: Path,
    names: Sequence[str],
    repository: str,
    *,
    message: str,
    private: bool = False,
    revision: str | None = None,
) -> str:
    """Uploads files as one commit: whoever downloads gets all of them, or what was there before.

    Args:
        folder: Where they lie.
        names: Their paths in the folder, and in the repository.
        repository: `owner/title`; made where it is missing.
        message: What the commit says.
        private: Whether nobody else may see it; an existing public repository is refused then.
        revision: Branch; made where it is missing. None is the main one.

    Returns:
        The address of the commit.

    Raises:
        OfflineError: An environment variable forbids it.
        UsageError: It is no repository's name, or `private` meets a public one.
        AssetError: There is no token, it may not write there, or the hub did not take the files.
    """
    if not is_repository(repository):
        raise UsageError(f"{repository!r} is no repository of a hub: write OWNER/TITLE")
    switch = offline_switch()
    if switch is not None:
        raise OfflineError(f"{repository}: {switch} forbids the network: unset it to upload")
    from huggingface_hub import CommitOperationAdd, HfApi, get_token

    if get_token() is None:
        raise AssetError(f"{repository}: no access token: log in with `hf auth login`, or set HF_TOKEN")
    api = HfApi(library_name="instructerc")
    files = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(folder / name)) for name in names]
    try:
        api.create_repo(repository, private=private or None, exist_ok=True)
        if private and not api.repo_info(repository).private:
            raise UsageError(f"{repository}: is public already: make it private there, or leave out --private")
        if revision is not None:
            api.create_branch(repository, branch=revision, exist_ok=True)
        done = api.create_commit(repository, operations=files, commit_message=message, revision=revision)
    except UsageError:
        raise
    except Exception as error:  # the hub client raises a wide, version-dependent family
        raise AssetError(f"{repository}: {_refusal(error, 'did not take the files')}") from error
    return str(done.commit_url)


def download_files(repository: str, *, first: str, patterns: Sequence[str], revision: str | None = None) -> Path:
    """Downloads the files of a repository into the hub client's cache, all of one commit.

    Args:
        repository: `owner/title`.
        first: The file that has to be there; nothing else is downloaded where it is not.
        patterns: The files that are wanted, as shell patterns.
        revision: Commit, tag or branch.

    Returns:
        The folder that holds them.

    Raises:
        OfflineError: They are not in the cache, and an environment variable forbids downloads.
        AssetError: The hub has no such repository or file, or did not deliver.
    """
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    switch = offline_switch()
    settings: dict[str, Any] = {"library_name": "instructerc", "local_files_only": offline(), "etag_timeout": SILENCE}
    try:
        found = Path(hf_hub_download(repository, first, revision=revision, **settings))
        # Its folder is named after the commit: a branch may move on between two requests.
        return Path(
            snapshot_download(repository, revision=found.parent.name, allow_patterns=list(patterns), **settings)
        )
    except Exception as error:  # the hub client raises a wide, version-dependent family
        if switch is not None:
            raise OfflineError(
                f"{repository}: is no folder here, not in the hub's cache, and {switch} forbids downloads: unset it, "
                "or give a folder"
            ) from error
        if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
            raise AssetError(f"{repository}: the hub's repository of that name holds no {first}") from error
        raise AssetError(f"{repository}: is no folder here, and {_refusal(error, 'did not deliver it')}") from error


def _refusal(error: Exception, fault: str) -> str:
    """What a hub's refusal means, and what to do; on one line."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 401:
        return (
            "the hub does not accept the access token, or has no such repository: check the name and `hf auth whoami`"
        )
    if status == 403:
        return "the access token may not do that there: take one with write access, from the owner"
    if status == 404:
        return "the hub has no such repository or revision that you may see: check the name"
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return f"the hub {fault} ({reason}): check the network, and try again"
