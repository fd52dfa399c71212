"""Which webhooks are asked about a write. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rouse.embedded.apiserver.errors import Object
from rouse.embedded.apiserver.resources import Resource
from rouse.embedded.apiserver.webhooks.configurations import GROUP, Hook, Rule

__all__ = ["Question", "Verb", "selects", "version_for"]

Verb = Literal["CREATE", "UPDATE", "DELETE"]


@dataclass(frozen=True, slots=True)
class Question:
    """A write that is about to be done."""

    operation: Verb
    resource: Resource
    version: str
    """The one that the client speaks."""
    name: str
    namespace: str = ""
    subresource: str = ""
    obj: Object | None = None
    """None of a deletion."""
    old: Object | None = None
    """None of a creation."""
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    """Of the object's namespace; of a Namespace its own."""
    dry_run: bool = False


def version_for(hook: Hook, question: Question) -> str | None:
    """Return the version in which a webhook is asked, None where it is not."""
    # As on a cluster: else a webhook that fails could not be taken away.
    if question.resource.group == GROUP:
        return None
    version = _by_rules(hook, question)
    if version is None or not _by_namespace(hook, question):
        return None
    objects = [each for each in (question.obj, question.old) if each is not None]
    if any(selects(hook.objects, each["metadata"].get("labels") or {}) for each in objects):
        return version
    return None


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a label selector chooses these labels; an empty one chooses all."""
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _fits(each, labels) for each in selector.get("matchExpressions") or ()
    )


def _fits(expression: Object, labels: Mapping[str, str]) -> bool:
    key, values = expression.get("key", ""), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False


def _by_namespace(hook: Hook, question: Question) -> bool:
    is_placed = question.resource.namespaced or question.resource.bucket == "/namespaces"
    return not is_placed or selects(hook.namespaces, question.namespace_labels)


def _by_rules(hook: Hook, question: Question) -> str | None:
    rules = [rule for rule in hook.rules if _concerns(rule, question)]
    if any(_has(rule.versions, question.version) for rule in rules):
        return question.version
    if not hook.equivalent:
        return None
    served = (
        each for each in question.resource.versions for rule in rules if each in rule.versions
    )
    return next(served, None)


def _concerns(rule: Rule, question: Question) -> bool:
    resource = question.resource
    scope = "Namespaced" if resource.namespaced else "Cluster"
    return (
        _has(rule.operations, question.operation)
        and _has(rule.groups, resource.group)
        and rule.scope in ("*", scope)
        and any(_names(each, resource.plural, question.subresource) for each in rule.resources)
    )


def _has(values: frozenset[str], wanted: str) -> bool:
    return wanted in values or "*" in values


def _names(said: str, plural: str, subresource: str) -> bool:
    resource, _, below = said.partition("/")
    return resource in (plural, "*") and (below == subresource or (below == "*" and "/" in said))
