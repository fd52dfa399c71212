"""Bodies of completions and chat as what is asked of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from predictors.openai.abilities import Message, Prompt, Sampling
from predictors.openai.errors import FieldError
from predictors.openai.fields import Fields, are_tokens

__all__ = ["Asked", "asked_chat", "asked_completion"]

_COMPLETION_TOKENS: Final = 16
"""OpenAI's default; a chat's answer is as long as it gets."""
_MOST_CHOICES: Final = 128
_MOST_PROMPTS: Final = 2048
_PENALTY: Final = 2.0

_NOT_SERVED: Final = (
    "logit_bias",
    "min_p",
    "min_tokens",
    "stop_token_ids",
    "bad_words",
    "allowed_token_ids",
    "prompt_logprobs",
    "truncate_prompt_tokens",
    "use_beam_search",
    "guided_json",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
    "structured_outputs",
    "functions",
    "function_call",
    "audio",
    "prediction",
    "web_search_options",
)
"""What OpenAI or vLLM knows and would make another text: it is refused, not passed over."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What completions and chat have in common. `n` texts are wanted of each prompt."""

    prompts: Sequence[Prompt]
    messages: Sequence[Message]
    sampling: Sampling
    n: int
    stream: bool
    usage: bool
    echo: bool
    template: Mapping[str, Any]


def asked_completion(body: Mapping[str, Any]) -> Asked:
    """A body of ``completions``. Raises `FieldError`."""
    fields = Fields(body)
    logprobs = fields.whole("logprobs", 0, 20)
    limit = fields.whole("max_tokens", 1)
    n = fields.whole("n", 1, _MOST_CHOICES) or 1
    fields.only("best_of", n)
    fields.only("suffix", "")
    echo = fields.flag("echo")
    if echo and logprobs is not None:
        raise FieldError("logprobs", "those of the prompt (echo) are not served here.")
    return _asked(
        fields,
        limit or _COMPLETION_TOKENS,
        logprobs,
        n,
        prompts=_prompts(fields.get("prompt")),
        echo=echo,
    )


def asked_chat(body: Mapping[str, Any]) -> Asked:
    """A body of ``chat/completions``. Raises `FieldError`."""
    fields = Fields(body)
    limit = fields.whole("max_completion_tokens", 1) or fields.whole("max_tokens", 1)
    top = fields.whole("top_logprobs", 0, 20)
    told = fields.flag("logprobs")
    if top is not None and not told:
        raise FieldError("top_logprobs", "logprobs must be true with it.")
    response = fields.object("response_format")
    if response.get("type", "text") != "text":
        raise FieldError("response_format", f"{response.get('type')!r} is not served here.")
    fields.only("tool_choice", "none", "auto")
    fields.only("modalities", ["text"])
    template = dict(fields.object("chat_template_kwargs"))
    tools = fields.get("tools")
    if tools:
        if not isinstance(tools, list):
            raise FieldError("tools", "a list is expected.")
        template["tools"] = tools
    return _asked(
        fields,
        limit,
        (top or 0) if told else None,
        fields.whole("n", 1, _MOST_CHOICES) or 1,
        messages=_messages(fields.get("messages")),
        template=template,
    )


def _asked(
    fields: Fields,
    limit: int | None,
    logprobs: int | None,
    n: int,
    *,
    prompts: Sequence[Prompt] = (),
    messages: Sequence[Message] = (),
    echo: bool = False,
    template: Mapping[str, Any] | None = None,
) -> Asked:
    for name in _NOT_SERVED:
        if fields.get(name):
            raise FieldError(name, "it is not served here.")
    top_k = fields.whole("top_k", -1)
    sampling = Sampling(
        max_tokens=limit,
        temperature=fields.number("temperature", 1.0, 0.0, 2.0),
        top_p=fields.number("top_p", 1.0, 0.0, 1.0),
        top_k=max(0, top_k or 0),
        seed=fields.whole("seed"),
        stop=fields.stops(),
        presence_penalty=fields.number("presence_penalty", 0.0, -_PENALTY, _PENALTY),
        frequency_penalty=fields.number("frequency_penalty", 0.0, -_PENALTY, _PENALTY),
        repetition_penalty=fields.number("repetition_penalty", 1.0, 0.01, 10.0),
        logprobs=logprobs,
        ignore_eos=fields.flag("ignore_eos"),
    )
    stream = fields.flag("stream")
    options = fields.object("stream_options")
    if options and not stream:
        raise FieldError("stream_options", "stream must be true with it.")
    usage = Fields(options).flag("include_usage")
    return Asked(prompts, messages, sampling, n, stream, usage, echo, template or {})


def _prompts(value: object) -> list[Prompt]:
    """A string, strings, tokens, or lists of tokens."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not value:
        raise FieldError("prompt", "a string, strings, tokens or lists of tokens are expected.")
    if len(value) > _MOST_PROMPTS and not isinstance(value[0], int):
        raise FieldError("prompt", f"at most {_MOST_PROMPTS} prompts are taken.")
    if all(isinstance(each, str) for each in value):
        return list(value)
    if are_tokens(value):
        return [value]
    if all(isinstance(each, list) and each and are_tokens(each) for each in value):
        return list(value)
    raise FieldError("prompt", "it mixes texts and tokens, or has an empty list.")


def _messages(value: object) -> list[Message]:
    if not isinstance(value, list) or not value:
        raise FieldError("messages", "a list of messages is expected.")
    return [_message(each, f"messages[{index}]") for index, each in enumerate(value)]


def _message(value: object, name: str) -> Message:
    if not isinstance(value, dict) or not isinstance(value.get("role"), str):
        raise FieldError(name, "an object with a role is expected.")
    content = value.get("content")
    if isinstance(content, list):
        content = "".join(_part(part, f"{name}.content[{i}]") for i, part in enumerate(content))
    elif content is None and (value.get("tool_calls") or value["role"] == "assistant"):
        content = ""
    if not isinstance(content, str):
        raise FieldError(f"{name}.content", "a text, or a list of parts, is expected.")
    message = {**value, "content": content}
    calls = value.get("tool_calls")
    if calls is None:
        return message
    if not isinstance(calls, list):
        raise FieldError(f"{name}.tool_calls", "a list is expected.")
    told = [_tool_call(call, f"{name}.tool_calls[{i}]") for i, call in enumerate(calls)]
    return {**message, "tool_calls": told}


def _tool_call(call: object, name: str) -> Mapping[str, Any]:
    """A call of a tool as chat templates read it: its arguments are an object, not their text."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict):
        raise FieldError(name, "an object with a function is expected.")
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = orjson.loads(arguments or "{}")
        except orjson.JSONDecodeError as error:
            raise FieldError(f"{name}.function.arguments", f"no JSON: {error}.") from None
    return {**call, "function": {**function, "arguments": arguments}}


def _part(part: object, name: str) -> str:
    if not isinstance(part, dict) or part.get("type") not in ("text", "refusal"):
        raise FieldError(name, "only parts of type text are served here.")
    text = part.get("text", part.get("refusal"))
    if not isinstance(text, str):
        raise FieldError(name, "its text must be a string.")
    return text
