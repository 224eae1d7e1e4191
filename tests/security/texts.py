"""Texts that break programs: where a name, a part of a path, a value or a file's key is asked for."""

from __future__ import annotations

import random

# Control characters, what turns or hides text, and what is no character at all.
UNSEEN = [
    "\0",
    "\n",
    "\r\n",
    "\x1b[31m",
    "\x7f",
    "\x85",
    "\u2028",
    "\u202e",
    "\u2066",
    "\u200b",
    "\ufeff",
    "\U000e0041",
]
SURROGATES = ["\ud800", "\udcff", "a\udfffb"]
LONG = ["x" * 256, "é" * 128, "x" * 5000, "%41" * 90]
LEAVING = ["..", ".", "../..", "/etc", "a/../b", "..%2f..", "%2e%2e", "%2E%2E%2Fetc", "....//", "a//b"]
BROKEN = ["%", "%4", "%zz", "%C3", "%ED%A0%80", "%F5%80%80%80", "%C0%AE%C0%AE", "a=b=c", "=", "=b", "a="]
SHELL = [
    "$(id)",
    "`id`",
    ";reboot",
    "| cat",
    "&& id",
    "$HOME",
    "~root",
    "*",
    "?",
    "[",
    "]",
    "**",
    "[!a]",
    "{a,b}",
]
SQL = [
    "'",
    "''",
    "'; DROP TABLE dataset; --",
    '" OR 1=1 --',
    "1 UNION SELECT 1",
    "\\'",
    "%' --",
    "/**/",
    "x'41'",
]
NUMBERS = [
    "NaN",
    "1e999",
    "9" * 30,
    "-1",
    "0x1",
    "1_0",
    "01",
    "+1",
    " 1",
    "1 ",
    "\u0661",
    "\uff11",
    "True",
    "1.0",
]

NAMES = [*UNSEEN, *SURROGATES, *LONG, *LEAVING, *BROKEN, *SHELL, *SQL]


def mangled(text: str, count: int, seed: int) -> list[str]:
    """Give texts with pieces of hostile ones put in at random places; all different, the same every time."""
    generator = random.Random(seed)  # noqa: S311 - reproducible, and no secret
    found: dict[str, None] = {}
    while len(found) < count:
        at = generator.randrange(len(text) + 1)
        cut = at + generator.choice((0, 0, 1, 3))
        found[text[:at] + generator.choice(NAMES) + text[cut:]] = None
    return list(found)


def damaged(data: bytes, count: int, seed: int) -> list[bytes]:
    """Give files with some bytes changed, mostly near their beginning; all different, the same every time."""
    generator = random.Random(seed)  # noqa: S311 - the same
    found: dict[bytes, None] = {}
    while len(found) < count:
        changed = bytearray(data)
        reach = min(len(data), generator.choice((64, 600, len(data))))
        for _ in range(generator.choice((1, 2, 8, 32))):
            changed[generator.randrange(reach)] = generator.randrange(256)
        found[bytes(changed)] = None
    return list(found)
