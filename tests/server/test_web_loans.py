"""Pages of loans: naming a substitute, acting on behalf and leaving it, and why one may see a thing."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import select

from meetings_server.database import Database
from minutes.drafting import open_draft, save, submit
from rooms.kernel import civil_day, utcnow
from rooms.lending import Act, Entrustment, Substitution
from rooms.meetings import MeetingChange, MeetingState
from tests.conftest import SignIn
from tests.factories import City, make_city, scheduled_meeting

Client = TestClient[Litestar]
NOW = utcnow()
TODAY = civil_day(NOW)
LAST = TODAY + timedelta(days=9)
SPAN = {"valid_from": str(TODAY), "valid_until": str(LAST)}


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, NOW)


def ids(city: City, *names: str) -> list[int]:
    return [city.actors[name].person_id for name in names]


def entrusted(client: Client, city: City, sign_in: SignIn, *acts: Act) -> None:
    """The chair lets the city's other secretary act on their behalf, who then begins to."""
    chair, clerk = ids(city, "lanhdao", "thuky.snv")
    sign_in(chair)
    given = {"secretary": str(clerk), "acts": [act.value for act in acts], **SPAN}
    answer = client.post(f"/people/{chair}/mandates", data=given, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account/away")
    sign_in(clerk)
    assert client.post("/acting", data={"official": str(chair)}).status_code == 200


def test_a_substitute_is_named_seen_by_both_and_taken_back(
    client: Client, city: City, sign_in: SignIn, db: Database
) -> None:
    absent, other = ids(city, "thuky.dongda", "vanthu.vanmieu")
    sign_in(absent)
    place = f"/people/{absent}/substitutes"
    named = {"substitute": str(other), "every_role": "true", "note": "Nghỉ phép", **SPAN}
    for wrong, said in (
        ({"substitute": ""}, "field-substitute"),
        ({"substitute": "", "substitute_name": "Ai đó"}, "Hãy chọn một tên trong danh sách"),
        ({"substitute": str(absent)}, "đây là cùng một người"),
        ({"valid_until": ""}, "field-valid_until"),
        ({"every_role": "", "roles": "king"}, "field-roles"),
        ({"every_role": ""}, "field-roles"),
    ):
        answer = client.post(place, data=named | wrong)
        assert answer.status_code == 422
        assert said in answer.text
        assert 'value="Nghỉ phép"' in answer.text
    assert client.post(place, data=named).status_code == 200
    again = client.post(place, data=named)
    assert again.status_code == 409
    assert "Hai người cùng làm thay vai trò này" in again.text
    until = f"đến hết {LAST:%d/%m/%Y}"
    assert f"Đặng Thùy Dương đang làm thay bạn {until}" in client.get("/meetings").text
    with db.reader() as session:
        made = session.scalars(select(Substitution)).one()
    sign_in(ids(city, "quantri")[0])
    assert "Đặng Thùy Dương làm thay" in client.get("/admin/people?state=away").text
    assert "truc.vanmieu" not in client.get("/admin/people?state=away").text
    assert "Đang vắng mặt" in client.get(f"/admin/people/{absent}").text
    nobody = client.post(f"/people/{other}/substitutes", data=named | {"substitute": "99999"})
    assert nobody.status_code == 422
    assert "Không có người dùng này: 99999" in nobody.text
    sign_in(ids(city, "thuky.snv")[0])
    assert client.post(f"/substitutions/{made.id}/end").status_code == 404
    assert client.get(f"/admin/people/{absent}/away").status_code == 403
    sign_in(other)
    page = client.get(f"/units/{city.units['006']}").text
    assert f"Bạn đang làm thay Lê Ngọc Bích {until}" in page
    why = client.get(f"/why/unit/{city.units['006']}").text
    assert "làm thay Lê Ngọc Bích, từ" in why
    client.post(f"/substitutions/{made.id}/end")
    assert "Bạn đang làm thay" not in client.get("/").text


def test_a_secretary_acts_for_an_official_and_leaves_it_with_one_click(
    client: Client, city: City, sign_in: SignIn, db: Database
) -> None:
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, NOW)
        meeting.state = MeetingState.ENDED.value
        minutes = open_draft(session, city.secretary, meeting.id, NOW)
        written = replace(minutes.written, conclusions="Xong.")
        save(session, city.secretary, minutes.id, written, 1, NOW)
        submit(session, city.secretary, minutes.id, NOW)
    chair, clerk = ids(city, "lanhdao", "thuky.snv")
    sign_in(clerk)
    assert client.post("/acting", data={"official": str(chair)}).status_code == 404
    assert client.get(f"/minutes/{minutes.id}").status_code == 404
    entrusted(client, city, sign_in, Act.MINUTES)
    page = client.get(f"/minutes/{minutes.id}").text
    assert f"Đang làm việc thay mặt Đỗ Hoàng Long, đến hết {LAST:%d/%m/%Y}" in page
    assert 'data-opens="send-back"' in page
    assert 'data-opens="issue"' not in page
    refused = client.post(f"/minutes/{minutes.id}/issue")
    assert refused.status_code == 403
    assert "phải do chính người đó làm" in refused.text
    why = client.get(f"/why/minutes/{minutes.id}").text
    assert "Đỗ Hoàng Long, người bạn đang thay mặt, chủ trì cuộc họp" in why
    # Neither lending nor administering is entrusted.
    away = client.get("/account/away").text
    assert 'id="substitute-form"' not in away
    assert (
        client.post(
            f"/people/{clerk}/substitutes",
            data={"substitute": str(chair), "every_role": "1", **SPAN},
        ).status_code
        == 403
    )
    assert client.get("/admin/people").status_code == 403
    client.post(f"/minutes/{minutes.id}/send-back", data={"reason": "Sửa mục 2."})
    with db.reader() as session:
        line = session.scalars(
            select(MeetingChange).where(MeetingChange.action == "minutes_sent_back")
        ).one()
        assert (line.actor_id, line.on_behalf_of_id) == (clerk, chair)
    history = client.get(f"/meetings/{meeting.id}?tab=history").text
    assert "Trần Minh Châu, thay mặt Đỗ Hoàng Long" in history
    client.post("/acting/end")
    assert "thay mặt Đỗ Hoàng Long" not in client.get("/").text
    assert client.get(f"/minutes/{minutes.id}").status_code == 404
    client.post("/acting", data={"official": str(chair)})
    with db.transaction() as session:
        session.scalars(select(Entrustment)).one().ended_at = NOW
    # What has ended ends everywhere at once, whatever the login still says.
    assert client.get(f"/minutes/{minutes.id}").status_code == 404
    assert "thay mặt Đỗ Hoàng Long" not in client.get("/").text


def test_everybody_learns_why_and_administrators_ask_for_their_people(
    client: Client, city: City, sign_in: SignIn, db: Database
) -> None:
    with db.transaction() as session:
        meeting = scheduled_meeting(session, city, NOW)
    ward, chief = ids(city, "truc.vanmieu", "quantri")
    sign_in(ward)
    why = client.get(f"/why/meeting/{meeting.id}").text
    assert "Phường Văn Miếu được mời" in why
    assert re.search(r"từ \d\d/\d\d/\d{4}, không thời hạn", why)
    assert client.get(f"/why/meeting/{meeting.id}?person=thuky").status_code == 403
    assert client.get("/why/meeting/99999").status_code == 404
    assert client.get("/why/meeting/99999999999").status_code == 422
    sign_in(chief)
    asked = {
        "person": "thuky.snv",
        "address": f"https://hop.example/meetings/{meeting.id}?tab=papers",
    }
    found = client.get("/admin/why", params=asked)
    assert found.url.path == f"/why/meeting/{meeting.id}"
    wrong = client.get("/admin/why", params=asked | {"address": "/account"}).text
    assert "Hãy dán địa chỉ trang" in wrong
    nobody = client.get(f"/why/meeting/{meeting.id}?person=ai.do").text
    assert "Không có người dùng nào" in nobody
    # The same answer for what is not theirs to see and what there is not.
    for number in (meeting.id + 1000, 2**31 - 1):
        assert "không được xem" in client.get(f"/why/meeting/{number}?person=truc.vanmieu").text
    unit = client.get(f"/why/unit/{city.units['001']}?person=truc.vanmieu").text
    assert "Không có vai trò nào bao trùm đơn vị này" in unit
