"""Text as a model's tokens, by the Rust tokenizer itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol

from tokenizers import Encoding, Tokenizer

from predictors.huggingface.config import ModelFolder
from predictors.huggingface.kept import take
from predictors.huggingface.loading import allow_code
from predictors.huggingface.options import Options
from predictors.serving.errors import InvalidInputError, ModelLoadError

__all__ = ["Cut", "Ids", "Row", "Source", "TextTokenizer", "load_tokenizer"]

Cut = Literal["longest_first", "only_first", "only_second"]
"""Which text of a pair is cut when both are too long together."""

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

_LONG_TEXT: Final = 10_000
"""Characters from which on texts are tokenized in a thread: it takes milliseconds."""


class Source(NamedTuple):
    """A text to tokenize, what errors call it, and the text that stands behind it."""

    text: str
    where: str
    pair: str | None = None


class Row(Protocol):
    """What a model reads of a sequence; the tokenizer's `Encoding` is one."""

    @property
    def ids(self) -> list[int]:
        """Its tokens."""

    @property
    def type_ids(self) -> list[int]:
        """Of which text of a pair each token is."""

    def __len__(self) -> int:
        """How many tokens there are."""


class Ids:
    """A `Row` of tokens that a client made itself."""

    __slots__ = ("ids",)

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids

    @property
    def type_ids(self) -> list[int]:
        """One text."""
        return [0] * len(self.ids)

    def __len__(self) -> int:
        return len(self.ids)


class TextTokenizer:
    """Makes encodings of at most `limit` tokens. Safe in several threads.

    With a `stride` a text that is too long becomes several encodings, which overlap by that many
    tokens (``overflowing``), and is not refused.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        limit: int,
        *,
        cut: Cut = "longest_first",
        stride: int = 0,
        truncate: bool = True,
        special_tokens: bool = True,
        lower_case: bool = False,
    ) -> None:
        tokenizer.no_padding()
        tokenizer.enable_truncation(limit, stride=stride, strategy=cut)
        self.rust = tokenizer
        self.limit = limit
        self._stride = stride
        self._truncate = truncate or stride > 0
        self._special = special_tokens
        self._lower = lower_case

    async def encode_all(
        self, sources: Sequence[Source], truncate: bool | None = None
    ) -> list[Encoding]:
        """The tokens of each, as `encode`; the event loop does not wait for long ones."""

        def tokenize() -> list[Encoding]:
            return [
                self.encode(text, pair, where=where, truncate=truncate)
                for text, where, pair in sources
            ]

        size = sum(len(each.text) + len(each.pair or "") for each in sources)
        return tokenize() if size < _LONG_TEXT else await asyncio.to_thread(tokenize)

    def encode(
        self,
        text: str,
        pair: str | None = None,
        *,
        where: str = "text",
        truncate: bool | None = None,
    ) -> Encoding:
        """The tokens of a text, or of a pair. Raises `InvalidInputError` naming `where`."""
        if self._lower:
            text, pair = text.lower(), pair.lower() if pair is not None else None
        if self._stride and pair is not None:
            self._check_windows(text, pair, where)
        try:
            encoding = self._encoded(text, pair)
        except Exception as error:  # tokenizers raises bare Exceptions
            raise InvalidInputError(f"{where} cannot be tokenized: {error}") from None
        allowed = self._truncate if truncate is None else truncate
        if not allowed and encoding.overflowing:
            raise InvalidInputError(
                f"{where} has more than {self.limit} tokens, which is all this model reads. "
                'Shorten it, or ask for truncation ("parameters": {"truncation": true}).'
            )
        if not len(encoding):
            raise InvalidInputError(f"{where} has no tokens.")
        return encoding

    def given(self, tokens: Sequence[int], where: str) -> Ids:
        """Tokens of a client's own, special ones among them, as they are. Raises as `encode`."""
        words = self.rust.get_vocab_size(with_added_tokens=True)
        wrong = next((token for token in tokens if not 0 <= token < words), None)
        if wrong is not None:
            raise InvalidInputError(
                f"{where} has the token {wrong}; this model's tokenizer has 0 to {words - 1}. "
                "Tokens of another tokenizer mean nothing here: send text instead."
            )
        if len(tokens) > self.limit and not self._truncate:
            raise InvalidInputError(
                f"{where} has {len(tokens)} tokens; this model reads {self.limit}."
            )
        return Ids(list(tokens[: self.limit]))

    def _encoded(self, text: str, pair: str | None) -> Encoding:
        if len(text) + len(pair or "") < _LONG_TEXT:
            return self.rust.encode(text, pair, add_special_tokens=self._special)
        # Only by the batch tokenizers lets other threads of Python run meanwhile.
        given = text if pair is None else (text, pair)
        [encoding] = self.rust.encode_batch([given], add_special_tokens=self._special)
        return encoding

    def _check_windows(self, text: str, pair: str, where: str) -> None:
        """Refuse a `text` that leaves a long `pair` less than the overlap of its windows.

        The tokenizer would panic.
        """
        room = self.limit
        if self._special:
            room -= self.rust.num_special_tokens_to_add(True)
        most = max(room - self._stride - 1, 0)
        count = self._count(text)
        if count > most and count + self._count(pair) > room:
            raise InvalidInputError(
                f"{where} has more than {most} tokens, which is all this model reads of it beside "
                "a long text. Shorten one of them."
            )

    def _count(self, text: str) -> int:
        """How many tokens a text has, without special ones; above the limit, any more than it."""
        try:
            [encoding] = self.rust.encode_batch([text], add_special_tokens=False)
            return len(encoding)
        except Exception:  # what has no pair is not cut but refused
            return self.limit + 1

    def special(self, name: str, told: object) -> tuple[str, int] | None:
        """A special token's text and id, from what tokenizer_config.json says of it."""
        text = told.get("content") if isinstance(told, dict) else told
        number = self.rust.token_to_id(text) if isinstance(text, str) else None
        return (text, number) if isinstance(text, str) and number is not None else None

    def decode(self, tokens: Sequence[int], *, skip_special: bool = False) -> str:
        """Text of tokens."""
        return self.rust.decode(list(tokens), skip_special_tokens=skip_special)


def load_tokenizer(
    files: ModelFolder,
    options: Options,
    *,
    cut: Cut = "longest_first",
    stride: int = 0,
    limit: int = 0,
) -> TextTokenizer:
    """The tokenizer of a folder; a slow one is converted. Raises `ModelLoadError`."""
    file = files.path / "tokenizer.json"
    if file.is_file():
        try:
            rust = take(file) or Tokenizer.from_file(str(file))
        except Exception as error:  # tokenizers raises bare Exceptions
            raise ModelLoadError(f"{file} is no tokenizer: {error}") from error
    else:
        rust = _converted(files, options)
    if options.lower_case is False and rust.normalizer is not None:
        try:
            rust.normalizer.lowercase = False
        except AttributeError:
            pass  # a normalizer that does not touch capitals
    most = files.max_length(options.max_length)
    limit = min(limit, most) if limit else most
    special = rust.num_special_tokens_to_add(True)
    if limit <= special:
        raise ModelLoadError(
            f"{files.path}: texts of {limit} tokens leave no room beside the {special} special "
            "ones. Is --max_length, or max_position_embeddings in config.json, what you mean?"
        )
    return TextTokenizer(
        rust,
        limit,
        cut=cut,
        stride=min(stride, limit // 3),
        truncate=options.truncate,
        special_tokens=options.special_tokens,
        lower_case=bool(files.sentence.get("do_lower_case")),
    )


def _converted(files: ModelFolder, options: Options) -> Tokenizer:
    """A tokenizer of files that only Python reads, as transformers converts it."""
    from transformers import AutoTokenizer

    try:
        made = AutoTokenizer.from_pretrained(
            str(files.path), local_files_only=True, trust_remote_code=allow_code(files, options)
        )
        rust: Tokenizer = made.backend_tokenizer
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelLoadError(
            f"{files.path} has no tokenizer.json, and none can be made of its other files: "
            f"{reason}. Save one by tokenizer.save_pretrained()."
        ) from error
    if rust.get_vocab_size() == 0 or rust.get_vocab_size() < 8:
        raise ModelLoadError(
            f"{files.path} has no tokenizer.json and no vocabulary to make one of."
        )
    return rust
