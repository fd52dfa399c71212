"""gjson paths, read as Go's tidwall/gjson (v1.18) reads them: the conditions of InferenceGraphs.

A condition holds when its path finds something in the request. All of gjson's syntax is here:
keys with wildcards and escapes, indexes, `#`, queries, pipes, modifiers, multipaths, literals and
JSON lines; and where gjson is odd, this is odd in the same way, so that a graph takes the same step
as with a router written in Go. As that router does, bodies that are no single JSON value are turned
away: no path finds anything in them.

`Path.exists` looks plain paths up in the parsed body and searches its text for all others;
`Path.get` always searches the text. Known differences from Go:

- Two equal keys in one object: gjson takes the first (and for a path into it the first that leads
  on), `exists` of a plain path the last, for so a parser keeps them. `get` does as gjson.
- A wildcard pattern always gets its answer, where gjson gives up after 10 000 tries per character.
- `@pretty` leaves a text as it is that is nested deeper than 150 levels.
- A path that needs more steps than 100 000 and four for every byte of its document, finds nothing.
- Paths that can only be mistakes, or are too big to be evaluated safely, raise PathError.
"""

from predictors.graph.gjson.paths import Document, Path, PathError, compile_path
from predictors.graph.gjson.validity import is_valid
from predictors.graph.gjson.values import Kind, Result

__all__ = ["Document", "Kind", "Path", "PathError", "Result", "compile_path", "is_valid"]
