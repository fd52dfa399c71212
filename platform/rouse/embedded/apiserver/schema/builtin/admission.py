"""Webhook configurations: their webhooks are told apart by name.

A certificate authority that one writer puts into a webhook stays when another applies the rest.
"""

from __future__ import annotations

from typing import Any

from rouse.embedded.apiserver.schema.builtin.meta import known_kind
from rouse.embedded.apiserver.schema.builtin.words import (
    array,
    integer,
    keyed,
    mapping,
    part,
    text,
    texts,
)

__all__ = ["ADMISSION_DEFINITIONS"]

_V1 = "io.k8s.api.admissionregistration.v1."


def _webhooks(description: str, **more: dict[str, Any]) -> dict[str, Any]:
    return keyed(
        description,
        part(
            "One webhook: what it is asked about, and where it is.",
            name=text("Its full name, such as pods.example.com."),
            admissionReviewVersions=texts("Versions of AdmissionReview it understands."),
            clientConfig=part(
                "How it is reached.",
                caBundle=text("The authorities of its certificate, PEM in base64."),
                service=part(
                    "The Service before it.",
                    namespace=text("The Service's namespace."),
                    name=text("The Service's name."),
                    path=text("The path that is asked."),
                    port=integer("The Service's port; 443 unless given."),
                ),
                url=text("Where it is, when it is no Service."),
            ),
            failurePolicy=text("What an error means: Fail or Ignore."),
            matchPolicy=text("Whether other versions of a kind match: Exact or Equivalent."),
            matchConditions=keyed(
                "Expressions in CEL that must all be true for it to be asked.",
                part(
                    "A condition.",
                    name=text("Its name."),
                    expression=text("The expression."),
                ),
                "name",
            ),
            namespaceSelector=mapping("Which namespaces it is asked about.", {}, atomic=True),
            objectSelector=mapping("Which objects it is asked about.", {}, atomic=True),
            rules=array("Operations and kinds it is asked about.", mapping("A rule.", {})),
            sideEffects=text("Whether it changes anything else: None or NoneOnDryRun."),
            timeoutSeconds=integer("How long it is waited for."),
            **more,
        ),
        "name",
    )


ADMISSION_DEFINITIONS = {
    _V1 + "ValidatingWebhookConfiguration": known_kind(
        "Who is asked whether an object may be stored.",
        webhooks=_webhooks("Who is asked."),
    ),
    _V1 + "MutatingWebhookConfiguration": known_kind(
        "Who may change an object before it is stored.",
        webhooks=_webhooks(
            "Who is asked.",
            reinvocationPolicy=text("Whether it is asked again after others: Never or IfNeeded."),
        ),
    ),
}
