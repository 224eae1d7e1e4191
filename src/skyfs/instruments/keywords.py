"""Values from a header by rules: which keywords, and what to do with what they hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING

from ..errors import BadDataId, BadDefinition
from ..model.section import Section

if TYPE_CHECKING:
    from astropy.time import Time

Header = Mapping[str, object]

_KEYS = (
    *("keyword", "template", "value", "default", "pattern", "replace", "map", "case"),
    *("unit", "factor", "offset", "plus", "scale", "format"),
)
_SOURCES = ("keyword", "template", "value")
_KEYWORD = re.compile(r"[\w -]+", re.ASCII)
_SPEC = re.compile(r"0?\d*[ds]?", re.ASCII)
_SCALES = ("utc", "tai", "tt", "tdb", "ut1")
_FORMATS = ("isot", "mjd", "jd", "unix", "unix_tai")
_CASES: Mapping[str, Callable[[str], str]] = {"as is": str, "lower": str.lower, "upper": str.upper}


@dataclass(frozen=True, slots=True)
class Rule:
    """How one value is made: the first keyword that is there, or a text with keywords in braces.

    Then, in this order: ``pattern`` (its first group), ``replace``, ``map``, ``case``; ``unit``, ``factor``,
    ``offset``, ``plus``.
    """

    keywords: tuple[str, ...] = ()
    template: tuple[tuple[str, str, str], ...] = ()
    value: object = None
    default: object = None
    pattern: re.Pattern[str] | None = None
    replace: tuple[tuple[re.Pattern[str], str], ...] = ()
    map: Mapping[str, object] | None = None
    case: str = "as is"
    unit: str = ""
    factor: float | None = None
    offset: float | None = None
    plus: Rule | None = None
    scale: str = "utc"
    format: str = ""

    @property
    def wanted(self) -> str:
        """What it looks for, in words."""
        return " or ".join(self.keywords) or " and ".join(key for _, key, _ in self.template if key)

    def find(self, header: Header) -> object:
        """Give the value before units and numbers; None when the header has it not."""
        found = self._source(header)
        if isinstance(found, str):
            found = self._reworded(found)
        elif found is not None and self.map:
            found = self.map.get(str(found), found)
        return self.default if found is None else found

    def _source(self, header: Header) -> object:
        if self.template:
            return _filled(self.template, header)
        for keyword in self.keywords:
            value = _stripped(header.get(keyword))
            if value is not None:
                return value
        return self.value

    def _reworded(self, text: str) -> object:
        if self.pattern is not None:
            match = self.pattern.search(text)
            if match is None:
                return None
            text = match[1] if self.pattern.groups else match[0]
        for pattern, other in self.replace:
            text = pattern.sub(other, text)
        if self.map and text in self.map:
            return self.map[text]
        return _CASES[self.case](text)

    # -- by type ---------------------------------------------------------------------------------------

    def text(self, header: Header) -> str | None:
        """Give a text."""
        found = self.find(header)
        return None if found is None else str(found)

    def boolean(self, header: Header) -> bool | None:
        """Give a truth value."""
        found = self.find(header)
        if found is None or isinstance(found, bool):
            return found
        words = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}
        if str(found).lower() not in words:
            raise self._ill_typed(found, "true or false")
        return words[str(found).lower()]

    def integer(self, header: Header) -> int | None:
        """Give a whole number."""
        found = self.find(header)
        if found is None:
            return None
        try:
            number = int(str(found)) if isinstance(found, str) else _whole(found)
        except ValueError:
            raise self._ill_typed(found, "a whole number") from None
        return number + (self.plus.integer(header) or 0 if self.plus is not None else 0)

    def number(self, header: Header, unit: str) -> float | None:
        """Give a number in ``unit`` (``s`` or ``deg``); sexagesimal text is read where a unit is given."""
        found = self.find(header)
        if found is None:
            return None
        try:
            number = self._in_unit(found, unit)
        except (TypeError, ValueError):
            raise self._ill_typed(found, f"a number in {self.unit or unit}") from None
        number = number * self.factor if self.factor is not None else number
        return number + self.offset if self.offset is not None else number

    def time(self, header: Header) -> Time | None:
        """Give a moment."""
        from astropy.time import Time

        found = self.find(header)
        if found is None:
            return None
        text = isinstance(found, str)
        format_ = self.format or ("isot" if text else "mjd")
        value = float(str(found)) if text and format_ != "isot" else found
        try:
            return Time(value, format=format_, scale=self.scale)
        except (TypeError, ValueError):
            raise self._ill_typed(found, f"a time in the format {format_}") from None

    def _in_unit(self, found: object, unit: str) -> float:
        if isinstance(found, bool):
            raise TypeError(found)
        if not self.unit:
            return float(str(found))
        from astropy import units
        from astropy.coordinates import Angle

        if isinstance(found, str) and unit == "deg":
            return float(Angle(found, self.unit).deg)
        return float((float(str(found)) * units.Unit(self.unit)).to_value(unit))

    def _ill_typed(self, found: object, wanted: str) -> BadDataId:
        return BadDataId(f"{self.wanted or 'a value'} is {found!r}", "ill-typed", f"{wanted} is wanted")


def parse_rule(value: object, where: str) -> Rule:
    """Read a rule: a keyword, a list of keywords to try in turn, or a mapping.

    Raises
    ------
    BadDefinition
        When it is not well formed.
    """
    if isinstance(value, str | list):
        value = {"keyword": value}
    section = Section(value, where, _KEYS)
    if sum(key in section for key in _SOURCES) != 1:
        raise BadDefinition(where, "not one source", f"give one of {', '.join(_SOURCES)}")
    return Rule(
        keywords=section.texts("keyword"),
        template=tuple(_template(section)) if "template" in section else (),
        value=_scalar(section, "value"),
        default=_scalar(section, "default"),
        pattern=section.pattern("pattern", section.text("pattern")) if "pattern" in section else None,
        replace=tuple((section.pattern("replace", key), text) for key, text in _replacements(section)),
        map={key: _plain(section, "map", one) for key, one in section.items("map")} or None,
        case=section.choice("case", tuple(_CASES), "as is"),
        unit=_unit(section),
        factor=section.number("factor") if "factor" in section else None,
        offset=section.number("offset") if "offset" in section else None,
        plus=parse_rule(section.raw("plus"), f"{where}: plus") if "plus" in section else None,
        scale=section.choice("scale", _SCALES, "utc"),
        format=section.choice("format", _FORMATS, _FORMATS[0]) if "format" in section else "",
    )


def _replacements(section: Section) -> list[tuple[str, str]]:
    pairs = section.items("replace")
    if not all(isinstance(text, str) for _, text in pairs):
        raise section.error("replace", "its values are to be texts")
    return [(key, str(text)) for key, text in pairs]


def _template(section: Section) -> Iterator[tuple[str, str, str]]:
    """Give literal text, keyword and format of each piece; attributes and indices are no part of it."""
    try:
        pieces = list(Formatter().parse(section.text("template")))
    except ValueError:
        raise section.error("template", "a text with {KEYWORD} or {KEYWORD:05d} is wanted") from None
    for literal, keyword, spec, conversion in pieces:
        bad = keyword is not None and not _KEYWORD.fullmatch(keyword)
        if bad or conversion or not _SPEC.fullmatch(spec or ""):
            raise section.error("template", "a text with {KEYWORD} or {KEYWORD:05d} is wanted")
        yield literal, keyword or "", spec or ""


def _filled(template: tuple[tuple[str, str, str], ...], header: Header) -> str | None:
    text = ""
    for literal, keyword, spec in template:
        text += literal
        if keyword:
            value = _stripped(header.get(keyword))
            if value is None:
                return None
            try:
                text += format(int(str(value)) if spec.endswith("d") else str(value), spec)
            except ValueError:
                raise BadDataId(f"{keyword} is {value!r}", "ill-typed", "a whole number is wanted") from None
    return text


def _unit(section: Section) -> str:
    if "unit" not in section:
        return ""
    from astropy import units

    text = section.text("unit")
    try:
        known = units.Unit(text)
    except (TypeError, ValueError):
        raise section.error("unit", "a unit of astropy: s, min, deg, rad, hourangle...") from None
    if not (known.is_equivalent("s") or known.is_equivalent("deg")):
        raise section.error("unit", "a unit of time or angle")
    return text


def _scalar(section: Section, key: str) -> object:
    return _plain(section, key, section.raw(key))


def _plain(section: Section, key: str, value: object) -> object:
    if value is not None and not isinstance(value, str | int | float | bool):
        raise section.error(key, "a text, number or truth value is wanted")
    return value


def _stripped(value: object) -> object:
    """Give a value without blanks around it; what is blank or undefined is no value."""
    if isinstance(value, str):
        return value.strip() or None
    return value if isinstance(value, int | float | bool) else None


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError(value)
    return int(value)
