"""What is fetched and what goes, from what is wanted, there, and running. Pure.

What a cache asks for by name stays (it is pinned); what is there on demand stays while there is
room, the most valuable first. What nobody wants goes at once, but never under a running pod: a
model's former revision stays until the present one is there and the pods that read it are gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rouse.coldstart.eviction import DEFAULT_POLICY, Entry, Policy, choose, value_of

__all__ = ["Copy", "Decision", "Known", "Run", "Wish", "decide", "source_of", "sources_of"]


@dataclass(frozen=True, slots=True)
class Wish:
    """A model that the node shall have; ``key`` is its name in the status."""

    key: str
    uri: str
    pinned: bool = True
    scope: str = ""
    """The namespace whose credentials open it; empty: the agent's, or a LocalModelCache's."""
    readers: frozenset[str] | None = None
    """The namespaces that may read it; None: all."""

    @property
    def source(self) -> str:
        """What is fetched: the location, as those credentials open it."""
        return source_of(self.uri, self.scope)


@dataclass(frozen=True, slots=True)
class Known:
    """What the agent knows of a location, from fetching it and from the pods that used it."""

    digest: str = ""
    """The copy of its present revision; empty: none was fetched."""
    former: tuple[str, ...] = ()
    """Copies of revisions before that."""
    bytes: int = 0
    """Its size, also while it is not there; 0: unknown."""
    cost: float = 1.0
    """Seconds that the last fetch took."""
    uses: int = 0
    used_at: float = 0.0
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class Copy:
    """An entry of the cache."""

    digest: str
    bytes: int
    fetched_at: float = 0.0
    content: str = ""
    """The same word for equal bytes, which are stored once; empty: not known yet."""


@dataclass(frozen=True, slots=True)
class Run:
    """A pod that has a location's model; ``since`` is when it was made, in epoch seconds."""

    uri: str
    since: float = 0.0
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do next."""

    fetch: tuple[str, ...] = ()
    """Sources of which no copy is there, in this order."""
    evict: tuple[str, ...] = ()
    """Digests to remove first."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Source -> why there is no room for it."""
    age: float = 0.0


def decide(
    wishes: Sequence[Wish],
    known: Mapping[str, Known],
    copies: Iterable[Copy],
    runs: Iterable[Run],
    *,
    budget: int,
    taken: int = 0,
    age: float = 0.0,
    policy: Policy = DEFAULT_POLICY,
) -> Decision:
    """Decide for a cache of ``budget`` bytes, of which ``taken`` are downloads on their way.

    ``known`` is by source. What several copies have in common is to be taken from ``taken``.
    """
    there = {each.digest: each for each in copies}
    held = _in_use(known, there, runs)
    wanted = {wish.source: known.get(wish.source, Known()) for wish in wishes}
    current = {each.digest for each in wanted.values() if each.digest in there}
    gone = {digest for digest in there if digest not in current and digest not in held}
    # Running pods hold what is not wanted any more: room that nobody else can have yet.
    occupied = sum(there[d].bytes for d in held - current)
    admitted, refused = _admit(wishes, wanted, there, held, budget, policy)
    missing = [uri for uri in admitted if wanted[uri].digest not in there]
    left = [
        _entry(uri, each, there[each.digest], held=uri in admitted or each.digest in held)
        for uri, each in wanted.items()
        if each.digest in there
    ]
    eviction = choose(
        _once(left),
        sum(wanted[uri].bytes for uri in missing),
        budget=budget,
        taken=taken + occupied,
        policy=policy,
        age=age,
    )
    gone |= {each.name for each in eviction.gone}
    fetch = missing if not eviction.short else _fitting(missing, wanted, eviction.short)
    for uri in missing:
        if uri not in fetch:
            refused[uri] = "what running pods use leaves no room for it yet"
    return Decision(tuple(fetch), tuple(sorted(gone)), refused, eviction.age)


def source_of(uri: str, scope: str = "") -> str:
    """What a location is called with whose credentials open it.

    No two pairs have one name, whatever a location says: a namespace has no line's end in it.
    """
    return f"{scope}\n{uri}" if scope or "\n" in uri else uri


def sources_of(run: Run) -> tuple[str, ...]:
    """The sources whose copies a pod can have read."""
    return tuple(dict.fromkeys((source_of(run.uri), source_of(run.uri, run.namespace))))


def _in_use(known: Mapping[str, Known], there: Mapping[str, Copy], runs: Iterable[Run]) -> set[str]:
    """The copies that running pods may have open."""
    found: set[str] = set()
    for run in runs:
        for each in (known[source] for source in sources_of(run) if source in known):
            present = there.get(each.digest)
            if present is not None:
                found.add(each.digest)
            # A pod that was made before the present revision came may read one before it.
            if present is None or run.since <= present.fetched_at:
                found.update(digest for digest in each.former if digest in there)
    return found


def _admit(
    wishes: Sequence[Wish],
    wanted: Mapping[str, Known],
    there: Mapping[str, Copy],
    held: set[str],
    budget: int,
    policy: Policy,
) -> tuple[list[str], dict[str, str]]:
    """The sources that are kept or fetched, and why others are not.

    What runs has its room anyhow; then come pinned ones, then the most valuable. Equal bytes take
    room once.
    """
    running = [uri for uri, known in wanted.items() if known.digest in held]
    pinned = dict.fromkeys(wish.source for wish in wishes if wish.pinned)
    demand = {wish.source: None for wish in wishes if wish.source not in pinned}
    ranked = sorted(demand, key=lambda uri: (-_value(uri, wanted[uri], policy), uri))
    admitted: list[str] = []
    refused: dict[str, str] = {}
    room = budget
    contents: set[str] = set()
    for uri in dict.fromkeys((*running, *pinned, *ranked)):
        copy = there.get(wanted[uri].digest)
        content = copy.content if copy is not None else ""
        size = 0 if content in contents else wanted[uri].bytes
        if size > budget:
            refused[uri] = f"it has {size} bytes, and the node's budget is {budget} bytes"
        elif size > room:
            refused[uri] = f"it has {size} bytes, and other models leave {max(room, 0)} bytes"
        else:
            admitted.append(uri)
            room -= size
            contents |= {content} - {""}
    return admitted, refused


def _fitting(missing: Sequence[str], wanted: Mapping[str, Known], short: int) -> list[str]:
    """Of what is missing, as much as fits when ``short`` bytes are not to be had, in order."""
    room = sum(wanted[uri].bytes for uri in missing) - short
    found = []
    for uri in missing:
        if wanted[uri].bytes <= room:
            found.append(uri)
            room -= wanted[uri].bytes
    return found


def _value(uri: str, known: Known, policy: Policy) -> float:
    return value_of(_entry(uri, known, Copy("", known.bytes), held=False), policy)


def _entry(name: str, known: Known, copy: Copy, *, held: bool) -> Entry:
    # One use more than was seen, as of everything that just came: it is wanted.
    uses, cost, age = known.uses + 1, known.cost, known.age
    digest = copy.digest or name
    return Entry(digest, copy.bytes, uses, known.used_at, cost, age, held=held)


def _once(entries: Iterable[Entry]) -> list[Entry]:
    """One entry of each copy: two locations may have the same."""
    found: dict[str, Entry] = {}
    for each in entries:
        if each.name not in found or each.held:
            found[each.name] = each
    return list(found.values())
