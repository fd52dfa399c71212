"""What the webhooks tell Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from rouse.daemon.process import process_families
from rouse.daemon.registry import Family, Histogram, render

__all__ = ["Metrics"]

_BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Counted reviews and their durations.

    ``expires`` says when the certificate served ends, ``problem`` why settings cannot be used.
    """

    def __init__(
        self,
        *,
        expires: Callable[[], datetime | None],
        clock: Callable[[], datetime],
        problem: Callable[[], str] = str,
    ) -> None:
        self._expires = expires
        self._problem = problem
        self._clock = clock
        self._reviews = Family(
            "counter",
            "rouse_webhook_requests_total",
            "Admission requests answered.",
            ("webhook", "operation", "allowed"),
        )
        self._seconds = Histogram(
            "rouse_webhook_request_seconds",
            "From the whole request to its answer.",
            ("webhook",),
            bounds=_BOUNDS,
        )
        self._bad = Family(
            "counter",
            "rouse_webhook_http_errors_total",
            "Calls that were answered with an HTTP error: no AdmissionReview, or a fault here.",
            ("code",),
        )

    def reviewed(self, webhook: str, operation: str, allowed: bool, seconds: float) -> None:
        """Count one answer."""
        # The API server sends these four; what anybody else sends is no label of its own.
        known = operation if operation in ("CREATE", "UPDATE", "DELETE", "CONNECT") else "other"
        self._reviews.add(webhook, known, str(allowed).lower())
        self._seconds.observe(seconds, webhook)

    def failed(self, code: int) -> None:
        """Count one HTTP error."""
        self._bad.add(str(code))

    def render(self) -> str:
        """Return the text that Prometheus reads."""
        left = Family(
            "gauge",
            "rouse_webhook_certificate_expiry_seconds",
            "Until the certificate that is served expires; below 0 it has.",
        )
        expires = self._expires()
        if expires is not None:
            left.set((expires - self._clock().astimezone(UTC)).total_seconds())
        usable = Family(
            "gauge",
            "rouse_webhook_settings_usable",
            "1; 0 while the settings in the cluster cannot be used, so that former ones count.",
        )
        usable.set(0 if self._problem() else 1)
        known = (self._reviews, self._seconds, self._bad, left, usable)
        return render((*known, *process_families()))
