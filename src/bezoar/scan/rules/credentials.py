"""What tokens look like, which names hold them, and what only stands in for one."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

#: Shorter texts are dummies.
MIN_LENGTH: Final = 20
#: Whole identifiers, split at underscores and capitals, that hold the token of some service.
_TOKEN_WORDS = re.compile(
    r"(?:^|_)(?:api_?(?:token|key)s?|apitoken|apikey|tokens?|access_key|auth_?key|secret_?access_?key"
    r"|client_?secret|(?:ibm|ibmq|ionq|qiskit|dwave|braket|azure|quantum|qbraid|xanadu|qci)_?key"
    r"|connection_?string|credentials?|qx_?token|ibmqx_?token|bearer|account_?key)s?(?:_|$)"
)
#: The same for names of providers: these hold a provider's token and nothing else.
_PROVIDER = (
    r"(?:ibm|ibmq|ibmqx|qiskit|ionq|dwave|braket|aws|azure|qbraid|quantum|qpu|xanadu|rigetti)"
)
_PROVIDER_TOKEN = re.compile(
    rf"(?:^|_){_PROVIDER}(?:_\w+?)??_?(?:tokens?|api_?keys?|apikeys?|keys?|secret\w*|credentials?)(?:_|$)"
)
#: Words in a name that make it the name of something else.
_OTHER = re.compile(
    r"(?:^|_)(?:tokenizer|tokenized|tokenize|n_tokens|num_tokens|max_tokens|token_type|token_ids?"
    r"|token_url|token_uri|token_path|token_file|token_name|token_env|token_var|pad|bos|eos|unk|sep|cls"
    r"|mask|csrf|special|path|file|filename|url|uri|endpoint|env|var|name|header|prefix|pattern"
    r"|regex|hash|sha\d*|md5|digest|checksum|fingerprint|public)(?:_|$)"
)
#: Names of what is known of a token: `has_ibm_token`, `ibm_token_configured`.
_STATE = re.compile(
    r"\A(?:has|have|is|use|uses|need|needs|no|missing|check|requires?)_"
    r"|_(?:configured|set|present|available|found|valid|status|count|length|len|exists|missing"
    r"|required|error|expir\w*|ok|ready|enabled|loaded|ttl|lifetime|usage|limit|budget)\Z"
)
#: Texts that say themselves that they are no token.
_PLACEHOLDER = re.compile(
    r"your|my[_ -]?(?:ibm|api|token|key)|here|insert|replace|paste|enter|example|dummy|fake|sample"
    r"|placeholder|changeme|change[_-]me|todo|secret[_-]?key|api[_-]?(?:token|key)|token|x{4,}|\*{3,}"
    r"|\.\.\.|…|<|>|\{|\}|\$|%\(|test|mock|none|null|redacted|hidden|removed|deleted|abcdef|012345"
    r"|password|put_|_put|demo|not[_-]a|put-",
    re.IGNORECASE,
)
_TOKEN_SHAPE = re.compile(r"[A-Za-z0-9_\-+/=.:~]+\Z")
_DIGEST_CONTEXT = re.compile(
    r"\bsha\b|sha[-_]?\d|md5|blake|digest|checksum|hash|commit|revision|integrity|signature|fingerprint|uuid"
    r"|public[_ ]?key|salt|nonce|seed",
    re.IGNORECASE,
)
_IBM_CONTEXT = re.compile(
    r"ibm|qiskit|token|api[_ -]?key|apikey|QConfig|save_account|enable_account", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Format:
    """The form that one provider gives its tokens.

    Attributes:
        name: what it is called in messages.
        pattern: finds it; the group 1 is the token.
        context: a text that must be near, None where the form alone says it.
        digests: text that looks like it may also be a digest.
    """

    name: str
    pattern: re.Pattern[str]
    context: re.Pattern[str] | None = None
    digests: bool = False


FORMATS: Final = (
    Format(
        "a token of IBM Quantum",
        re.compile(r"(?<![0-9A-Za-z])([0-9a-f]{128})(?![0-9A-Za-z])"),
        digests=True,
    ),
    Format(
        "an access key of AWS",
        re.compile(r"(?<![0-9A-Za-z])((?:AKIA|ASIA)[0-9A-Z]{16})(?![0-9A-Za-z])"),
    ),
    Format(
        "a token of D-Wave Leap",
        re.compile(r"(?<![0-9A-Za-z])([A-Z]{2,8}-[0-9a-f]{40})(?![0-9A-Za-z])"),
        re.compile(r"dwave|d-wave|leap|token|sapi|sampler", re.IGNORECASE),
    ),
    Format(
        "an API key of IonQ",
        re.compile(r"(?i:apiKey)\s+([A-Za-z0-9_\-]{20,})(?![0-9A-Za-z])"),
    ),
    Format(
        "a key of Azure Quantum",
        re.compile(r"(?:ApiKey|AccountKey)=([A-Za-z0-9+/=_\-]{20,})"),
    ),
    Format(
        "an API key of IBM Cloud",
        re.compile(r"(?<![0-9A-Za-z_\-])([A-Za-z0-9_\-]{44})(?![0-9A-Za-z_\-=])"),
        _IBM_CONTEXT,
    ),
    Format(
        "a secret access key of AWS",
        re.compile(r"(?<![0-9A-Za-z+/])([A-Za-z0-9+/]{40})(?![0-9A-Za-z+/=])"),
        re.compile(r"aws_?secret|secret_?access_?key|AWS_SECRET", re.IGNORECASE),
    ),
)
#: Marks the block of credentials of a service instance.
CRN: Final = re.compile(
    r"crn:v1:bluemix:public:quantum-computing:[a-z0-9-]+:a/[0-9a-f]{32}:[^\"'\s]+"
)


def snake(name: str) -> str:
    """An identifier in lower case with underscores.

    Example:
        >>> snake("apiToken"), snake("API-KEY")
        ('api_token', 'api_key')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def holds_token(name: str) -> bool:
    """Whether an identifier is the name of a token or an API key.

    Example:
        >>> [holds_token(n) for n in ("API_TOKEN", "ibmq_token", "tokenizer", "token_url")]
        [True, True, False, False]
    """
    plain = snake(name)
    return bool(_TOKEN_WORDS.search(plain)) and not _names_other(plain)


def holds_provider_token(name: str) -> bool:
    """Whether an identifier is the name of a quantum or cloud provider's token.

    Example:
        >>> [holds_provider_token(n) for n in ("ibm_token", "token", "ibm_token_configured")]
        [True, False, False]
    """
    plain = snake(name)
    return bool(_PROVIDER_TOKEN.search(plain)) and not _names_other(plain)


def _names_other(plain: str) -> bool:
    return bool(_OTHER.search(plain) or _STATE.search(plain))


def entropy(text: str) -> float:
    """Shannon's entropy of the characters, in bits for each.

    Example:
        >>> entropy("aaaa"), entropy("abcd")
        (0.0, 2.0)
    """
    if not text:
        return 0.0
    total = len(text)
    # 0.0 - avoids minus zero.
    return 0.0 - sum(n / total * math.log2(n / total) for n in Counter(text).values())


def looks_random(text: str) -> bool:
    """Whether a text may be a token: long, of many characters, neither word nor placeholder.

    Example:
        >>> looks_random("YOUR_API_TOKEN_GOES_HERE"), looks_random("a" * 128)
        (False, False)
    """
    if len(text) < MIN_LENGTH or not _TOKEN_SHAPE.match(text) or _PLACEHOLDER.search(text):
        return False
    if text in (text + text)[1:-1] or len(set(text)) < 8:
        return False
    hexadecimal = re.fullmatch(r"[0-9a-fA-F-]+", text) is not None
    if entropy(text) < (2.9 if hexadecimal else 3.3):
        return False
    # Identifiers of models and files are words with separators; tokens mix letters and digits.
    return bool(re.search(r"\d", text) and re.search(r"[A-Za-z]", text)) and not _is_words(text)


def _is_words(text: str) -> bool:
    """`ibm-quantum-platform-main-2`: words and short numbers between separators."""
    parts = [part for part in re.split(r"[-_./:]+", text) if part]
    plain = [part for part in parts if re.fullmatch(r"[A-Za-z]+\d{0,3}|\d{1,4}", part)]
    return len(plain) == len(parts)


def tokens_in(text: str, context: str) -> Iterator[tuple[str, str, int]]:
    """Tokens of known formats in `text`, by format, token and offset.

    Args:
        text: where to look.
        context: the line or names around, for formats that need one.
    """
    for known in FORMATS:
        for match in known.pattern.finditer(text):
            token = match.group(1)
            if known.context is not None and not known.context.search(
                f"{context} {_line_around(text, match.start(1), match.end(1))}"
            ):
                continue
            if known.digests and _is_digest(context, text, match.start()):
                continue
            if _is_format_token(known, token):
                yield known.name, token, match.start(1)


def _line_around(text: str, start: int, end: int) -> str:
    """The line with ``text[start:end]``, without it."""
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    return text[first:start] + text[end : last if last >= 0 else len(text)]


def _is_format_token(known: Format, token: str) -> bool:
    if len(set(token)) < 8:
        return False
    if "[0-9a-f]{128}" in known.pattern.pattern:
        # Nobody types a stand-in of this length and form, not even a periodic one.
        return entropy(token) > 3
    if token in (token + token)[1:-1]:
        return False
    if known.pattern.pattern.startswith(r"(?<![0-9A-Za-z])((?:AKIA"):
        return "EXAMPLE" not in token
    if known.name.endswith("IBM Cloud"):
        # Random letters of 64 in 44 places have about 5 bits; words have fewer.
        mixed = re.search(r"[a-z]", token) and re.search(r"[A-Z]", token)
        return bool(mixed and entropy(token) > 4.2 and looks_random(token))
    return looks_random(token)


def _is_digest(context: str, text: str, start: int) -> bool:
    near = text[max(0, start - 60) : start]
    return bool(_DIGEST_CONTEXT.search(near) or _DIGEST_CONTEXT.search(context)) and not (
        re.search(r"token|save_account|enable_account|api_?key", f"{context} {near}", re.IGNORECASE)
    )


def described(token: str) -> str:
    """A token as reports show it.

    Example:
        >>> described("abcdefgh" * 4)
        '32 characters, "abcd...", fingerprint 1d6e6c1b'
    """
    digest = hashlib.sha256(token.encode()).hexdigest()[:8]
    return f'{len(token)} characters, "{token[:4]}...", fingerprint {digest}'
