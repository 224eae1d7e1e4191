"""The instance: made from options or a URL, kept by fsspec, the same again after pickling."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Any

from fsspec.spec import AbstractFileSystem, _Cached, make_instance
from fsspec.utils import stringify_path, tokenize

from ..errors import BadArgument
from ..repository import Repository
from .home import Home, chained

# fsspec hands these to every filesystem.
_COMMON_OPTIONS = {"use_listings_cache", "listings_expiry_time", "max_paths", "asynchronous", "loop"}
# And these to one that a chained URL begins with.
_CHAIN_OPTIONS = {"fo", "target_protocol", "target_options"}


class _ByRepository(_Cached):
    """Keeps instances as fsspec does, by the text of their options; but open repositories may look alike."""

    def __call__(cls, *args: object, **options: object) -> Any:  # noqa: ANN401, N805 - a metaclass
        found = super().__call__(*args, **options)
        repo = args[0] if args else options.get("repo")
        if isinstance(repo, Repository):
            if found.repository is not repo:
                found = super().__call__(*args, **{**options, "skip_instance_cache": True})
            # What is kept to make the instance again, elsewhere and later, must be plain.
            kept = {key: value for key, value in options.items() if key != "skip_instance_cache"}
            found.storage_args = ()
            found.storage_options = {**kept, "repo": str(repo.root), "writable": repo.writable}
        return found


class NamedFileSystem(AbstractFileSystem, metaclass=_ByRepository):
    """What `SkyFileSystem` is before it can look at anything: a repository, and names in it."""

    protocol = "skyfs"
    root_marker = ""

    def __init__(
        self,
        repo: Repository | str | os.PathLike[str] | None = None,
        *,
        name: str | None = None,
        writable: bool | None = None,
        replace: bool = False,
        **options: object,
    ) -> None:
        below = {option: options.pop(option) for option in _CHAIN_OPTIONS & set(options)}
        unknown = sorted(set(options) - _COMMON_OPTIONS)
        if unknown:
            todo = "there are repo, name, writable and replace"
            raise BadArgument(f"filesystem option {unknown[0]!r}", "unknown", todo)
        super().__init__(**options)
        location = chained(below) if repo is None else repo
        self._home = Home(location, name, writable=writable)
        self._replace = replace
        writable = repo.writable if isinstance(repo, Repository) else writable
        self._identity: str = tokenize("skyfs", str(self._home.root), writable, replace)

    @property
    def repository(self) -> Repository:
        """The repository that is shown."""
        return self._home.reading().repository

    @property
    def fsid(self) -> str:
        """The same for the same repository on this machine."""
        return f"skyfs-{sha256(str(self._home.root).encode()).hexdigest()[:32]}"

    @property
    def _fs_token(self) -> str:
        return self._identity

    def __reduce__(self) -> tuple[object, ...]:
        return make_instance, (type(self), self.storage_args, self.storage_options)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:  # noqa: ANN401 - a path, or a list of paths
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        text = str(stringify_path(path)).removeprefix("skyfs://")
        return text.rstrip("/") or text[:1]

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, str]:
        text = str(stringify_path(path))
        name = text.removeprefix("skyfs://").partition("/")[0]
        return {"name": name} if name and text.startswith("skyfs://") else {}

    @classmethod
    def _parent(cls, path: Any) -> str:  # noqa: ANN401 - text, or a path object
        head, sep, _ = str(cls._strip_protocol(path)).rpartition("/")
        return head or sep

    def _split(self, path: Any) -> tuple[str, str]:  # noqa: ANN401 - text, or a path object
        """Split a name into what stands before the path (the repository's name, or nothing) and the path."""
        text = self._strip_protocol(path)
        if not text or text.startswith("/"):
            return "", text or "/"
        name, _, rest = text.partition("/")
        self._home.check_name(name, text)
        return name, f"/{rest}"


def joined(prefix: str, path: str) -> str:
    """Give the name of a path: the other way of splitting one."""
    return prefix + path if path != "/" or not prefix else prefix
