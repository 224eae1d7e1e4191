"""What a schema has beside the tables: functions that statements call, and a count of its changes.

``skyfs_integers``, ``skyfs_floats``, ``skyfs_texts``, ``skyfs_truths``
    The items of a JSON list as rows.
``skyfs_glob``
    Whether a text matches a pattern.
``skyfs_overlaps``, ``skyfs_cells``, ``skyfs_pixels``, ``skyfs_region``
    Functions of the sphere, as `skyfs.registry.functions` has them. The server cannot work them out: it
    looks for an answer among those that the client gave to this session, and notes down what is missing
    (`.sphere`).
"""

from __future__ import annotations

_ITEMS = """
CREATE FUNCTION skyfs_{name}(list text) RETURNS TABLE (value {kind})
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 100 AS
'SELECT item::{kind} FROM jsonb_array_elements_text(list::jsonb) AS items (item)'
"""
_KINDS = {"integers": "bigint", "floats": "double precision", "texts": "text", "truths": "boolean"}

# Only * and ? have a meaning; LIKE's own signs are escaped.
_GLOB = r"""
CREATE FUNCTION skyfs_glob(found text, pattern text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT found COLLATE "C" LIKE translate(
    replace(replace(replace(pattern, '\', '\\'), '%', '\%'), '_', '\_'), '*?', '%_'
) COLLATE "C"
$$
"""
# Their cost makes the planner ask about candidates only.
_ASK = """
CREATE FUNCTION skyfs_ask(what text, a bytea, b bytea) RETURNS bytea
LANGUAGE plpgsql VOLATILE STRICT COST 10000 AS $$
DECLARE
    wanted bytea := sha256(convert_to(what, 'UTF8') || sha256(a) || sha256(b));
    given bytea;
BEGIN
    SELECT known.answer INTO given FROM pg_temp.skyfs_known AS known WHERE known.key = wanted;
    IF NOT FOUND THEN
        INSERT INTO pg_temp.skyfs_asked VALUES (wanted, what, a, b) ON CONFLICT DO NOTHING;
    END IF;
    RETURN given;
END
$$
"""
_SPHERE = """
CREATE FUNCTION skyfs_{head}
LANGUAGE plpgsql VOLATILE STRICT COST 10000 AS 'BEGIN RETURN {body}; END'
"""
_OF_THE_SPHERE = {
    "overlaps(a bytea, b bytea) RETURNS boolean": "skyfs_ask(''overlaps'', a, b) = ''\\x01''::bytea",
    "cells(a bytea) RETURNS text": "convert_from(skyfs_ask(''cells'', a, ''''::bytea), ''UTF8'')",
    "pixels(name text, region bytea) RETURNS text": (
        "convert_from(skyfs_ask(''pixels'', convert_to(name, ''UTF8''), region), ''UTF8'')"
    ),
    "region(name text, pixel bigint) RETURNS bytea": (
        "skyfs_ask(''region'', convert_to(name, ''UTF8''), int8send(pixel))"
    ),
}

_CHANGES = "CREATE TABLE skyfs_changes AS SELECT 0::bigint AS number, 0::bigint AS changed_ns"
# Who reads this row sees what the transaction that wrote it has done, and never a number without it.
CHANGED = """
UPDATE skyfs_changes
SET number = number + 1, changed_ns = 1000 * (1000000 * extract(epoch FROM clock_timestamp()))::bigint
"""

DEFINITIONS = (
    _CHANGES,
    *(_ITEMS.format(name=name, kind=kind) for name, kind in _KINDS.items()),
    _GLOB,
    _ASK,
    *(_SPHERE.format(head=head, body=body) for head, body in _OF_THE_SPHERE.items()),
)
"""Statements that define them."""
