"""Drafts are written anew until they are issued: declarations and files."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from meetings_server.database import Database
from minutes.directives import (
    Directive,
    DirectiveFile,
    DirectiveWrongState,
    StateSecretRefused,
    UnknownDirective,
    UnknownDirectiveFile,
)
from minutes.file_kinds import PDF, PNG, FileTypeRefused
from minutes.issuing import issue
from minutes.redrafting import change_draft, declared
from minutes.registers import NumberTaken
from minutes.storage import ReceivedFile
from rooms.kernel import FieldInvalid
from rooms.meetings import StaleVersion
from rooms.policies import NotPermitted
from tests.documents import drafted, issued
from tests.factories import City, make_city

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
PICTURE = ReceivedFile("a" * 64, 10, PNG, "so-do.png")


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, NOW)


def names(session: Session, directive_id: int) -> list[str]:
    return list(
        session.scalars(
            select(DirectiveFile.filename)
            .where(DirectiveFile.directive_id == directive_id)
            .order_by(DirectiveFile.n)
        )
    )


def test_a_draft_is_written_anew_and_issued_as_it_stands_then(
    db: Database, city: City, tmp_path: Path
) -> None:
    with db.transaction() as session:
        draft = drafted(session, city, tmp_path, NOW)
        wanted = replace(
            declared(draft), title="Kế hoạch mới", number=41, deadline=NOW + timedelta(days=3)
        )
        changed = change_draft(session, city.secretary, draft.id, wanted, NOW, version=1)
        assert (changed.version, changed.title, changed.number_symbol) == (
            2,
            "Kế hoạch mới",
            "41/KH-UBND",
        )
        assert "ke hoach moi" in changed.folded
        assert len(names(session, draft.id)) == 1
        assert issue(session, city.secretary, draft.id, NOW).number == 41


def test_the_second_editor_is_told(db: Database, city: City, tmp_path: Path) -> None:
    with db.transaction() as session:
        draft = drafted(session, city, tmp_path, NOW)
        same = declared(draft)
        change_draft(session, city.secretary, draft.id, same, NOW, version=1)
        with pytest.raises(StaleVersion) as stale:
            change_draft(session, city.secretary, draft.id, same, NOW, version=1)
        assert (stale.value.current, stale.value.given) == (2, 1)


def test_files_are_added_removed_and_the_document_replaced(
    db: Database, city: City, tmp_path: Path
) -> None:
    with db.transaction() as session:
        draft = drafted(session, city, tmp_path, NOW)
        first = names(session, draft.id)[0]
        same = declared(draft)
        annex = ReceivedFile("b" * 64, 10, PDF, "phụ lục.pdf")
        change_draft(session, city.secretary, draft.id, same, NOW, added=[annex, PICTURE, annex])
        assert names(session, draft.id) == [first, annex.filename, "so-do.png"]
        other = ReceivedFile("c" * 64, 10, PDF, "bản mới.pdf")
        change_draft(session, city.secretary, draft.id, same, NOW, added=[other], removed=[1, 3])
        assert names(session, draft.id) == [other.filename, annex.filename]
        change_draft(session, city.secretary, draft.id, same, NOW, removed=[1])
        assert names(session, draft.id) == [annex.filename]
        with pytest.raises(UnknownDirectiveFile):
            change_draft(session, city.secretary, draft.id, same, NOW, removed=[7])
        with pytest.raises(FileTypeRefused):
            change_draft(session, city.secretary, draft.id, same, NOW, added=[PICTURE], removed=[1])


def test_what_makes_no_draft_changes_none(db: Database, city: City, tmp_path: Path) -> None:
    with db.transaction() as session:
        taken = issued(session, city, tmp_path, NOW)
        draft = drafted(session, city, tmp_path, NOW)
        said, draft_id, issued_id = declared(draft), draft.id, taken.id
    refusals = [
        (replace(said, secrecy="secret"), StateSecretRefused),
        (replace(said, title=" "), FieldInvalid),
        (replace(said, deadline=NOW - timedelta(days=1)), FieldInvalid),
        (replace(said, number=taken.number), NumberTaken),
    ]
    for wanted, error in refusals:
        with pytest.raises(error), db.transaction() as session:
            change_draft(session, city.secretary, draft_id, wanted, NOW)
    with pytest.raises(DirectiveWrongState), db.transaction() as session:
        change_draft(session, city.secretary, issued_id, said, NOW)
    for username, refusal in (
        ("truc.vanmieu", UnknownDirective),
        ("thuky.dongda", UnknownDirective),
    ):
        with pytest.raises(refusal), db.transaction() as session:
            change_draft(session, city.actors[username], draft_id, said, NOW)
    district = city.actors["thuky.dongda"]
    with db.transaction() as session:
        own = drafted(session, city, tmp_path, NOW, district, issuing_unit_id=city.units["006"])
    with pytest.raises(NotPermitted), db.transaction() as session:
        change_draft(session, district, own.id, said, NOW)
    with db.reader() as session:
        kept = session.get_one(Directive, draft_id)
        assert (kept.version, kept.title) == (1, said.title)
