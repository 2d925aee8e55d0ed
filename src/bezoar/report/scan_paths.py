"""Paths of a scan as URIs."""

from __future__ import annotations

import re
from urllib.parse import quote

_DRIVE = re.compile(r"[A-Za-z]:[/\\]")


def is_absolute(path: str) -> bool:
    """Whether a path says where it is on a machine, of whatever system."""
    return path.startswith(("/", "\\\\")) or _DRIVE.match(path) is not None


def file_uri(path: str) -> str:
    """A path as a percent-encoded URI: relative for a relative path, else with ``file:``.

    Bytes of a name that are not UTF-8 are kept; what no file name can hold becomes ``?``.

    Example:
        >>> file_uri("a b/ü:1.py"), file_uri("/srv/x.py"), file_uri("C:\\\\x.py")
        ('a%20b/%C3%BC%3A1.py', 'file:///srv/x.py', 'file:///C:/x.py')
    """
    if not is_absolute(path):
        # In a relative path a backslash is part of a name.
        return _quoted(path)
    path = path.replace("\\", "/")
    if _DRIVE.match(path):
        return f"file:///{path[:2]}{_quoted(path[2:])}"
    if path.startswith("//"):
        host, _, rest = path[2:].partition("/")
        return f"file://{_quoted(host)}/{_quoted(rest)}"
    return f"file://{_quoted(path)}"


def folder_uri(path: str) -> str:
    """`file_uri` of a folder, which ends with a slash."""
    uri = file_uri(path)
    return uri if uri.endswith("/") else f"{uri}/"


def _quoted(path: str) -> str:
    try:
        raw = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = path.encode("utf-8", "replace")
    return quote(raw, safe="/")
