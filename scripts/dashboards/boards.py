"""The four dashboards."""

from __future__ import annotations

from typing import Final

from scripts.dashboards.coldstarts import COLD_STARTS
from scripts.dashboards.controllers import CONTROLLERS
from scripts.dashboards.grafana import Board
from scripts.dashboards.modelserver import MODEL_SERVER
from scripts.dashboards.services import SERVICES

__all__ = ["BOARDS"]

BOARDS: Final[tuple[Board, ...]] = (SERVICES, COLD_STARTS, MODEL_SERVER, CONTROLLERS)
