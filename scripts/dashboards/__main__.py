"""``python -m scripts.dashboards``: write the JSON files of all dashboards."""

from __future__ import annotations

from scripts.dashboards.boards import BOARDS
from scripts.dashboards.grafana import FOLDER, text_of

for board in BOARDS:
    path = FOLDER / f"{board.uid}.json"
    path.write_text(text_of(board), encoding="utf-8")
    print(f"wrote {path}")
