"""The settings that count, also while a ConfigMap says what cannot be used. Pure.

Nobody who serves models has to stop for somebody's slip: a ConfigMap that cannot be used leaves its
last good content in force. A process that knows none, as it has just started, takes every key that
can be used, and says of the others that they are not known.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Set
from typing import Any, TypeAlias

from pydantic.alias_generators import to_camel

from rouse.compiler.config.kserve import sections_of, settings_of
from rouse.compiler.config.reading import SettingsError, nearest
from rouse.compiler.config.types import CONFIG_MAP, KSERVE_CONFIG_MAP, Config
from rouse.errors import ConfigError, FieldError

__all__ = ["ConfigMap", "InForce", "Judged", "judge"]

ConfigMap: TypeAlias = Mapping[str, Any]
"""A ConfigMap object as the API has it."""

_Data: TypeAlias = Mapping[str, Any]
_Read: TypeAlias = Callable[[_Data], Config]
_Blame: TypeAlias = Callable[[str, Set[str]], tuple[Set[str], Set[str]]]
"""Where a finding is, and the keys of the ConfigMap -> its keys to leave out, settings lost."""
_NAMES = {to_camel(field.name): field.name for field in dataclasses.fields(Config)}
_MISSPELT = 0.8
"""From here on a key is taken for another one misspelt; a mere hint may be further off."""
_FIELDS = {name: key for key, name in _NAMES.items()}


class InForce:
    """The settings in force; tell it of both ConfigMaps whenever one of them changed."""

    def __init__(self) -> None:
        self._own = _Kept(_blame)
        self._kserve = _Kept(_blame_of_kserve)
        self.config = Config()
        """Raises ConfigError where a setting is read that is not known."""
        self.problem = ""
        """What cannot be used, and what counts instead; empty: all is well."""

    def take(self, own: ConfigMap | None, kserve: ConfigMap | None) -> None:
        """Take over rouse-config and KServe's inferenceservice-config; None: it is not there."""
        base = self._kserve.read(kserve, Config.from_kserve)
        config = self._own.read(own, _over(base))
        both = (self._kserve, self._own)
        self.problem = "; ".join(each.problem for each in both if each.problem)
        lost = self._kserve.lost | self._own.lost
        self.config = _guarded(config, lost, self.problem) if lost else config


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a write of a ConfigMap leads to.

    ``refusal`` is why it must not be, with a ``finding`` for each place; ``warning`` is what it
    leaves as wrong as it was.
    """

    refusal: str = ""
    findings: tuple[FieldError, ...] = ()
    warning: str = ""


def judge(
    name: str, new: ConfigMap, old: ConfigMap | None = None, kserve: ConfigMap | None = None
) -> Judged:
    """Say whether ConfigMap rouse-config or inferenceservice-config may be written so.

    ``old`` is what it replaces: a mistake that is there already does not stand in the way of who
    repairs another one. ``kserve`` is KServe's ConfigMap, which rouse-config is laid over. A
    ConfigMap of any other name may be written.
    """
    if name == KSERVE_CONFIG_MAP:
        read: _Read = Config.from_kserve
    elif name == CONFIG_MAP:
        read = _over(_Kept(_blame_of_kserve).read(kserve, Config.from_kserve))
    else:
        return Judged()
    error = _error(new, read)
    if error is None:
        return Judged()
    before = _error(old, read) if old is not None else None
    known = before.findings if before else ()
    fresh = [each for each in error.findings if each not in known]
    if not fresh:
        return Judged(warning=str(error))
    return Judged(refusal=str(SettingsError(error.where, fresh)), findings=tuple(fresh))


class _Kept:
    """One ConfigMap: its last good content, and what is wrong with the present one."""

    def __init__(self, blame: _Blame) -> None:
        self._blame = blame
        self._good: _Data | None = None
        self.problem = ""
        self.lost: frozenset[str] = frozenset()
        """Settings, by their keys in rouse-config, that are not known."""

    def read(self, config_map: ConfigMap | None, read: _Read) -> Config:
        """Return what the ConfigMap says, or said when it was last good, or what can be used."""
        self.problem, self.lost = "", frozenset()
        data = _data(config_map)
        try:
            config = read(data)
        except SettingsError as error:
            instead = (
                "its other keys count" if self._good is None else "its last good content counts"
            )
            self.problem = f"{error} ({instead})"
            return self._usable(data if self._good is None else self._good, read)
        # What is not there is right, and nothing to fall back to.
        self._good = data if config_map is not None else None
        return config

    def _usable(self, data: _Data, read: _Read) -> Config:
        """Read what is left when every key that cannot be used is gone."""
        while True:
            try:
                return read(data)
            except SettingsError as error:
                if not data:
                    raise
                blamed = [self._blame(each.path, data.keys()) for each in error.findings]
            bad = {key for keys, _ in blamed for key in keys} or data.keys()
            self.lost = self.lost.union(*(lost for _, lost in blamed))
            data = {key: value for key, value in data.items() if key not in bad}


def _over(base: Config) -> _Read:
    return lambda data: Config.from_config_map({"data": data}, base=base)


def _data(config_map: ConfigMap | None) -> _Data:
    data = (config_map or {}).get("data")
    return data if isinstance(data, Mapping) else {}


def _error(config_map: ConfigMap, read: _Read) -> SettingsError | None:
    try:
        read(_data(config_map))
    except SettingsError as error:
        return error
    return None


def _blame(path: str, keys: Set[str]) -> tuple[Set[str], Set[str]]:
    """Of rouse-config: the key itself; a key that is none may be another one, misspelt."""
    ways = {key: (f"{key}.", f"{key}[", f"[{key}]") for key in keys}
    key = next((key for key in ways if path == key or path.startswith(ways[key])), _first(path))
    if key in _NAMES:
        return {key}, {key}
    meant = nearest(key, _NAMES, likeness=_MISSPELT)
    return {key} & keys, {meant} - {""} - keys


def _blame_of_kserve(path: str, keys: Set[str]) -> tuple[Set[str], Set[str]]:
    """Of KServe's file: the whole section, and all that it decides."""
    sections = {path} if path in keys else sections_of(_first(path)) & keys
    return sections, {setting for section in sections for setting in settings_of(section)}


def _first(path: str) -> str:
    return re.split(r"[.\[]", path, maxsplit=1)[0]


class _Guarded(Config):
    """Settings of which some are not known."""

    __slots__ = ("_lost", "_why")

    def __getattribute__(self, name: str) -> Any:
        get = object.__getattribute__
        if name in _FIELDS and name in get(self, "_lost"):
            raise ConfigError(f"setting {_FIELDS[name]} is not known: {get(self, '_why')}")
        return get(self, name)


def _guarded(config: Config, lost: Set[str], why: str) -> Config:
    guarded = object.__new__(_Guarded)
    for name in _FIELDS:
        object.__setattr__(guarded, name, getattr(config, name))
    object.__setattr__(guarded, "_lost", {_NAMES[key] for key in lost})
    object.__setattr__(guarded, "_why", why)
    return guarded
