"""Sending directives on the page: recipients, confirming, passing on, recall, statements."""

import json
from collections.abc import Callable
from datetime import datetime

from litestar import Litestar
from litestar.testing import TestClient

from meetings_server.database import Database
from meetings_server.settings import Settings
from minutes.circulation import acknowledge, recall
from minutes.receipts import Circulation, Receipt
from rooms.audience import Rule
from rooms.kernel import utcnow
from tests.counting import counted
from tests.documents import circulated, drafted, form, how_many, issued, pdf
from tests.factories import City, make_hanoi

Client = TestClient[Litestar]
SignIn = Callable[[int], None]
WARDS = [{"include": "level", "level": "ward"}]


def test_a_clerk_makes_issues_and_sends_and_a_ward_confirms(
    client: Client, enter: Callable[[str], None], db: Database, city: City, now: datetime
) -> None:
    enter("thuky")
    made = client.post(
        "/directives/new",
        data=form(city, now, then="issue"),
        files=pdf(),
        follow_redirects=False,
    )
    assert made.status_code == 303, made.text
    page = made.headers["location"]
    assert "01/KH-UBND" in client.get(page).text
    preview = client.post(f"{page}/recipients", data={"rules": json.dumps(WARDS)})
    assert 'data-new="4"' in preview.text
    sent = client.post(
        f"{page}/circulate", data={"rules": json.dumps(WARDS)}, follow_redirects=False
    )
    assert sent.status_code == 303, sent.text
    enter("vanthu.vanmieu")
    listed = client.get("/directives").text
    assert "úng ngập" in listed
    assert 'class="unread"' in listed
    assert client.get(page).status_code == 200
    assert 'class="unread"' not in client.get("/directives").text
    unit = str(city.units["00181"])
    done = client.post(
        f"{page}/acknowledge", data={"unit": unit, "note": "Đã rõ"}, follow_redirects=False
    )
    assert done.status_code == 303
    enter("thuky")
    way = client.get(f"{page}/way?open=level-district,006").text
    assert "Đã rõ" in way
    with db.reader() as session:
        receipt = session.get_one(Receipt, (int(page.rsplit("/", 1)[1]), city.units["00181"]))
        assert receipt.read_at is not None
        assert receipt.acknowledged_by == city.actors["vanthu.vanmieu"].person_id


def test_the_way_answers_nothing_where_nothing_changed(
    client: Client, enter: Callable[[str], None], db: Database, city: City, settings: Settings
) -> None:
    with db.transaction() as session:
        directive = circulated(session, city, settings.files, utcnow())
    enter("thuky")
    seen = "8-0-0-0-0"
    assert f'data-signature="{seen}"' in client.get(f"/directives/{directive.id}/way").text
    assert client.get(f"/directives/{directive.id}/way?seen={seen}").status_code == 204


def test_sending_twice_is_one_round(
    client: Client, enter: Callable[[str], None], db: Database, city: City, settings: Settings
) -> None:
    with db.transaction() as session:
        directive = issued(session, city, settings.files, utcnow())
    enter("thuky")
    for _ in range(2):
        answer = client.post(
            f"/directives/{directive.id}/circulate",
            data={"rules": json.dumps(WARDS)},
            follow_redirects=False,
        )
        assert answer.status_code == 303
    assert (how_many(db, Circulation), how_many(db, Receipt)) == (1, 4)


def test_after_a_recall_recipients_see_why_and_get_no_file(
    client: Client,
    enter: Callable[[str], None],
    db: Database,
    city: City,
    settings: Settings,
    now: datetime,
) -> None:
    with db.transaction() as session:
        directive = circulated(session, city, settings.files, now)
    page = f"/directives/{directive.id}"
    enter("thuky")
    assert client.post(f"{page}/recall", data={"reason": " "}).status_code == 422
    first = client.post(f"{page}/recall", data={"reason": "Sai phụ lục"}, follow_redirects=False)
    assert first.status_code == 303
    assert client.post(f"{page}/recall", data={"reason": "lần nữa"}).status_code == 409
    assert client.get(f"{page}/files/1").status_code == 200
    enter("vanthu.vanmieu")
    assert "Sai phụ lục" in client.get(page).text
    assert client.get(f"{page}/files/1").status_code == 409
    unit = str(city.units["00181"])
    assert client.post(f"{page}/acknowledge", data={"unit": unit}).status_code == 409


NO_RULES = (
    "",
    "[]",
    "{",
    '{"a": 1}',
    '[{"include": "unit", "unit": "nowhere"}]',
    '[{"include": "galaxy"}]',
    "[" * 50_000,
)


def test_recipients_that_cannot_be_read_are_told(
    client: Client, enter: Callable[[str], None], db: Database, city: City, settings: Settings
) -> None:
    with db.transaction() as session:
        directive = issued(session, city, settings.files, utcnow())
    enter("thuky")
    page = f"/directives/{directive.id}"
    for rules in NO_RULES:
        answer = client.post(f"{page}/circulate", data={"rules": rules})
        assert answer.status_code == 422, rules[:40]
        assert "data-error-summary" in answer.text, rules[:40]
        assert client.post(f"{page}/recipients", data={"rules": rules}).status_code == 200
    assert how_many(db, Receipt) == 0


def test_nobody_acts_for_somebody_else(
    client: Client,
    enter: Callable[[str], None],
    db: Database,
    city: City,
    settings: Settings,
    now: datetime,
) -> None:
    with db.transaction() as session:
        directive = circulated(session, city, settings.files, now)
        draft = drafted(session, city, settings.files, now)
    page = f"/directives/{directive.id}"
    enter("vanthu.vanmieu")
    other = {"unit": str(city.units["00178"])}
    assert client.post(f"{page}/acknowledge", data=other).status_code == 403
    assert client.post(f"{page}/recall", data={"reason": "x"}).status_code == 403
    assert client.get(f"{page}/circulate").status_code == 403
    assert client.get(f"{page}/circulate?from={city.units['006']}").status_code == 403
    assert client.post(f"/directives/{draft.id}/issue").status_code == 404
    made = client.post("/directives/new", data=form(city, now), files=pdf())
    assert made.status_code == 403
    enter("truc.vanmieu")
    assert client.get(page).status_code == 404
    assert client.get("/directives/new").status_code == 200
    assert how_many(db, Receipt) == 8


def test_a_district_passes_on_to_its_wards(
    client: Client, enter: Callable[[str], None], db: Database, city: City, settings: Settings
) -> None:
    with db.transaction() as session:
        rule = [Rule(include=True, by="level", level="district")]
        directive = circulated(session, city, settings.files, utcnow(), rule)
    enter("thuky.dongda")
    page = f"/directives/{directive.id}"
    source = str(city.units["006"])
    shown = client.get(f"{page}/circulate?from={source}").text
    assert "Phường Văn Miếu" in shown
    assert "Phường Phúc Xá" not in shown
    refused = client.post(f"{page}/circulate", data={"from": source, "rules": json.dumps(WARDS)})
    assert refused.status_code == 422
    assert "Phường Phúc Xá" in refused.text
    below = json.dumps([{"include": "children", "unit": "006"}])
    sent = client.post(
        f"{page}/circulate", data={"from": source, "rules": below}, follow_redirects=False
    )
    assert sent.status_code == 303
    assert how_many(db, Receipt) == 5


def test_the_pages_ask_the_same_of_the_database_for_all_of_hanoi(
    client: Client, sign_in: SignIn, db: Database, settings: Settings, now: datetime
) -> None:
    with db.transaction() as session:
        city = make_hanoi(session, now)
        directive = circulated(session, city, settings.files, now)
        for number in range(3):
            circulated(session, city, settings.files, now, title=f"Văn bản {number}")
        acknowledge(session, city.secretary, directive.id, city.units["00178"], now)
    page = f"/directives/{directive.id}"
    for username in ("thuky", "vanthu.vanmieu"):
        sign_in(city.actors[username].person_id)
        # The first look is a change, which is recorded: the unit has received and read it.
        client.get(page).raise_for_status()
        client.get("/directives").raise_for_status()
        for path in (
            page,
            f"{page}/way?open=level-district,006",
            "/directives",
            "/directives?tab=out",
        ):
            with counted(db) as statements:
                assert client.get(path).status_code == 200
            assert len(statements) <= 10, (path, statements)
    sign_in(city.secretary.person_id)
    with counted(db) as statements:
        assert "579" in client.get(f"{page}/circulate").text
    assert len(statements) <= 10


def test_a_recall_is_seen_in_the_register(
    client: Client, enter: Callable[[str], None], db: Database, city: City, settings: Settings
) -> None:
    with db.transaction() as session:
        directive = circulated(session, city, settings.files, utcnow())
        recall(session, city.secretary, directive.id, "Sai", utcnow())
    enter("vanthu.vanmieu")
    text = client.get("/directives").text
    assert "Đã thu hồi" in text
    assert 'class="unread"' not in text
