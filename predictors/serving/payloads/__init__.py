"""Payload logging: requests and answers as CloudEvents, to where they are kept.

Here belong what an event says (`events`), which calls are logged (`logger`), the bounded queue
before each place (`outbox`) and the places (`sinks`). A response never waits for any of it: what
finds its queue full is dropped, and counted.
"""

from predictors.serving.payloads.logger import PayloadLogger
from predictors.serving.payloads.settings import LoggerSettings, logger_settings

__all__ = ["LoggerSettings", "PayloadLogger", "logger_settings"]
