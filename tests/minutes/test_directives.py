"""Directive documents: drafts, their files, numbers, and state secrets that are never taken in."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from meetings_server.database import Database
from minutes.directives import (
    Directive,
    DirectiveFile,
    DirectiveWrongState,
    MainFileMissing,
    StateSecretRefused,
    UnknownDirective,
)
from minutes.file_kinds import DOCX, PNG, FileTypeRefused
from minutes.issuing import (
    add_file,
    discard,
    draft_directive,
    end_of,
    issue,
    proposed_number,
)
from minutes.kinds import DocumentKind
from minutes.paper_pointers import NewPointer, PaperPointer, paper_pointers, point_to_paper
from minutes.registers import NumberTaken
from minutes.storage import ReceivedFile, StoredFile
from rooms.kernel import FieldInvalid, civil_day
from rooms.policies import NotPermitted
from tests.documents import drafted, issued, new_directive, received_pdf
from tests.factories import make_city

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TODAY = civil_day(NOW)


def test_a_draft_is_issued_under_the_next_number(db: Database, tmp_path: Path) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        first = issued(session, city, tmp_path, NOW)
        second = issued(session, city, tmp_path, NOW, title="Kế hoạch khác")
        assert (first.number_symbol, second.number_symbol) == ("01/KH-UBND", "02/KH-UBND")
        assert first.state == "issued"
        assert proposed_number(session, city.units["01"], DocumentKind.PLAN, TODAY.year) == 3


def test_each_unit_kind_and_year_has_its_own_numbers(db: Database, tmp_path: Path) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        numbers = [
            issued(session, city, tmp_path, NOW).number,
            issued(session, city, tmp_path, NOW, kind="notice", symbol="TB-UBND").number,
            issued(
                session, city, tmp_path, NOW, document_date=TODAY.replace(year=TODAY.year - 1)
            ).number,
            issued(
                session,
                city,
                tmp_path,
                NOW,
                city.actors["thuky.dongda"],
                issuing_unit_id=city.units["006"],
            ).number,
        ]
    assert numbers == [1, 1, 1, 1]


def test_the_number_on_the_paper_is_kept_and_the_register_goes_on_after_it(
    db: Database, tmp_path: Path
) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        assert issued(session, city, tmp_path, NOW, number=57).number_symbol == "57/KH-UBND"
        assert issued(session, city, tmp_path, NOW).number == 58


def test_a_number_is_not_given_twice(db: Database, tmp_path: Path) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        issued(session, city, tmp_path, NOW, number=57)
        draft = drafted(session, city, tmp_path, NOW)
    with pytest.raises(NumberTaken) as refused, db.transaction() as session:
        issue(session, city.secretary, draft.id, NOW, number=57)
    assert (refused.value.number, refused.value.year) == (57, TODAY.year)
    with pytest.raises(NumberTaken), db.transaction() as session:
        drafted(session, city, tmp_path, NOW, number=57)
    with db.reader() as session:
        assert session.get_one(Directive, draft.id).state == "draft"


def test_issuing_twice_is_refused_and_uses_one_number(db: Database, tmp_path: Path) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        directive = issued(session, city, tmp_path, NOW)
    with pytest.raises(DirectiveWrongState), db.transaction() as session:
        issue(session, city.secretary, directive.id, NOW)
    with db.reader() as session:
        assert proposed_number(session, city.units["01"], DocumentKind.PLAN, TODAY.year) == 2


def test_a_directive_without_its_document_is_not_issued(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        directive = draft_directive(session, city.secretary, new_directive(city, NOW), NOW)
        with pytest.raises(MainFileMissing):
            issue(session, city.secretary, directive.id, NOW)


@pytest.mark.parametrize("secrecy", ["confidential", "secret", "top_secret"])
def test_a_state_secret_leaves_nothing_behind(db: Database, tmp_path: Path, secrecy: str) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
    received = received_pdf(tmp_path)
    new = new_directive(city, NOW, secrecy=secrecy, title="")
    with pytest.raises(StateSecretRefused) as refused, db.transaction() as session:
        draft_directive(session, city.secretary, new, NOW, [received])
    assert refused.value.secrecy == secrecy
    with db.reader() as session:
        for table in (Directive, DirectiveFile, StoredFile):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_secrecy_has_to_be_declared(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        with pytest.raises(FieldInvalid) as refused:
            draft_directive(session, city.secretary, new_directive(city, NOW, secrecy=""), NOW)
    assert (refused.value.field, refused.value.problem) == ("secrecy", "missing")


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"title": "  "}, "title", "missing"),
        ({"title": "x" * 501}, "title", "too_long"),
        ({"title": "a\x00b"}, "title", "control_characters"),
        ({"kind": "song"}, "kind", "unknown"),
        ({"symbol": ""}, "symbol", "missing"),
        ({"symbol": "KH UBND"}, "symbol", "has_spaces"),
        ({"symbol": "57/KH-UBND"}, "symbol", "number_in_symbol"),
        ({"symbol": "TB-UBND"}, "symbol", "not_of_kind"),
        ({"signed_by_name": ""}, "signed_by_name", "missing"),
        ({"document_date": TODAY + timedelta(days=1)}, "document_date", "in_the_future"),
        ({"document_date": TODAY.replace(year=2000)}, "document_date", "too_old"),
        ({"urgency": "soon"}, "urgency", "unknown"),
        ({"number": 0}, "number", "out_of_range"),
        ({"number": 1_000_000}, "number", "out_of_range"),
        ({"deadline": NOW}, "deadline", "in_the_past"),
        ({"deadline": NOW + timedelta(days=4000)}, "deadline", "too_far"),
        ({"secrecy": "perhaps"}, "secrecy", "unknown"),
    ],
)
def test_bad_input_names_the_field(
    db: Database, changes: dict[str, Any], field: str, problem: str
) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        with pytest.raises(FieldInvalid) as refused:
            draft_directive(session, city.secretary, new_directive(city, NOW, **changes), NOW)
    assert (refused.value.field, refused.value.problem) == (field, problem)


def test_nobody_drafts_for_another_unit(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        for actor in ("thuky.dongda", "truc.vanmieu", "lanhdao", "quantri"):
            with pytest.raises(NotPermitted):
                draft_directive(session, city.actors[actor], new_directive(city, NOW), NOW)


def test_a_form_sent_twice_is_one_directive(db: Database, tmp_path: Path) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
    received = received_pdf(tmp_path)
    ids = []
    for _ in range(2):
        with db.transaction() as session:
            new = new_directive(city, NOW)
            ids.append(draft_directive(session, city.secretary, new, NOW, [received], "form-1").id)
    assert ids[0] == ids[1]
    with db.reader() as session:
        assert session.scalar(select(func.count()).select_from(DirectiveFile)) == 1


def test_the_document_is_a_pdf_or_docx_and_annexes_may_be_anything_taken(
    db: Database, tmp_path: Path
) -> None:
    picture = ReceivedFile("a" * 64, 10, PNG, "ảnh.png")
    letter = ReceivedFile("b" * 64, 10, DOCX, "công văn.docx")
    with db.transaction() as session:
        city = make_city(session, NOW)
        directive = draft_directive(session, city.secretary, new_directive(city, NOW), NOW)
        with pytest.raises(FileTypeRefused):
            add_file(session, city.secretary, directive.id, picture, NOW)
        assert add_file(session, city.secretary, directive.id, letter, NOW).n == 1
        assert add_file(session, city.secretary, directive.id, picture, NOW).n == 2
        assert add_file(session, city.secretary, directive.id, picture, NOW).n == 2
        issue(session, city.secretary, directive.id, NOW)
        with pytest.raises(DirectiveWrongState):
            add_file(session, city.secretary, directive.id, received_pdf(tmp_path), NOW)


def test_a_draft_is_thrown_away_an_issued_directive_is_not(db: Database, tmp_path: Path) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        draft, kept = drafted(session, city, tmp_path, NOW), issued(session, city, tmp_path, NOW)
        with pytest.raises(UnknownDirective):
            discard(session, city.actors["thuky.dongda"], draft.id, NOW)
        discard(session, city.secretary, draft.id, NOW)
        with pytest.raises(DirectiveWrongState):
            discard(session, city.secretary, kept.id, NOW)
        assert session.scalars(select(Directive.id)).all() == [kept.id]


def test_a_day_alone_is_a_deadline_until_its_last_minute() -> None:
    assert end_of(TODAY) == datetime(2026, 11, 23, 16, 59, tzinfo=UTC)


def test_of_a_secret_only_the_place_of_the_paper_is_kept(db: Database) -> None:
    with db.transaction() as session:
        city = make_city(session, NOW)
        new = NewPointer(city.units["01"], "12-KH/TU", TODAY, "Két sắt số 2, phòng 305")
        point_to_paper(session, city.secretary, new, NOW)
        point_to_paper(session, city.secretary, new, NOW)
        with pytest.raises(NotPermitted):
            point_to_paper(session, city.actors["thuky.dongda"], new, NOW)
        seen = session.scalars(paper_pointers(city.secretary, TODAY)).all()
        assert [pointer.place for pointer in seen] == ["Két sắt số 2, phòng 305"]
        assert not session.scalars(paper_pointers(city.actors["thuky.dongda"], TODAY)).all()
    assert {"title", "content", "sha256"}.isdisjoint(PaperPointer.__table__.columns.keys())
