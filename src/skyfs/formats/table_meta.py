"""The metadata of tables as astropy writes it: YAML in a header, in ECSV as in parquet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def meta_of(lines: Iterable[str]) -> Mapping[str, object]:
    """Give a table's own metadata, without what is said of its columns."""
    from astropy.table.meta import get_header_from_yaml

    found = get_header_from_yaml(list(lines)).get("meta")
    return {str(key): value for key, value in found.items()} if isinstance(found, Mapping) else {}
