"""The ``Table`` form of objects that kubectl prints, with kubectl's own columns per kind."""

from rouse.embedded.apiserver.table.age import age, human_duration
from rouse.embedded.apiserver.table.columns import Column, IncludeObject, RowMaker, make_table
from rouse.embedded.apiserver.table.printers import Printer, printer_for

__all__ = [
    "Column",
    "IncludeObject",
    "Printer",
    "RowMaker",
    "age",
    "human_duration",
    "make_table",
    "printer_for",
]
