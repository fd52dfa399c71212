"""The way of an object into the store: check its shape, complete it, admit it, put it.

Everything between reading the head state and ``Store.put`` is synchronous, so two requests never
interleave there; only the wait for the commit is asynchronous. Where webhooks are asked others do
get their turn: then the head is looked at again, and `OutpacedError` says that it is another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rouse.embedded.apiserver.admission import Operation, admit
from rouse.embedded.apiserver.admission_kserve import advice
from rouse.embedded.apiserver.errors import (
    MODIFIED,
    Object,
    OutpacedError,
    StatusError,
    bad_request,
    invalid,
    not_found,
)
from rouse.embedded.apiserver.http import Request
from rouse.embedded.apiserver.managedfields import update_managed_fields
from rouse.embedded.apiserver.metadata import count_generation, for_create, for_update, same
from rouse.embedded.apiserver.names import check_labels, check_name, check_owners
from rouse.embedded.apiserver.records import Key, Record
from rouse.embedded.apiserver.routes import Target
from rouse.embedded.apiserver.state import State
from rouse.embedded.apiserver.strategies import complete
from rouse.embedded.apiserver.webhooks import GROUP as WEBHOOKS_GROUP
from rouse.embedded.apiserver.webhooks import Asked, Question, notes, question_of
from rouse.errors import FieldError

__all__ = ["FieldValidation", "Write", "begin"]

FieldValidation = Literal["Strict", "Warn", "Ignore"]

STRICT_GROUP = "serving.kserve.io"


@dataclass(slots=True)
class Write:
    """One write request on its way into the store."""

    state: State
    target: Target
    manager: str
    now: str
    dry_run: bool = False
    validation: FieldValidation = "Warn"
    warnings: list[str] = field(default_factory=list)
    _waited: bool = False
    """Whether others had their turn since the head was read."""

    async def create(self, obj: Object, *, track: bool = True) -> Record:
        """Store a new object; ``track`` records its fields as this manager's by Update."""
        state, resource = self.state, self.target.resource
        self.check_identity(obj)
        name = self._settle_name(obj)
        if state.store.head(resource.bucket, Key(self.target.namespace, name)) is not None:
            raise self.target.already_exists(name)
        self._check_namespace(name)
        uid = state.new_uid()
        for_create(resource, obj, self.now, uid)
        self._check_shape(obj)
        if (changed := await self._changed("CREATE", obj, None)) is not obj:
            obj = changed
            for_create(resource, obj, self.now, uid)
            self._check_shape(obj)
        complete(resource.bucket, obj, None, self.now)
        obj = admit(state.plugins, "CREATE", obj, None, resource)
        self.warnings.extend(advice(obj, resource))
        self._check_names(obj, check_name(resource, name))
        if track:
            obj = self._tracked(None, obj)
        await self._judged("CREATE", obj, None)
        if self._waited:
            if state.store.head(resource.bucket, Key(self.target.namespace, name)) is not None:
                raise _outpaced(self.target.already_exists(name))
            self._check_namespace(name)
        obj = admit(state.limits, "CREATE", obj, None, resource)
        return await self._put(obj)

    async def update(self, old: Record, new: Object, *, track: bool = True) -> Record:
        """Store a new state of ``old``, the head; nothing is written when nothing changed."""
        state, resource = self.state, self.target.resource
        before = old.object()
        self._check_unchanged(old, new)
        new = for_update(resource, new, before, self.target.subresource)
        self._check_shape(new)
        if (changed := await self._changed("UPDATE", new, before)) is not new:
            new = for_update(resource, changed, before, self.target.subresource)
            self._check_shape(new)
        if self.target.subresource != "status":
            complete(resource.bucket, new, before, self.now)
            new = admit(state.plugins, "UPDATE", new, before, resource)
            self.warnings.extend(advice(new, resource))
            count_generation(resource, new, before)
        self._check_names(new, [])
        if track:
            new = self._tracked(before, new)
        if same(new, before):
            return old
        await self._judged("UPDATE", new, before)
        if self._waited and state.store.head(resource.bucket, old.key) is not old:
            raise _outpaced(self.target.conflict(MODIFIED))
        if old.deleting and not new["metadata"].get("finalizers") and _unheld(new, resource.bucket):
            return await self._finish_deletion(new)
        return await self._put(new)

    def check_identity(self, obj: Object) -> None:
        """Name and namespace of the body must be those of the path; fills them in when absent."""
        target, metadata = self.target, obj["metadata"]
        namespace = metadata.get("namespace") or ""
        if not target.resource.namespaced:
            metadata.pop("namespace", None)
        elif namespace and namespace != target.namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the "
                f"request ({namespace!r} and {target.namespace!r})"
            )
        else:
            metadata["namespace"] = target.namespace
        if target.name and metadata.setdefault("name", target.name) != target.name:
            raise bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL "
                f"({target.name})"
            )

    def drop_unknown(self, obj: Object) -> None:
        """Remove unknown fields: an error, a warning or nothing, as the client asked."""
        schema = self.state.registry.schema(self.target.resource, self.target.version)
        metadata = obj["metadata"]
        managed = metadata.pop("managedFields", None)  # the field managers' own, of any shape
        unknown = schema.prune(obj)
        if managed is not None:
            metadata["managedFields"] = managed
        if not unknown or self.validation == "Ignore":
            return
        told = [f'unknown field "{path}"{_hint(schema.suggest(path))}' for path in unknown]
        if self.validation == "Strict":
            kind = self.target.resource.kind
            raise bad_request(
                f'{kind} in version "{self.target.version}" cannot be handled as a {kind}: '
                f"strict decoding error: {', '.join(told)}"
            )
        self.warnings.extend(told)

    # -- steps

    def _settle_name(self, obj: Object) -> str:
        metadata = obj["metadata"]
        if not metadata.get("name"):
            prefix = metadata.get("generateName")
            if not prefix:
                resource = self.target.resource
                told = "Required value: name or generateName is required"
                finding = FieldError("metadata.name", told)
                raise invalid(resource.group, resource.kind, "", [finding])
            metadata["name"] = self.state.new_name(prefix)
        return str(metadata["name"])

    def _check_namespace(self, name: str) -> None:
        target = self.target
        if not target.resource.namespaced:
            return
        namespace = self.state.store.head("/namespaces", Key("", target.namespace))
        if namespace is None:
            raise not_found("", "namespaces", target.namespace)
        if namespace.deleting:
            refusal = target.forbidden(
                name,
                f"unable to create new content in namespace {target.namespace} because it is "
                "being terminated",
            )
            refusal.details["causes"] = [
                {"reason": "NamespaceTerminating", "field": "metadata.namespace"}
            ]
            raise refusal

    def _check_unchanged(self, old: Record, new: Object) -> None:
        metadata, target = new["metadata"], self.target
        revision = metadata.get("resourceVersion") or ""
        if revision and revision != str(old.revision):
            raise target.conflict(MODIFIED)
        uid = metadata.get("uid") or ""
        if uid and uid != old.uid:
            raise target.conflict(
                f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old.uid}"
            )

    def _check_shape(self, obj: Object) -> None:
        """Unknown fields, defaults, types; on the storage version, whose shape is the same."""
        self.drop_unknown(obj)
        schema = self.state.registry.schema(self.target.resource, self.target.version)
        schema.default(obj)
        findings = schema.validate(obj)
        if self.target.subresource == "status":
            findings = [each for each in findings if each.path.startswith("status")]
        if findings:
            resource = self.target.resource
            name = obj["metadata"].get("name", "")
            raise invalid(resource.group, resource.kind, name, findings)

    def _check_names(self, obj: Object, findings: list[FieldError]) -> None:
        metadata = obj["metadata"]
        findings = [*findings, *check_labels(metadata), *check_owners(metadata)]
        if findings:
            resource = self.target.resource
            raise invalid(resource.group, resource.kind, obj["metadata"]["name"], findings)

    def _tracked(self, old: Object | None, new: Object) -> Object:
        return update_managed_fields(
            old,
            new,
            manager=self.manager,
            subresource=self.target.subresource,
            schema=self.state.registry.schema(self.target.resource, self.target.version),
            now=self.now,
        )

    async def _changed(self, operation: Operation, obj: Object, old: Object | None) -> Object:
        """Return what webhooks make of an object; itself where none changes anything."""
        if self.target.resource.group == WEBHOOKS_GROUP:
            self.warnings.extend(notes(obj))
        question, asked = self._asked(operation, obj, old, mutating=True)
        if question is None or not asked:
            return obj
        return await self.state.webhooks.mutate(asked, question, self.warnings) or obj

    async def _judged(self, operation: Operation, obj: Object, old: Object | None) -> None:
        """Ask the webhooks that may refuse what is about to be stored."""
        question, asked = self._asked(operation, obj, old, mutating=False)
        if question is not None and asked:
            await self.state.webhooks.validate(asked, question, self.warnings)

    def _asked(
        self, operation: Operation, obj: Object, old: Object | None, *, mutating: bool
    ) -> tuple[Question | None, list[Asked]]:
        webhooks = self.state.webhooks
        if webhooks.are_none:
            return None, []
        question = question_of(
            self.state.store, self.target, operation, obj, old, dry_run=self.dry_run
        )
        asked = webhooks.find(question, mutating=mutating)
        self._waited = self._waited or bool(asked)
        return question, asked

    async def _put(self, obj: Object) -> Record:
        store, bucket = self.state.store, self.target.resource.bucket
        if self.dry_run:
            return store.draft(bucket, obj)
        return await store.put(bucket, obj)

    async def _finish_deletion(self, obj: Object) -> Record:
        store, bucket = self.state.store, self.target.resource.bucket
        if self.dry_run:
            return store.draft(bucket, obj)
        return await store.remove(bucket, obj)


def begin(state: State, target: Target, request: Request) -> Write:
    """Read the parameters every write has."""
    dry_run = request.query.get("dryRun", "")
    if dry_run not in {"", "All"}:
        raise bad_request(f'dryRun={dry_run!r}: supported values: "All"')
    return Write(
        state,
        target,
        manager=_manager(request),
        now=state.now(),
        dry_run=dry_run == "All",
        validation=_validation(request, target),
    )


def _manager(request: Request) -> str:
    named = request.query.get("fieldManager", "")
    if len(named) > 128:
        raise bad_request("fieldManager may not be longer than 128 characters")
    return named or request.headers.get("user-agent", "").partition("/")[0][:128] or "unknown"


def _validation(request: Request, target: Target) -> FieldValidation:
    """Strict is the default for models: what is misspelt there must not be lost in silence."""
    asked = request.query.get("fieldValidation", "")
    if asked == "Strict":
        return "Strict"
    if asked == "Warn":
        return "Warn"
    if asked == "Ignore":
        return "Ignore"
    if asked:
        raise bad_request(
            f'fieldValidation={asked!r}: supported values: "Strict", "Warn", "Ignore"'
        )
    return "Strict" if target.resource.group == STRICT_GROUP else "Warn"


def _outpaced(refusal: StatusError) -> OutpacedError:
    return OutpacedError(refusal.status, refusal.reason, refusal.message, details=refusal.details)


def _unheld(obj: Object, bucket: str) -> bool:
    """Whether only metadata.finalizers could hold the object back."""
    if bucket == "/namespaces":
        return not (obj.get("spec") or {}).get("finalizers")
    return bucket != "/pods" or not obj["metadata"].get("deletionGracePeriodSeconds")


def _hint(suggestion: str) -> str:
    return f' (did you mean "{suggestion}"?)' if suggestion else ""
