"""What passes between the process that reads files and those that write: jobs and their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mappers.links import Row
from mappers.problems import Problem

PERSON_FILES = ("PERSON", "ADDRESS", "DISABILITY", "DEATH", "PAT", "CARDREAD")
"""What the shared Patient is computed from: the rows of one person come together."""


class Numbered(NamedTuple):
    file: str
    number: int
    """Line in the file, from 1."""
    row: Row


@dataclass(frozen=True, slots=True)
class RowsJob:
    """Rows of one file."""

    file: str
    rows: Sequence[Numbered]


@dataclass(frozen=True, slots=True)
class PersonsJob:
    """Rows of `PERSON_FILES`, those of one person in one list."""

    persons: Sequence[Sequence[Numbered]]


Job = RowsJob | PersonsJob


class Refusal(NamedTuple):
    """Why a row is not in the store, or what is odd about one that is; the value is masked by the rule of reports."""

    file: str
    row: int
    field: str
    rule: str
    value: str
    english: str
    thai: str
    grave: bool
    """The row was refused."""

    @classmethod
    def of(cls, problem: Problem) -> Refusal:
        return cls(
            problem.file,
            problem.row,
            problem.field,
            problem.rule,
            problem.value,
            problem.english,
            problem.thai,
            problem.refused,
        )


class Review(NamedTuple):
    """Two registrations with one citizen id that were not taken for one person."""

    one: str
    """Facility and PID (of a claim file HN)."""
    other: str
    reasons: tuple[str, ...]


@dataclass(slots=True)
class Counts:
    """Rows of one file."""

    read: int = 0
    mapped: int = 0
    """Written: new or changed."""
    unchanged: int = 0
    older: int = 0
    """An older or implausible D_UPDATE than that of the stored row: nothing was changed."""
    refused: int = 0
    resources: int = 0
    """Versions written."""
    unresolved: int = 0
    """Rows that refer to something that is not in the store."""
    elsewhere: int = 0
    """Claim rows of a visit that the store knows from another source: not taken a second time."""

    def add(self, other: Counts) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def as_json(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Answer:
    """What became of a job."""

    counts: dict[str, Counts] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)

    def of(self, file: str) -> Counts:
        return self.counts.setdefault(file, Counts())
