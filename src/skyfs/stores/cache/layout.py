"""Where things lie in the cache's folder, and with which modes.

::

    content/ab/c<sha256>   whole files
    links/ab/k<hash>       symbolic link from a key without a digest to its content
    links/ab/d<hash>       the same from the name of derived bytes
    parts/ab/pc<sha256>    ranges of files that are not whole here (pk<hash>: of keys without a digest)
    pins/ab/c<sha256>      empty: the content is never evicted
    locks/ab/<name>        exists while somebody brings <name>
    incoming/              files on their way
    index/                 sizes and order of use, made again from the files when it is lost
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress

_NAME = re.compile(r"c[0-9a-f]{64}|[kd][0-9a-f]{64}|p[ck][0-9a-f]{64}")
_FOLDERS = {"c": "content", "k": "links", "d": "links", "p": "parts"}
_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# Backup programs leave this folder out: https://bford.info/cachedir/\n"
)


def content_name(sha256: bytes) -> str:
    """Give the name of content with a digest."""
    return f"c{sha256.hex()}"


def keyed_name(identity: str, key: str, size: int, mtime_ns: int) -> str:
    """Give the name of what lies under a key of a store, when its digest is not known."""
    state = hashlib.sha256(f"{size} {mtime_ns}".encode()).hexdigest()
    return f"k{_owner(identity, key)}{state[:32]}"


def keyed_prefix(identity: str, key: str) -> str:
    """Give what the names of all that ever lay under a key begin with."""
    return f"k{_owner(identity, key)}"


def derived_name(name: str) -> str:
    """Give the name of derived bytes."""
    return f"d{hashlib.sha256(name.encode()).hexdigest()}"


def parts_name(name: str) -> str:
    """Give the name of the parts of content."""
    return f"p{name}"


def is_name(text: object) -> bool:
    """Tell whether a text is a name; what is not never becomes a path."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def _owner(identity: str, key: str) -> str:
    return hashlib.sha256(os.fsencode(f"{identity}\0{key}")).hexdigest()[:32]


class Layout:
    """Paths below the cache's folder. Nothing is made before something is written.

    Parameters
    ----------
    root
        The folder.
    group
        Whether others of the folder's group share it: files are 0660 and folders 2770, else 0600 and 0700.
    """

    def __init__(self, root: str, *, group: bool) -> None:
        self.root, self.group = root, group
        self.mode = 0o660 if group else 0o600
        self._folder_mode = 0o2770 if group else 0o700
        self._prefixes = {kind: f"{root}/{folder}/" for kind, folder in _FOLDERS.items()}

    def path(self, name: str) -> str:
        """Give the path of content, parts or a link."""
        return f"{self._prefixes[name[0]]}{_shard(name)}/{name}"

    def pin_path(self, name: str) -> str:
        """Give the path of the pin of content."""
        return f"{self.root}/pins/{_shard(name)}/{name}"

    def lock_path(self, name: str) -> str:
        """Give the path of the lock of a name."""
        return f"{self.root}/locks/{_shard(name)}/{name}"

    @property
    def incoming(self) -> str:
        """The folder of files on their way."""
        return f"{self.root}/incoming"

    @property
    def index(self) -> str:
        """The folder of the index."""
        return f"{self.root}/index"

    def new_incoming(self, name: str) -> str:
        """Give a path that nobody else uses, in an existing folder, for ``name`` on its way."""
        self.make_folder(self.incoming)
        return f"{self.incoming}/{name}.{secrets.token_hex(8)}"

    def incoming_of(self, name: str) -> list[str]:
        """Give the temporary files of a name."""
        try:
            return [f"{self.incoming}/{file}" for file in os.listdir(self.incoming) if file.startswith(name)]
        except OSError:
            return []

    def open_shared(self, path: str) -> int:
        """Open a file for reading and writing, made when it is not there, for all who share the cache."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(path, flags, self.mode)
        except FileNotFoundError:
            self.make_folder(os.path.dirname(path))
            descriptor = os.open(path, flags, self.mode)
        self.give_mode(descriptor)
        return descriptor

    def give_mode(self, file: int | str) -> None:
        """Undo what the umask took from the mode of a new file; of another user's file nothing is changed."""
        if not self.group:
            return  # umasks take from others, not from the owner
        with suppress(PermissionError):
            if os.stat(file).st_mode & 0o777 != self.mode:
                os.chmod(file, self.mode)

    def make_folder(self, path: str) -> None:
        """Make a folder with those above it, up to the cache's own."""
        if os.path.isdir(path):
            return
        if path != self.root:
            self.make_folder(os.path.dirname(path) if path.startswith(self.root) else self.root)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            return
        os.chmod(path, self._folder_mode)
        if path == self.root:
            self._tag()

    def exists(self) -> bool:
        """Tell whether the cache's folder is there."""
        return os.path.isdir(self.root)

    def is_pinned(self, name: str) -> bool:
        """Tell whether content is pinned."""
        return os.path.lexists(self.pin_path(name))

    def names(self, folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Give what lies in ``content``, ``parts``, ``links``, ``pins`` or ``locks``; no strangers."""
        with suppress(OSError), os.scandir(f"{self.root}/{folder}") as shards:
            for shard in shards:
                if shard.is_dir(follow_symlinks=False):
                    yield from self._names_of(shard.path)

    def links_of(self, prefix: str) -> list[str]:
        """Give the links whose names begin so."""
        shard = f"{self._prefixes['k']}{_shard(prefix)}"
        try:
            return [name for name in os.listdir(shard) if name.startswith(prefix) and is_name(name)]
        except OSError:
            return []

    @staticmethod
    def _names_of(shard: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        with suppress(OSError), os.scandir(shard) as entries:
            for entry in entries:
                if is_name(entry.name):
                    yield entry.name, entry

    def _tag(self) -> None:
        with suppress(OSError):
            descriptor = self.open_shared(f"{self.root}/CACHEDIR.TAG")
            with open(descriptor, "wb") as file:
                file.write(_TAG.encode())


def _shard(name: str) -> str:
    return name[2:4] if name[0] == "p" else name[1:3]
