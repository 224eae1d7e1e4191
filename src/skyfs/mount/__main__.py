"""The process of a mount's daemon; started by `skyfs.mount.session.start`."""

import sys

from .session import run_daemon

if __name__ == "__main__":
    run_daemon(sys.argv[1:])
