"""Copies one huge file from a far store: ``python stores_copy.py JSON`` prints what it took."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from skyfs.abc.store import Expected
from skyfs.stores.remote import RemoteStore

# s3fs with as many connections as ours, which is its best.
CONFIG = {"config_kwargs": {"max_pool_connections": 64}}


def copy_huge(
    side: str, bucket: str, given: dict[str, Any], target: str, size: int, sha256: str
) -> dict[str, float]:
    """Copy once, with what is loaded and connected before; give seconds and the peak of memory."""
    if side == "skyfs":
        store = RemoteStore(f"s3://{bucket}", name="far", options=given)
        store.stat("huge.fits")
        begun = time.perf_counter()
        failed = store.copy_many(
            [("huge.fits", Expected(size, bytes.fromhex(sha256)), target)], lambda _: None
        )
        taken = time.perf_counter() - begun
        assert failed == [None]
    else:
        import s3fs

        fs = s3fs.S3FileSystem(**given, **CONFIG)
        fs.info(f"{bucket}/huge.fits")
        begun = time.perf_counter()
        fs.get_file(f"{bucket}/huge.fits", target)
        taken = time.perf_counter() - begun
    assert Path(target).stat().st_size == size
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return {"seconds": taken, "mib": int(peak.split()[1]) / 1024}


if __name__ == "__main__":
    print(json.dumps(copy_huge(**json.loads(sys.argv[1]))))
