"""What stands where a secret could and is none: it says where the secret is to be had, or that there is none."""

from __future__ import annotations

import re
from collections.abc import Callable

_PARTS = (
    r"\$\{[^{}]*\}",  # ${VAR}, ${a.b}
    r"\$\([^()]*\)",  # $(VAR)
    r"\$__(?:env|file|vault)\{[^{}]*\}",  # Grafana's
    r"\$[A-Z_][A-Z0-9_]*(?=[\s:/@.,;\"')-]|$)",  # $VAR
    r"\{\{(?:(?!\}\}).)*\}\}",  # a template's
    r"%\([\w.]+\)s",  # an ini file's
    r"%[A-Z_][A-Z0-9_]*%",  # %VAR%
    r"@@[A-Z_][A-Z0-9_]*@@",  # which a build fills in
    r"<[^<>]*>",  # <placeholder>
    r"/(?:etc|home|mnt|opt|run|secrets|tmp|usr|var|vault)/[\w./-]+",  # a file's path
    r"\*+",
)
_ELSEWHERE = re.compile("|".join(_PARTS))
_LOWER_VARIABLE = re.compile(r"\$([a-z][a-z0-9]*(?:_[a-z0-9]+)+)")
# Where programs fetch a secret from, by the spellings they know.
_FETCHED = re.compile(
    r"(?:(?:vault|op|ref\+[a-z]+)://|vault:[\w-]+/|file:/)\S*|env:[A-Z_][A-Z0-9_]*"
    r"|arn:aws[a-z-]*:(?:secretsmanager|ssm):\S+"
)
_NONE = {
    *("", "true", "false", "yes", "no", "on", "off", "none", "null", "nil", "unset", "undefined"),
    *("enabled", "disabled", "required", "optional", "always", "never", "auto"),
    *("redacted", "masked", "hidden", "removed", "omitted", "unknown", "n/a", "placeholder", "todo", "tbd", "\u2026"),
}
_CROSSED_OUT = re.compile(r"x{3,}|[-_.#]+")

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOTTED = rf"(?:(?:{_LABEL}\.)+[a-z]{{2,63}}\.?|localhost|(?:[0-9]{{1,3}}\.){{3}}[0-9]{{1,3}}|\[[0-9a-f:]+\])"
_PORT = r":(?:[1-9][0-9]{0,4})"
_HOST_PORT = re.compile(_DOTTED + _PORT)
_HOST = re.compile(rf"{_DOTTED}(?:{_PORT})?|{_LABEL}{_PORT}")
_IN_A_URL = re.compile(rf"(?:{_DOTTED}|{_LABEL})(?:{_PORT})?")
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*:)+//([^\s/@?#;]*)(?:/[^\s@?#;]*)?(?:[?;](.*))?", re.DOTALL)
_CREDENTIAL = re.compile(r"(?<=//)([^\s/@:]*)(?::([^\s/@]*))?@")
_USER = re.compile(r"[a-z_-]{1,16}")  # a token has digits
_LETS_IN = {"key", "sas", "sig", "signature"}  # as names in a connection string


def elsewhere(text: str) -> bool:
    """Says all of the text where a secret is to be had?"""
    return not re.search(r"\w", _ELSEWHERE.sub("", text))


def stands_for_one(text: str) -> bool:
    """Says the text where a secret is to be had, or that there is none, or only which host and port to ask?"""
    bare = text.strip("[]()").strip().lower()
    if bare in _NONE or _CROSSED_OUT.fullmatch(bare) or _FETCHED.fullmatch(text):
        return True
    # A host of several labels: user:1234 may be a password.
    return elsewhere(text) or all(_HOST_PORT.fullmatch(part.strip()) for part in text.split(","))


def names_a_variable(text: str, says_secret: Callable[[str], bool]) -> bool:
    """Is it $client_secret? A password may begin with a dollar, too: the variable's own name has to say what it is."""
    named = _LOWER_VARIABLE.fullmatch(text)
    return named is not None and says_secret(named[1])


def only_connects(text: str, says_secret: Callable[[str], bool]) -> bool:
    """Says a connection string where something is, and nothing that lets anybody in? `says_secret` judges the names of
    its settings."""
    if url := _URL.fullmatch(_CREDENTIAL.sub(_unless_it_lets_in, text, count=1)):
        return _all(_IN_A_URL, _ELSEWHERE.sub("variable", url[1])) and _open(url[2] or "", says_secret)
    if "=" in text:
        return _open(text, says_secret)
    return _all(_HOST, text.partition("/")[0])


def _unless_it_lets_in(credential: re.Match[str]) -> str:
    """Nothing of a user alone, or one whose password is to be had elsewhere; else the credential as it stands."""
    user, password = credential.groups()
    harmless = elsewhere(password) if password else bool(_USER.fullmatch(user)) or elsewhere(user)
    return "" if harmless else credential[0]


def _all(pattern: re.Pattern[str], hosts: str) -> bool:
    return all(pattern.fullmatch(host.strip()) for host in hosts.split(","))


def _open(settings: str, says_secret: Callable[[str], bool]) -> bool:
    """Is none of the settings secret? They are `a=b;c=d`, `a=b&c=d`, or `a=b c=d`."""
    listed = re.split(r"[;&]", settings) if re.search(r"[;&]", settings) else settings.split()
    for setting in (part for part in listed if part.strip()):
        name, equals, value = (part.strip() for part in setting.partition("="))
        secret = says_secret(name) or name.lower() in _LETS_IN
        if not equals or (secret and not stands_for_one(value.strip("'\""))):
            return False
    return True
