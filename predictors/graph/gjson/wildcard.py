"""Wildcards of gjson: `*` for any characters, `?` for one, a backslash before a plain character.

Matching takes at most len(text) * len(pattern) steps: only the last star is ever tried again.
"""

from __future__ import annotations

import codecs
from functools import lru_cache

from predictors.graph.gjson.work import Work

__all__ = ["matches", "text_matches"]

_STAR = "*"
_ANY = "?"


def _replace_bytes(error: UnicodeError) -> tuple[str, int]:
    # One mark for every byte that is no UTF-8, as Go reads them.
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "�", error.start + 1


codecs.register_error("gjson", _replace_bytes)


def matches(text: bytes, pattern: bytes, work: Work) -> bool:
    """Whether the whole text, as bytes of UTF-8, has the form of the pattern."""
    return text_matches(text.decode("utf-8", "gjson"), pattern, work)


def text_matches(text: str, pattern: bytes, work: Work) -> bool:
    """Whether the whole text has the form of the pattern."""
    terms = _terms(pattern)
    return terms is not None and _match(text, terms, work)


@lru_cache(maxsize=1024)
def _terms(pattern: bytes) -> tuple[str, ...] | None:
    """Terms: a character after "=", or one of the two wildcards; None when nothing can match."""
    terms: list[str] = []
    characters = iter(pattern.decode("utf-8", "gjson"))
    for character in characters:
        if character in (_STAR, _ANY):
            if character == _ANY or terms[-1:] != [_STAR]:
                terms.append(character)
            continue
        if character == "\\":
            escaped = next(characters, None)
            if escaped is None and _STAR not in terms:
                return None
            # Behind a star gjson compares from the end, where a lone backslash stands for itself.
            character = escaped or character
        terms.append("=" + character)
    return tuple(terms)


def _match(text: str, terms: tuple[str, ...], work: Work) -> bool:
    at = term = 0
    # Where to go on after a mismatch: behind the last star, one character later each time.
    star = resume = -1
    while at < len(text):
        wanted = terms[term] if term < len(terms) else ""
        if wanted == _STAR:
            star, resume = term, at
            term += 1
            if term == len(terms):
                return True
        elif wanted == _ANY or wanted[1:] == text[at]:
            at += 1
            term += 1
        elif star >= 0:
            work.spend(1 + at - resume)
            resume += 1
            at, term = resume, star + 1
        else:
            return False
    return all(rest == _STAR for rest in terms[term:])
