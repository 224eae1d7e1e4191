"""Errors of servers, clients and networks, said in the words of the error tree, without credentials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType

from skyfs.errors import Exists, NotFound, SkyfsError, StoreError, Transient

from .failure import translate

_AGAIN = (Transient, "try again later")
_CREDENTIALS = (StoreError, "check the credentials in the store's options or in the environment")
_TAKEN = (Exists, "bytes under a key never change: delete it first, or use another key")

STATUS: Mapping[int, tuple[type[SkyfsError], str]] = {
    401: _CREDENTIALS,
    403: _CREDENTIALS,
    404: (NotFound, ""),
    408: _AGAIN,
    409: _AGAIN,
    410: (NotFound, ""),
    412: _TAKEN,
    416: (StoreError, "the file is shorter than its entry in the registry: is it damaged?"),
    425: _AGAIN,
    429: _AGAIN,
    500: _AGAIN,
    501: (StoreError, "the server must know conditional writes (If-None-Match)"),
    502: _AGAIN,
    503: _AGAIN,
    504: _AGAIN,
}
"""HTTP status → error and advice; what is not here becomes StoreError."""

CODES: Mapping[str, tuple[type[SkyfsError], str]] = {
    "NoSuchBucket": (StoreError, "make the bucket, or correct the store's url"),
    "RequestTimeout": _AGAIN,
    "SlowDown": _AGAIN,
    "ThrottlingException": _AGAIN,
    "BadDigest": _AGAIN,
    "XAmzContentSHA256Mismatch": _AGAIN,
    "NoSuchUpload": _AGAIN,
}
"""Codes of S3 that say more than their status."""

PASSING = frozenset(
    {
        *("TimeoutError", "FSTimeoutError", "ConnectionError", "ClientConnectionError", "ClientPayloadError"),
        *(
            "HTTPClientError",
            "IncompleteRead",
            "IncompleteReadError",
            "ResponseParserError",
            "ServerTimeoutError",
        ),
    }
)
"""Names of foreign exceptions, or of their bases, that may pass. Names: their packages load when needed."""

LASTING = frozenset(
    {"ClientSSLError", "ClientConnectorCertificateError", "SSLError", "InvalidURL", "InvalidUrlClientError"}
)
"""Names of those among them that will not."""

_UNKNOWN_CREDENTIALS = frozenset({"NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError"})


class asking:  # noqa: N801 - reads as a statement: with asking("read 'k' in store 's'", secrets)
    """Context in which a foreign error leaves as one of the tree, without any of the secrets."""

    __slots__ = ("_asked", "_missing", "_secrets")

    def __init__(self, asked: str, secrets: Iterable[str] = (), missing: type[SkyfsError] = NotFound) -> None:
        self._asked, self._secrets, self._missing = asked, secrets, missing

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, SkyfsError):
            # Not "from error": a foreign message may hold what must not be shown.
            found = explain(error, self._asked, self._secrets)
            if isinstance(found, NotFound) and self._missing is not NotFound:
                found = self._missing(found.asked, f"the server says {found.found}")
            raise found from None


def explain(error: Exception, asked: str, secrets: Iterable[str] = ()) -> SkyfsError:
    """Give the error of the tree for a foreign one."""
    names = {kind.__name__ for kind in type(error).__mro__}
    found = _without(f"{error}" or type(error).__name__, secrets)
    status, code = _status(error)
    if status:
        kind, todo = CODES.get(code) or STATUS.get(status, (StoreError, ""))
        text = (
            "no bytes lie under that key" if kind is NotFound else f"the server says {status} {code}".rstrip()
        )
        return kind(asked, text, todo)
    if names & _UNKNOWN_CREDENTIALS:
        return StoreError(asked, found, _CREDENTIALS[1])
    if names & LASTING:
        return StoreError(asked, f"{type(error).__name__}: {found}", "check the store's url and certificates")
    if names & PASSING:
        return Transient(asked, f"{type(error).__name__}: {found}", "is the server reachable? try again")
    if isinstance(error, FileNotFoundError):
        return NotFound(asked, "no bytes lie under that key")
    if isinstance(error, FileExistsError):
        return Exists(asked, "bytes lie under that key", _TAKEN[1])
    if isinstance(error, OSError) and error.errno:
        return translate(OSError(error.errno, _without(error.strerror or "", secrets)), asked)
    return StoreError(asked, f"{type(error).__name__}: {found}")


def _status(error: Exception) -> tuple[int, str]:
    """Give HTTP status and S3 code of an answer that says no; 0 when there was no answer."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        code = str(response.get("Error", {}).get("Code", ""))
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return int(status or 0), "" if code.isdigit() else code
    status = getattr(error, "status", 0)
    return (status, "") if isinstance(status, int) else (0, "")


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
