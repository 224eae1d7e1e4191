"""The engine that speaks the protocol of ``/dev/fuse`` itself."""

from .session import mount, serve

__all__ = ["mount", "serve"]
