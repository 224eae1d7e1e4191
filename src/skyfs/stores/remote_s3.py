"""The requests of a store on S3: through the client that s3fs makes of its options, one request at a time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache
from typing import Any

from skyfs.abc.store import Stat

from .remote_loop import AT_ONCE
from .remote_requests import CHUNK_BYTES, Take, Upload, Uploads

_TOKEN, _MTIME = "skyfs-token", "skyfs-mtime-ns"
SINGLE_BYTES = 8 << 20
"""Above this, an object is put in parts."""
_PART_BYTES, _PARTS_MAX = 8 << 20, 9_000  # S3 takes 10 000 parts
_SMALL_BYTES = 1 << 20  # up to this, AT_ONCE buffers in memory do not matter
_COPIED_BYTES_MAX = 5 << 30  # by one request
_GONE = (404, 412)


class S3Requests(Uploads):
    """Objects of one bucket, below one prefix."""

    def __init__(self, place: str, options: Mapping[str, Any]) -> None:
        import s3fs

        # We try again ourselves, or not at all: attempts at three levels would multiply.
        config = {
            "max_pool_connections": AT_ONCE,
            "retries": {"total_max_attempts": 1},
            **options.get("config_kwargs", {}),
        }
        chosen = {**options, "config_kwargs": config}
        if "session" not in options and "profile" not in options:
            chosen["session"] = _session(os.getpid())
        self._fs = s3fs.S3FileSystem(**chosen, asynchronous=True, skip_instance_cache=True)
        self._bucket, _, prefix = place.strip("/").partition("/")
        self._root = f"{prefix}/" if prefix else ""

    async def stat(self, key: str) -> Stat:
        head = await self._call("head_object", Key=self._root + key)
        return Stat(head["ContentLength"], _mtime_ns(head))

    async def fetch(self, key: str, ends: tuple[int, int] | None, take: Take) -> int | None:
        asked = {"Range": f"bytes={ends[0]}-{ends[1] - 1}"} if ends is not None else {}
        answer = await self._call("get_object", Key=self._root + key, **asked)
        body = answer["Body"]
        try:
            while chunk := await body.read(CHUNK_BYTES):
                take(chunk)
        finally:
            body.close()
        total = answer.get("ContentRange", "").rpartition("/")[2]
        return int(total) if total.isdigit() else answer.get("ContentLength") if ends is None else None

    async def pages(self, prefix: str) -> AsyncIterator[list[tuple[str, Stat]]]:
        more: dict[str, str] = {}
        while True:
            page = await self._call("list_objects_v2", Prefix=self._root + prefix, **more)
            yield [
                (item["Key"][len(self._root) :], Stat(item["Size"], _ns(item["LastModified"])))
                for item in page.get("Contents", [])
            ]
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    async def upload(self, key: str, upload: Upload, gate: asyncio.Semaphore) -> None:
        about = {"Key": self._root + key, "Metadata": {_TOKEN: upload.token, _MTIME: str(upload.mtime_ns)}}
        if upload.size > SINGLE_BYTES:
            await self._upload_parts(about, upload, gate)
        elif upload.size > _SMALL_BYTES:
            async with gate:
                await self._put(about, upload)
        else:
            await self._put(about, upload)

    async def identify(self, key: str) -> str:
        try:
            head = await self._call("head_object", Key=self._root + key)
        except Exception as error:
            if _status(error) not in _GONE:
                raise
            return ""
        token = head.get("Metadata", {}).get(_TOKEN) or str(_ns(head["LastModified"]))
        return f"{token} {head['ETag']}"

    async def remove(self, key: str, identity: str) -> None:
        if await self.identify(key) != identity:
            return
        try:
            etag = identity.rpartition(" ")[2]
            await self._call("delete_object", Key=self._root + key, IfMatch=etag)
        except Exception as error:
            if _status(error) not in _GONE:
                raise

    async def set_aside(self, key: str, identity: str, target: str) -> str:
        if await self.identify(key) != identity:
            return ""
        source = {"Bucket": self._bucket, "Key": self._root + key}
        etag = identity.rpartition(" ")[2]
        try:
            await self._copy(source, etag, self._root + target)
        except Exception as error:
            if _status(error) not in _GONE:
                raise
            return ""
        await self.remove(key, identity)
        return f"s3://{self._bucket}/{self._root}{target}"

    async def _copy(self, source: Mapping[str, str], etag: str, target: str) -> None:
        """Copy an object within the server; above 5 GiB S3 does it in parts only."""
        size = (await self._call("head_object", Key=source["Key"]))["ContentLength"]
        what = {"CopySource": dict(source), "CopySourceIfMatch": etag}
        if size <= _COPIED_BYTES_MAX:
            await self._call("copy_object", Key=target, **what)
            return
        begun = await self._call("create_multipart_upload", Key=target)
        place = {"Key": target, "UploadId": begun["UploadId"]}
        parts: list[dict[str, Any]] = []
        try:
            for start in range(0, size, _COPIED_BYTES_MAX):
                ends = f"bytes={start}-{min(start + _COPIED_BYTES_MAX, size) - 1}"
                number = len(parts) + 1
                part = await self._call(
                    "upload_part_copy", **place, **what, CopySourceRange=ends, PartNumber=number
                )
                parts.append({"PartNumber": number, "ETag": part["CopyPartResult"]["ETag"]})
            await self._call("complete_multipart_upload", **place, MultipartUpload={"Parts": parts})
        except BaseException:
            await asyncio.shield(self._abort(place))
            raise

    async def abort(self, key: str) -> None:
        found = await self._call("list_multipart_uploads", Prefix=self._root + key)
        for one in found.get("Uploads", []):
            if one["Key"] == self._root + key:
                await self._call("abort_multipart_upload", Key=one["Key"], UploadId=one["UploadId"])

    async def close(self) -> None:
        client = getattr(self._fs, "_s3creator", None)
        if client is not None:
            self._fs._s3creator = None  # noqa: SLF001 - s3fs closes it only in a loop of its own
            await client.__aexit__(None, None, None)

    async def _put(self, about: Mapping[str, Any], upload: Upload) -> None:
        data = _read(upload, 0, upload.size)
        await self._call("put_object", **about, Body=data, IfNoneMatch="*")

    async def _upload_parts(self, about: Mapping[str, Any], upload: Upload, gate: asyncio.Semaphore) -> None:
        begun = await self._call("create_multipart_upload", **about)
        place = {"Key": about["Key"], "UploadId": begun["UploadId"]}
        size = part_size(upload.size)

        async def send(start: int) -> dict[str, Any]:
            number = start // size + 1
            async with gate:
                data = _read(upload, start, min(size, upload.size - start))
                part = await self._call("upload_part", **place, PartNumber=number, Body=data)
            sums = {name: value for name, value in part.items() if name.startswith("Checksum")}
            return {"PartNumber": number, "ETag": part["ETag"], **sums}

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(send(start)) for start in range(0, upload.size, size)]
            parts = {"Parts": [task.result() for task in tasks]}
            await self._call("complete_multipart_upload", **place, MultipartUpload=parts, IfNoneMatch="*")
        except BaseException as error:  # noqa: BLE001 - raised again
            await asyncio.shield(self._abort(place))
            raise _first(error) from None

    async def _abort(self, place: Mapping[str, str]) -> None:
        try:
            await self._call("abort_multipart_upload", **place)
        except Exception as error:  # noqa: BLE001 - the first error tells more; recovery aborts it again
            _ = error

    async def _call(self, name: str, **parameters: object) -> dict[str, Any]:
        await self._fs.set_session()
        method = getattr(await self._fs.get_s3(self._bucket), name)
        # Of s3fs: request payer and the user's own s3_additional_kwargs, as far as the method takes them.
        arguments = self._fs._get_s3_method_kwargs(method, Bucket=self._bucket, **parameters)  # noqa: SLF001
        answer: dict[str, Any] = await method(**arguments)
        return answer


def part_size(size: int) -> int:
    """Give the size of the parts in which so many bytes are put."""
    return max(_PART_BYTES, -(-size // _PARTS_MAX))


@lru_cache(maxsize=1)
def _session(_pid: int) -> Any:  # noqa: ANN401 - of aiobotocore
    """Give one session for all stores of a process: it reads botocore's service descriptions, 0.2 s, once."""
    from aiobotocore.session import AioSession

    return AioSession()


def _first(error: BaseException) -> BaseException:
    """Give the first error of a group of tasks."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _read(upload: Upload, start: int, size: int) -> bytes:
    data = os.pread(upload.descriptor, size, start)
    if len(data) < size:
        raise OSError(f"the file ends {size - len(data)} bytes early: was it truncated meanwhile?")
    return data


def _status(error: Exception) -> int:
    response: dict[str, Any] = getattr(error, "response", {})
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _mtime_ns(head: Mapping[str, Any]) -> int:
    kept = head.get("Metadata", {}).get(_MTIME, "")
    return int(kept) if kept.isdigit() else _ns(head["LastModified"])


def _ns(time: Any) -> int:  # noqa: ANN401 - a datetime of botocore
    return int(time.timestamp() * 1e9)
