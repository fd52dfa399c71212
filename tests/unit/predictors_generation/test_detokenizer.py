"""Text from tokens as they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from predictors.huggingface.generation.detokenizer import Detokenizer


def _pushed(tokenizer: Any, text: str, stops: Sequence[str] = ()) -> tuple[list[str], bool]:
    detokenizer = Detokenizer(tokenizer, tokenizer("before")["input_ids"], stops)
    told = []
    for token in tokenizer(text)["input_ids"]:
        told.append(detokenizer.push(token))
        if detokenizer.stopped:
            break
    return [*told, detokenizer.rest()], detokenizer.stopped


@pytest.mark.parametrize("text", [" plain", "naïve café", "日本語", "👩‍👩‍👧 ok", "a\n\nb"])
def test_characters_are_whole(tokenizer: Any, text: str) -> None:
    told, _ = _pushed(tokenizer, text)
    assert "".join(told) == text
    assert not any("\ufffd" in part for part in told)


def test_half_a_character_at_the_end_is_not_told(tokenizer: Any) -> None:
    detokenizer = Detokenizer(tokenizer, [], ())
    told = [detokenizer.push(token) for token in tokenizer("a日")["input_ids"][:-1]]
    assert "".join(told) + detokenizer.rest() == "a"


def test_what_never_becomes_a_character_does_not_hold_up_the_text(tokenizer: Any) -> None:
    lone = tokenizer("é")["input_ids"][1]  # goes on with a character that never began
    detokenizer = Detokenizer(tokenizer, [], ())
    told = "".join(detokenizer.push(token) for token in [lone] * 20 + tokenizer("ok")["input_ids"])
    assert told.endswith("ok")


@pytest.mark.parametrize(
    ("text", "stops", "told"),
    [
        ("one END two", ["END"], "one "),
        ("one EN two", ["END"], "one EN two"),
        ("aab", ["ab"], "a"),
        ("x\n\ny", ["\n\n", "y"], "x"),
        ("ends with EN", ["END"], "ends with EN"),
    ],
)
def test_stop_strings(tokenizer: Any, text: str, stops: list[str], told: str) -> None:
    parts, stopped = _pushed(tokenizer, text, stops)
    assert "".join(parts) == told
    assert stopped is (told != text)
