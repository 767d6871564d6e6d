"""The operators that a wait compares with."""

from __future__ import annotations

import re
from typing import Any, Mapping, Pattern, Union


def equals(value: Any) -> dict[str, Any]:
    """The same value; of numbers the same number."""
    return {"equals": value}


def contains(part: Any) -> dict[str, Any]:
    """A text with this part, or an array with this item."""
    return {"contains": part}


def matches(pattern: Union[str, Pattern[str]]) -> dict[str, Any]:
    """A regular expression, anywhere in the text, without look-around and back references."""
    if isinstance(pattern, str):
        return {"matches": pattern}
    flags = "".join(letter for letter, flag in (("i", re.I), ("m", re.M), ("s", re.S), ("x", re.X)) if pattern.flags & flag)
    return {"matches": f"(?{flags}){pattern.pattern}" if flags else pattern.pattern}


def absent() -> dict[str, Any]:
    """There is none."""
    return {"absent": True}


def present() -> dict[str, Any]:
    """There is one, whatever it is."""
    return {"absent": False}


def criteria(given: Mapping[str, Any]) -> dict[str, Any]:
    """The criteria of a wait. ``data={"order": {"n": 1}}`` asks for ``data.order.n``."""
    wanted: dict[str, Any] = {}
    for name, value in given.items():
        if name == "data" and isinstance(value, Mapping):
            _flatten("data", value, wanted)
        elif isinstance(value, re.Pattern):
            wanted[name] = matches(value)
        else:
            wanted[name] = value
    return wanted


_OPERATORS = {"equals", "contains", "matches", "absent"}


def _flatten(at: str, value: Any, wanted: dict[str, Any]) -> None:
    if isinstance(value, re.Pattern):
        wanted[at] = matches(value)
    elif isinstance(value, Mapping) and value and not set(value) <= _OPERATORS:
        for name, inner in value.items():
            _flatten(f"{at}.{name}", inner, wanted)
    else:
        wanted[at] = value
