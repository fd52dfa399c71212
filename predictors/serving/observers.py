"""Who watches the calls of a server, as its settings and environment say."""

from __future__ import annotations

from collections.abc import Mapping

from predictors.serving.logs import AccessLog
from predictors.serving.observation import Observer, Observers

__all__ = ["observers_of"]


def observers_of(env: Mapping[str, str], *, access_log: bool) -> Observers | None:
    """The observers that are there from the start; None where there are none.

    Traces come later: what they need is imported when the server is ready. Raises `StartupError`
    where a variable of the payload logger is wrong.
    """
    observers: list[Observer] = [AccessLog()] if access_log else []
    if env.get("ROUSE_LOGGER_URL") or env.get("ROUSE_LOGGER_STORE_URI"):
        from predictors.serving.payloads import PayloadLogger, logger_settings

        settings = logger_settings(env)
        if settings is not None:
            observers.append(PayloadLogger(settings))
    return Observers(observers) if observers else None
