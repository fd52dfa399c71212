"""The four dashboards."""

from __future__ import annotations

from typing import Final

from scripts.dashboards.controllers import CONTROLLERS
from scripts.dashboards.grafana import Board
from scripts.dashboards.models import COLD_STARTS, MODEL_SERVER, SERVICES

__all__ = ["BOARDS"]

BOARDS: Final[tuple[Board, ...]] = (SERVICES, COLD_STARTS, MODEL_SERVER, CONTROLLERS)
