"""Admission webhooks by URL: who is asked, what they are asked, and what they answer."""

from rouse.embedded.apiserver.webhooks.configurations import GROUP, findings, notes
from rouse.embedded.apiserver.webhooks.matching import Question
from rouse.embedded.apiserver.webhooks.questions import question_of
from rouse.embedded.apiserver.webhooks.webhooks import Asked, Webhooks

__all__ = ["GROUP", "Asked", "Question", "Webhooks", "findings", "notes", "question_of"]
