"""The webhooks of a server: found for a write, asked in order, their answers carried out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from rouse.embedded.apiserver.errors import Object, StatusError, internal
from rouse.embedded.apiserver.history import Change
from rouse.embedded.apiserver.store import Store
from rouse.embedded.apiserver.webhooks.calls import CallError, Calls
from rouse.embedded.apiserver.webhooks.configurations import (
    MUTATING,
    VALIDATING,
    Hook,
    findings,
    hooks_of,
)
from rouse.embedded.apiserver.webhooks.matching import Question, version_for
from rouse.embedded.apiserver.webhooks.reviews import (
    Answer,
    ReviewError,
    denial,
    patched,
    question_body,
    read_answer,
)

__all__ = ["Asked", "Webhooks"]

_log = logging.getLogger(__name__)

Asked = tuple[Hook, str]
"""A webhook, and the version in which it is asked."""


class Webhooks:
    """Follows the configurations in ``store``; nobody is asked before `begin`."""

    def __init__(self, store: Store, new_uid: Callable[[], str]) -> None:
        self._store = store
        self._new_uid = new_uid
        self._hooks: tuple[Hook, ...] | None = ()
        self._unlisten = store.listen(self._on_change)
        self._has_begun = False
        self._calls = Calls()

    def begin(self) -> None:
        """From now on ask: what the server itself brings must not wait for anybody."""
        self._has_begun = True
        self._hooks = None

    async def stop(self) -> None:
        """Ask nobody any more."""
        self._unlisten()
        self._has_begun, self._hooks = False, ()
        await self._calls.stop()

    @property
    def are_none(self) -> bool:
        """Whether nobody is asked about anything."""
        return not self._known()

    def find(self, question: Question, *, mutating: bool) -> list[Asked]:
        """Return who is to be asked about a write, in order."""
        return [
            (hook, version)
            for hook in self._known()
            if hook.mutating is mutating and (version := version_for(hook, question)) is not None
        ]

    async def mutate(
        self, asked: Sequence[Asked], question: Question, warnings: list[str]
    ) -> Object | None:
        """Return the object as one after the other changed it; StatusError where one refuses."""
        for hook, version in asked:
            answer = await self._ask(hook, version, question, warnings)
            if answer is None or not answer.patch or question.obj is None:
                continue
            try:
                changed = patched(question.obj, answer, question.resource, version)
            except ReviewError as error:
                if hook.fails_closed:
                    raise _failure(hook, error) from error
                _log.warning("webhook %s: %s; it is ignored (failurePolicy)", hook.name, error)
                continue
            question = replace(question, obj=changed)
        return question.obj

    async def validate(
        self, asked: Sequence[Asked], question: Question, warnings: list[str]
    ) -> None:
        """Ask all at the same time; StatusError where one refuses."""
        done = await asyncio.gather(
            *(self._ask(hook, version, question, warnings) for hook, version in asked),
            return_exceptions=True,
        )
        for each in done:
            if isinstance(each, BaseException):
                raise each

    async def _ask(
        self, hook: Hook, version: str, question: Question, warnings: list[str]
    ) -> Answer | None:
        """Return the consent of a webhook; None where it cannot be had and need not be."""
        uid = self._new_uid()
        try:
            body = await self._calls.ask(hook, question_body(question, version, uid))
            answer = read_answer(body, uid)
        except (CallError, ReviewError) as error:
            if hook.fails_closed:
                raise _failure(hook, error) from error
            _log.warning("webhook %s: %s; it is ignored (failurePolicy)", hook.name, error)
            return None
        warnings.extend(answer.warnings)
        if not answer.allowed:
            raise denial(hook.name, answer.status)
        return answer

    def _known(self) -> tuple[Hook, ...]:
        if self._hooks is None:
            self._hooks = tuple(self._read())
        return self._hooks

    def _read(self) -> Iterator[Hook]:
        """Yield every webhook that is called, by the configurations' names."""
        for bucket in (MUTATING, VALIDATING):
            for record in self._store.records(bucket):
                configuration = record.object()
                # One that was stored by a version that did not look.
                if wrong := findings(configuration):
                    _log.error("%s is not followed: %s", record.key.name, wrong[0])
                    continue
                yield from hooks_of(configuration, mutating=bucket == MUTATING)

    def _on_change(self, change: Change) -> None:
        if self._has_begun and change.bucket in (MUTATING, VALIDATING):
            self._hooks = None


def _failure(hook: Hook, error: Exception) -> StatusError:
    return internal(
        f'Internal error occurred: failed calling webhook "{hook.name}": failed to call webhook: '
        f"{error}"
    )
