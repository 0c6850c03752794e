"""Making and changing a meeting in the page: what is refused, and that nothing is done twice."""

import json
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import func, select

from meetings_server.database import Database
from rooms.kernel import utcnow
from rooms.meetings import Meeting, Participation, Reply
from rooms.replies import Answer, reply
from rooms.scheduling import cancel
from tests.conftest import SignIn
from tests.factories import (
    City,
    booked_meeting,
    make_city,
    participation_of,
    scheduled_meeting,
    working_day,
)

Client = TestClient[Litestar]
EVERYBODY = [{"include": "level", "level": level} for level in ("department", "district", "ward")]


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


def typed(city: City, **changes: Any) -> dict[str, Any]:
    """A form that would be accepted, with other fields on top."""
    form = {
        "title": "Giao ban tháng",
        "kind": "periodic",
        "host_unit": str(city.units["01"]),
        "main_point": str(city.points["01"]),
        "chair": str(city.chair.person_id),
        "date": working_day(utcnow(), 5).isoformat(),
        "start": "08:00",
        "end": "10:00",
        "agenda": json.dumps([{"title": "Khai mạc", "presenter": ""}]),
        "audience": json.dumps(EVERYBODY),
        "request_key": "form-1",
        "act": "send",
    }
    return form | changes


def meetings(db: Database) -> int:
    with db.reader() as session:
        return session.scalar(select(func.count()).select_from(Meeting)) or 0


def test_a_secretary_invites_the_whole_city(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    sign_in(city.secretary.person_id)
    answer = client.post("/meetings/new", data=typed(city), follow_redirects=False)
    assert answer.status_code == 303
    with db.reader() as session:
        meeting = session.scalars(select(Meeting)).one()
        assert answer.headers["location"] == f"/meetings/{meeting.id}"
        assert (meeting.state, meeting.title) == ("scheduled", "Giao ban tháng")
        assert session.scalar(select(func.count()).select_from(Participation)) == 9


def test_a_draft_tells_nobody_and_is_sent_later(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    sign_in(city.secretary.person_id)
    answer = client.post("/meetings/new", data=typed(city, act="draft"), follow_redirects=False)
    path = answer.headers["location"]
    with db.reader() as session:
        assert session.scalars(select(Meeting.state)).one() == "draft"
    assert client.post(f"{path}/acts/schedule", data={}, follow_redirects=False).status_code == 303
    with db.reader() as session:
        assert session.scalars(select(Meeting.state)).one() == "scheduled"


def test_a_second_click_makes_no_second_meeting(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    sign_in(city.secretary.person_id)
    first = client.post("/meetings/new", data=typed(city), follow_redirects=False)
    again = client.post("/meetings/new", data=typed(city), follow_redirects=False)
    assert (again.status_code, again.headers["location"]) == (303, first.headers["location"])
    assert meetings(db) == 1


BAD: list[tuple[dict[str, Any], str]] = [
    ({"title": ""}, "title"),
    ({"title": "x" * 301}, "title"),
    ({"kind": ""}, "kind"),
    ({"kind": "picnic"}, "kind"),
    ({"chair": ""}, "chair"),
    ({"chair": "Ông Long"}, "chair"),
    ({"chair": "999999"}, "chair"),
    ({"chair": "9" * 400}, "chair"),
    ({"host_unit": "999999"}, "host_unit"),
    ({"main_point": "999999"}, "main_point"),
    ({"date": ""}, "date"),
    ({"date": "31/02/2027"}, "date"),
    ({"date": "2020-01-06"}, "start"),
    ({"date": "2199-01-06"}, "start"),
    ({"start": "8 giờ"}, "start"),
    ({"start": "25:00"}, "start"),
    ({"end": "08:00"}, "end"),
    ({"end": "07:00"}, "end"),
    ({"setup_minutes": "-5"}, "setup_minutes"),
    ({"setup_minutes": "99999"}, "setup_minutes"),
    ({"join_url": "javascript:alert(1)"}, "join_url"),
    ({"join_pin": "1" * 41}, "join_pin"),
    ({"requirements": "x" * 4001}, "requirements"),
    ({"agenda": "["}, "agenda"),
    ({"agenda": '["x"]'}, "agenda"),
    ({"agenda": '[{"title": 1}]'}, "agenda"),
    ({"agenda": '[{"title": "", "presenter": "Ai đó"}]'}, "agenda"),
    ({"agenda": json.dumps([{"title": "x"}] * 101)}, "agenda"),
    ({"audience": ""}, "audience"),
    ({"audience": "{}"}, "audience"),
    ({"audience": "[[]]"}, "audience"),
    ({"audience": '[{"include": "unit", "unit": "nowhere"}]'}, "audience"),
    ({"audience": '[{"include": "unit", "unit": "01"}]'}, "audience"),
    ({"audience": "[" * 5000}, "audience"),
]


def test_bad_input_is_named_at_its_field_and_changes_nothing(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    sign_in(city.secretary.person_id)
    for changes, place in BAD:
        answer = client.post("/meetings/new", data=typed(city, **changes))
        assert answer.status_code in {403, 404, 422}, changes
        assert f'href="#field-{place}"' in answer.text, changes
        # What was typed stands in the form again.
        assert 'id="meeting-form"' in answer.text
        assert (
            changes.get("requirements", "Giao ban tháng")[:20] in answer.text or "title" in changes
        )
    assert meetings(db) == 0


def test_all_that_is_missing_is_told_at_once(client: Client, sign_in: SignIn, city: City) -> None:
    sign_in(city.secretary.person_id)
    answer = client.post("/meetings/new", data={})
    assert answer.status_code == 422
    for place in ("title", "kind", "chair", "host_unit", "main_point", "date", "start", "audience"):
        assert f'href="#field-{place}"' in answer.text


def test_late_invitations_ask_for_a_reason(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    sign_in(city.secretary.person_id)
    soon = {"date": working_day(utcnow(), 2).strftime("%d/%m/%Y")}
    answer = client.post("/meetings/new", data=typed(city, **soon))
    assert answer.status_code == 422
    assert 'href="#field-late_reason"' in answer.text
    kept = client.post(
        "/meetings/new", data=typed(city, late_reason="Họp khẩn", **soon), follow_redirects=False
    )
    assert kept.status_code == 303
    assert meetings(db) == 1


def test_someone_elses_unit_is_refused(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    sign_in(city.actors["thuky.dongda"].person_id)
    answer = client.post("/meetings/new", data=typed(city))
    assert answer.status_code == 403
    assert 'href="#field-host_unit"' in answer.text
    sign_in(city.actors["truc.vanmieu"].person_id)
    assert client.get("/meetings/new").status_code == 403
    assert client.post("/meetings/preview", data=typed(city)).status_code == 403
    assert meetings(db) == 0


def test_a_clash_names_who_holds_the_point_and_the_next_free_start(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    with db.transaction() as session:
        booked_meeting(session, city, utcnow(), title="Họp đã có")
    sign_in(city.secretary.person_id)
    answer = client.post("/meetings/new", data=typed(city))
    assert answer.status_code == 409
    for words in ("Họp đã có", city.secretary.name, "Thành phố Hà Nội", 'data-take-start="13:00"'):
        assert words in answer.text
    assert meetings(db) == 1


def test_two_secretaries_race_for_one_point(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    """Both press the button at once: one meeting, and one clear refusal."""
    start = Barrier(2)
    answers: list[tuple[int, str]] = []
    browsers = []
    for username, host in (("thuky", "01"), ("thuky.dongda", "006")):
        sign_in(city.actors[username].person_id)
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        token = client.headers["x-csrftoken"]
        browsers.append(({"cookie": cookies, "x-csrftoken": token}, username, host))
    client.cookies.clear()

    def press(headers: dict[str, str], key: str, host: str) -> None:
        form = typed(
            city,
            request_key=key,
            host_unit=str(city.units[host]),
            main_point=str(city.points[host]),
            audience=json.dumps([{"include": "unit", "unit": "00181"}]),
        )
        start.wait(30)
        answer = client.post("/meetings/new", data=form, headers=headers, follow_redirects=False)
        answers.append((answer.status_code, answer.text))

    threads = [Thread(target=press, args=browser) for browser in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _text in answers) == [303, 409]
    (refused,) = [text for status, text in answers if status == 409]
    assert 'data-take-start="13:00"' in refused
    assert meetings(db) == 1


def test_the_preview_writes_nothing_and_counts(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    sign_in(city.secretary.person_id)
    rules = [*EVERYBODY, {"exclude": "unit", "unit": "00226"}]
    form = typed(city, audience=json.dumps(rules), title="", chair="")
    answer = client.post("/meetings/preview", data=form).raise_for_status()
    assert "trừ Phường Trung Tự" in answer.text
    assert 'data-button-words="Gửi giấy mời tới 7 đơn vị"' in answer.text
    assert 'data-late="no"' in answer.text
    soon = form | {"date": working_day(utcnow(), 1).isoformat()}
    assert 'data-late="yes"' in client.post("/meetings/preview", data=soon).text
    for broken in ({"audience": "["}, {"date": "x"}, {"main_point": "9" * 30}, {}):
        assert client.post("/meetings/preview", data=form | broken).status_code == 200
    assert client.post("/meetings/preview?meeting=999999", data=form).status_code == 404
    assert client.post(f"/meetings/preview?meeting={'9' * 30}", data=form).status_code == 404
    assert meetings(db) == 0


def test_changing_and_moving(db: Database, client: Client, sign_in: SignIn, city: City) -> None:
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, utcnow())
    sign_in(city.secretary.person_id)
    path = f"/meetings/{meeting.id}"
    form = typed(city, version=str(meeting.version), start="14:00", end="15:00")
    refused = client.post(f"{path}/edit", data=form)
    assert refused.status_code == 422
    assert 'href="#field-reason"' in refused.text
    form |= {"reason": "Trùng lịch Thành ủy"}
    assert client.post(f"{path}/edit", data=form, follow_redirects=False).status_code == 303
    # The same form again is that of a second editor: it is based on what is no longer.
    stale = client.post(f"{path}/edit", data=form)
    assert stale.status_code == 409
    assert "Trùng lịch Thành ủy" in client.get(f"{path}?tab=history").text
    with db.reader() as session:
        now = session.get_one(Meeting, meeting.id)
        assert (now.sequence, now.starts_at.astimezone().minute) == (1, 0)
        version = now.version
    drop = {"date": working_day(utcnow(), 6).isoformat(), "start": "09:00", "end": "10:30"}
    dialog = client.get(f"{path}/move", params=drop).raise_for_status()
    assert 'id="move-form"' in dialog.text
    assert client.post(f"{path}/move", data=drop | {"version": str(version)}).status_code == 422
    done = client.post(
        f"{path}/move",
        data=drop | {"version": str(version), "reason": "Dời ngày"},
        follow_redirects=False,
    )
    assert done.status_code == 303
    assert client.get(f"{path}/move").status_code == 422
    with db.reader() as session:
        version = session.get_one(Meeting, meeting.id).version
        district = participation_of(session, meeting.id, city.units["006"]).id
    sign_in(city.actors["thuky.dongda"].person_id)
    said = {"reply": "accepted", "delegate_name": "Lê Thu Hà", "is_substitute": ""}
    assert client.post(f"/invitations/{district}", data=said, follow_redirects=False).is_redirect
    sign_in(city.secretary.person_id)
    further = {"date": working_day(utcnow(), 7).isoformat(), "start": "09:00", "end": "10:30"}
    assert "1 đơn vị đã trả lời" in client.get(f"{path}/move", params=further).text
    again = further | {"version": str(version), "reason": "Dời ngày"}
    assert client.post(f"{path}/move", data=again, follow_redirects=False).is_redirect
    assert "Đã xác nhận cho giờ cũ" in client.get(f"{path}?reply=pending").text
    assert "1 đơn vị đã trả lời được hỏi lại" in client.get(f"{path}?tab=history").text
    sign_in(city.actors["thuky.dongda"].person_id)
    asked = client.get(f"/invitations/{district}").text
    assert "đề nghị trả lời lại cho giờ mới" in asked
    assert 'value="Lê Thu Hà"' in asked
    for username in ("thuky.dongda", "truc.vanmieu"):
        sign_in(city.actors[username].person_id)
        assert client.get(f"{path}/edit").status_code == 403
        assert client.post(f"{path}/edit", data=form).status_code == 403
        assert client.get(f"{path}/move", params=drop).status_code == 403


def test_a_meeting_may_end_on_another_day(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    sign_in(city.secretary.person_id)
    first, last = working_day(utcnow(), 5), working_day(utcnow(), 5) + timedelta(days=1)
    form = typed(city, date=first.isoformat(), start="14:00", end="11:00")
    assert 'href="#field-end"' in client.post("/meetings/new", data=form).text
    for wrong in ((first - timedelta(days=1)).isoformat(), "31/02/2027"):
        refused = client.post("/meetings/new", data=form | {"end_date": wrong})
        assert 'href="#field-end_date"' in refused.text
    form |= {"end_date": last.isoformat()}
    checked = client.post("/meetings/preview", data=form).raise_for_status().text
    assert "check-ok" in checked
    made = client.post("/meetings/new", data=form, follow_redirects=False)
    assert made.status_code == 303, made.text
    path = made.headers["location"]
    shown = client.get(path).text
    assert f"{first:%d/%m/%Y}, 14:00" in shown
    assert f"{last:%d/%m/%Y}, 11:00" in shown
    with db.reader() as session:
        meeting = session.scalars(select(Meeting)).one()
        assert (meeting.ends_at - meeting.starts_at) == timedelta(hours=21)
    span = {"start": f"{last}T00:00:00+07:00", "end": f"{last + timedelta(days=1)}T00:00:00+07:00"}
    events = client.get("/meetings/events", params=span).json()
    assert [event["end"][:16] for event in events] == [f"{last}T11:00"]
    assert f'value="{last.isoformat()}"' in client.get(f"{path}/edit").text
    asked = {
        "date": last.isoformat(),
        "start": "14:00",
        "end_date": (last + timedelta(days=1)).isoformat(),
        "end": "11:00",
    }
    dialog = client.get(f"{path}/move", params=asked).raise_for_status().text
    assert f"{last:%d/%m/%Y}, 14:00" in dialog
    asked |= {"version": str(meeting.version), "reason": "Dời ngày", "late_reason": "Gấp"}
    assert client.post(f"{path}/move", data=asked, follow_redirects=False).status_code == 303
    with db.reader() as session:
        moved = session.scalars(select(Meeting)).one()
        assert moved.ends_at - moved.starts_at == timedelta(hours=21)
        assert moved.day == last


def test_a_meeting_that_is_off_is_not_edited(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, utcnow())
        cancel(session, city.secretary, meeting.id, "Bão", utcnow())
    sign_in(city.secretary.person_id)
    assert client.get(f"/meetings/{meeting.id}/edit").status_code == 409
    form = typed(city, version=str(meeting.version))
    assert client.post(f"/meetings/{meeting.id}/edit", data=form).status_code == 409


def test_papers_are_attached_when_the_meeting_is_made(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    sign_in(city.secretary.person_id)
    lies = {"papers": ("../../etc/passwd.pdf", b"MZ\x90\x00 not a pdf", "application/pdf")}
    refused = client.post("/meetings/new", data=typed(city), files=lies)
    assert refused.status_code == 422
    assert 'href="#field-papers"' in refused.text
    assert meetings(db) == 0
    text = {"papers": ("Báo cáo.txt", "Kết quả tháng".encode(), "text/plain")}
    done = client.post("/meetings/new", data=typed(city), files=text, follow_redirects=False)
    assert done.status_code == 303
    assert "Báo cáo" in client.get(f"{done.headers['location']}?tab=papers").text


def test_a_clerk_answers_the_invitation(
    db: Database, client: Client, sign_in: SignIn, city: City
) -> None:
    now = utcnow()
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, now)
        own = participation_of(session, meeting.id, city.units["00181"])
    clerk = city.actors["vanthu.vanmieu"]
    sign_in(clerk.person_id)
    path = f"/invitations/{own.id}"
    assert path in client.get("/invitations").text
    for bad, place in (
        ({}, "reply"),
        ({"reply": "maybe"}, "reply"),
        ({"reply": "declined"}, "reason"),
        ({"reply": "accepted", "delegate_name": "x" * 121}, "delegate_name"),
    ):
        answer = client.post(path, data=bad)
        assert answer.status_code == 422, bad
        assert f'href="#field-{place}"' in answer.text, bad
    form = {"reply": "accepted", "delegate_name": "Bùi Thị Lan", "is_substitute": "true"}
    assert client.post(path, data=form, follow_redirects=False).status_code == 303
    assert "Bùi Thị Lan" in client.get(path).text
    sign_in(city.actors["truc.cattlinh"].person_id)
    assert client.get(path).status_code == 404
    assert client.post(path, data=form).status_code == 404
    sign_in(city.actors["truc.vanmieu"].person_id)
    assert client.post(path, data=form).status_code == 403
    assert "reply-form" not in client.get(path).text
    with db.transaction() as session:
        reply(session, clerk, own.id, Answer(Reply.ACCEPTED), now)
        cancel(session, city.secretary, meeting.id, "Bão", now)
    sign_in(clerk.person_id)
    assert client.post(path, data=form).status_code == 409
    assert "reply-form" not in client.get(path).text
