"""URLs in code: which leave the machine, and which calls fetch or send."""

from __future__ import annotations

import re
from typing import Final

#: Schemes whose content comes from elsewhere.
_REMOTE = re.compile(r"(?:https?|ftps?|s3a?|gs|gcs|abfss?|wasbs?)://", re.IGNORECASE)
_HOST = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/@\s]*@)?(\[[^\]]*\]|[^/:?#\s]*)", re.IGNORECASE)
#: Network shares and mounts that others write to.
_SHARED = re.compile(r"(?:\\\\|//)[\w.-]+[\\/]|/(?:mnt|net|nfs|shared|share|smb)/|smb://|nfs://")
_LOCAL_NAMES = frozenset(
    {"localhost", "0.0.0.0", "::1", "[::1]", "[::]", "host.docker.internal"}  # noqa: S104
)
#: Top-level names that no public name server answers, and those kept for documentation.
_RESERVED = re.compile(
    r"(?:^|\.)(?:test|example|invalid|localhost|local|internal|lan|cluster|svc|home|corp)$"
    r"|(?:^|\.)example\.(?:com|org|net)$|\.svc\.|^testserver$|(?:^|\.)(?:foo|bar)\.com$"
)

#: Calls that fetch or send, by canonical name: the position and the names of the URL.
FETCHERS: Final[dict[str, tuple[int, tuple[str, ...]]]] = {
    "requests.get": (0, ("url",)),
    "requests.post": (0, ("url",)),
    "requests.put": (0, ("url",)),
    "requests.patch": (0, ("url",)),
    "requests.delete": (0, ("url",)),
    "requests.head": (0, ("url",)),
    "requests.options": (0, ("url",)),
    "requests.request": (1, ("url",)),
    "requests.Session.get": (0, ("url",)),
    "requests.Session.post": (0, ("url",)),
    "requests.Session.put": (0, ("url",)),
    "requests.Session.request": (1, ("url",)),
    "requests.Request": (1, ("url",)),
    "httpx.get": (0, ("url",)),
    "httpx.post": (0, ("url",)),
    "httpx.put": (0, ("url",)),
    "httpx.patch": (0, ("url",)),
    "httpx.delete": (0, ("url",)),
    "httpx.request": (1, ("url",)),
    "httpx.stream": (1, ("url",)),
    "urllib.request.urlopen": (0, ("url",)),
    "urllib.request.urlretrieve": (0, ("url",)),
    "urllib.request.Request": (0, ("url",)),
    "urllib.urlopen": (0, ("url",)),
    "urllib.urlretrieve": (0, ("url",)),
    "urllib.request.URLopener.retrieve": (0, ("url",)),
    "urllib3.request": (1, ("url",)),
    "urllib3.PoolManager.request": (1, ("url",)),
    "aiohttp.request": (1, ("url",)),
    "aiohttp.ClientSession.get": (0, ("url",)),
    "aiohttp.ClientSession.post": (0, ("url",)),
    "aiohttp.ClientSession.ws_connect": (0, ("url",)),
    "websocket.create_connection": (0, ("url",)),
    "websocket.WebSocketApp": (0, ("url",)),
    "websockets.connect": (0, ("uri",)),
    "wget.download": (0, ("url",)),
    "pooch.retrieve": (0, ("url",)),
    "gdown.download": (0, ("url",)),
    "tensorflow.keras.utils.get_file": (1, ("origin",)),
    "torch.hub.load_state_dict_from_url": (0, ("url",)),
    "torch.hub.download_url_to_file": (0, ("url",)),
    "torchvision.datasets.utils.download_url": (0, ("url",)),
    "torchvision.datasets.utils.download_and_extract_archive": (0, ("url",)),
    "pandas.read_csv": (0, ("filepath_or_buffer",)),
    "pandas.read_table": (0, ("filepath_or_buffer",)),
    "pandas.read_excel": (0, ("io",)),
    "pandas.read_json": (0, ("path_or_buf",)),
    "pandas.read_parquet": (0, ("path",)),
    "pandas.read_html": (0, ("io",)),
    "pandas.read_pickle": (0, ("filepath_or_buffer",)),
    "pandas.read_feather": (0, ("path",)),
    "pandas.read_hdf": (0, ("path_or_buf",)),
    "pandas.read_fwf": (0, ("filepath_or_buffer",)),
    "numpy.loadtxt": (0, ("fname",)),
    "numpy.genfromtxt": (0, ("fname",)),
    "numpy.lib.npyio.DataSource.open": (0, ("path",)),
}


def host_of(url: str) -> str:
    """The host of a URL in lower case, "" where there is none or it is filled in later.

    Example:
        >>> host_of("http://user@Archive.ics.uci.edu:80/ml"), host_of("http://{host}/run")
        ('archive.ics.uci.edu', '')
    """
    match = _HOST.match(url)
    host = match.group(1).lower() if match else ""
    return "" if any(mark in host for mark in "{%<$*") else host


def is_remote(url: str) -> bool:
    """Whether a text begins like a URL of something outside of this machine.

    Example:
        >>> is_remote("https://a.org/x.csv"), is_remote("s3://b/x"), is_remote("data/x.csv")
        (True, True, False)
    """
    return bool(_REMOTE.match(url)) and not is_local_host(host_of(url))


def is_shared_path(path: str) -> bool:
    r"""Whether a path lies on a share that others write to.

    Example:
        >>> is_shared_path("/mnt/team/x.csv"), is_shared_path("data/x.csv")
        (True, False)
    """
    return bool(_SHARED.match(path))


def is_local_host(host: str) -> bool:
    """Whether a host is this machine.

    Example:
        >>> is_local_host("127.0.0.1"), is_local_host("a.org")
        (True, False)
    """
    return host in _LOCAL_NAMES or host.startswith("127.")


def is_public_host(host: str) -> bool:
    """Whether a host is one that others answer for: no loopback, no name that only a cluster, a
    test or a document uses.

    Example:
        >>> [is_public_host(h) for h in ("yann.lecun.com", "qpu-service", "api.example.com")]
        [True, False, False]
    """
    if not host or is_local_host(host) or _RESERVED.search(host):
        return False
    return "." in host
