"""Meeting papers: who may add, take back and read them; uploads that lie; the clock."""

import io
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier
from urllib.parse import urlsplit

import httpx
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from meetings_server.database import Database
from meetings_server.settings import Settings
from minutes.papers import (
    PaperDoubled,
    UnknownPaper,
    attach_paper,
    paper_to_read,
    papers_due,
    papers_late,
    papers_of,
    withdraw_paper,
)
from minutes.storage import FolderStore, ReceivedFile
from rooms.audience import Rule
from rooms.kernel import FieldInvalid, civil_day, utcnow
from rooms.meetings import Meeting, MeetingKind, UnknownMeeting, WrongState
from rooms.policies import NotPermitted
from rooms.scheduling import cancel
from rooms.workdays import add_working_days
from tests.conftest import SignIn, StartServer
from tests.factories import City, make_city, scheduled_meeting

PDF = b"%PDF-1.7\n%\xe2\xe3\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32 + b"IEND\xaeB`\x82"


@pytest.fixture
def city(db: Database) -> City:
    with db.transaction() as session:
        return make_city(session, utcnow())


@pytest.fixture
def meeting(db: Database, city: City) -> Meeting:
    with db.transaction() as session:
        return scheduled_meeting(session, city, utcnow())


@pytest.fixture
def store(settings: Settings) -> FolderStore:
    return FolderStore(settings.files)


def received(store: FolderStore, name: str = "Báo cáo.pdf", content: bytes = PDF) -> ReceivedFile:
    return store.put(io.BytesIO(content), "", name, 1 << 20)


def test_papers_are_numbered_and_stay_in_order(
    db: Database, city: City, meeting: Meeting, store: FolderStore
) -> None:
    with db.transaction() as session:
        actor, now = city.secretary, utcnow()
        attach_paper(session, actor, meeting.id, received(store), now)
        second = received(store, "Biểu số 2.pdf", PDF + b"\n")
        attach_paper(session, actor, meeting.id, second, now, title="Biểu tổng hợp")
        listed = [(paper.n, paper.title) for paper in papers_of(session, meeting.id)]
        assert listed == [(1, "Báo cáo"), (2, "Biểu tổng hợp")]
        withdraw_paper(session, actor, meeting.id, 2, now)
        with pytest.raises(UnknownPaper):
            withdraw_paper(session, actor, meeting.id, 2, now)
        again = attach_paper(session, actor, meeting.id, second, now)
        assert again.n == 3


def test_the_same_file_is_not_attached_twice(
    db: Database, city: City, meeting: Meeting, store: FolderStore
) -> None:
    paper = received(store)
    barrier = Barrier(4)

    def attach(_: int) -> str:
        barrier.wait()
        try:
            with db.transaction() as session:
                attach_paper(session, city.secretary, meeting.id, paper, utcnow())
        except PaperDoubled as refusal:
            return refusal.title
        return "attached"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attach, range(4))) == 3 * ["Báo cáo"] + ["attached"]


def test_rights(db: Database, city: City, meeting: Meeting, store: FolderStore) -> None:
    now = utcnow()
    with db.transaction() as session:
        attach_paper(session, city.secretary, meeting.id, received(store), now)
        invited = city.actors["truc.vanmieu"]
        assert paper_to_read(session, invited, meeting.id, 1, civil_day(now)).filename
        with pytest.raises(NotPermitted):
            attach_paper(session, invited, meeting.id, received(store), now)
        with pytest.raises(NotPermitted):
            withdraw_paper(session, invited, meeting.id, 1, now)
        with pytest.raises(UnknownPaper):
            paper_to_read(session, invited, meeting.id, 2, civil_day(now))
        only_tax = [Rule(include=True, by="unit", unit="01-STC")]
        start = meeting.starts_at.replace(year=meeting.starts_at.year + 1)
        other = scheduled_meeting(session, city, now, audience=only_tax, starts_at=start)
        attach_paper(session, city.secretary, other.id, received(store), now)
        with pytest.raises(UnknownMeeting):
            paper_to_read(session, invited, other.id, 1, civil_day(now))


def test_a_closed_meeting_and_bad_titles(
    db: Database, city: City, meeting: Meeting, store: FolderStore
) -> None:
    now = utcnow()
    with db.transaction() as session:
        for title in ("x" * 301, "a\x00b"):
            with pytest.raises(FieldInvalid):
                attach_paper(session, city.secretary, meeting.id, received(store), now, title=title)
        cancel(session, city.secretary, meeting.id, "Trùng lịch", now)
        with pytest.raises(WrongState):
            attach_paper(session, city.secretary, meeting.id, received(store), now)


def test_the_clock_of_periodic_meetings(meeting: Meeting) -> None:
    due = add_working_days(meeting.day, -3)
    assert papers_due(meeting) == due
    assert not papers_late(meeting, [], due)
    assert papers_late(meeting, [], add_working_days(due, 1))
    meeting.kind = MeetingKind.URGENT.value
    assert papers_due(meeting) is None


Upload = tuple[str, bytes, str]


@pytest.mark.parametrize(
    ("upload", "says"),
    [
        (("báo cáo.pdf", PNG, "application/pdf"), "PNG"),
        (("ảnh.png", b"MZ" + b"\0" * 64, "image/png"), "Không nhận loại tệp này"),
        (("trống.pdf", b"", "application/pdf"), "không có nội dung"),
        (("cụt.pdf", PDF[:20], "application/pdf"), "thiếu phần cuối"),
        (("trang.html", b"<script>alert(1)</script>", "text/html"), "Không nhận loại tệp này"),
    ],
)
def test_an_upload_that_is_refused_leaves_nothing(
    client: TestClient[Litestar],
    sign_in: SignIn,
    db: Database,
    settings: Settings,
    city: City,
    meeting: Meeting,
    upload: Upload,
    says: str,
) -> None:
    sign_in(city.secretary.person_id)
    good = ("tốt.pdf", PDF, "application/pdf")
    answer = client.post(
        f"/meetings/{meeting.id}/papers", files=[("papers", good), ("papers", upload)]
    )
    assert answer.status_code == 422
    assert says in answer.text
    assert upload[0] in answer.text
    with db.reader() as session:
        assert papers_of(session, meeting.id) == []
    assert not list((settings.files / "incoming").glob("*"))


def test_upload_and_download_in_the_page(
    client: TestClient[Litestar], sign_in: SignIn, city: City, meeting: Meeting
) -> None:
    address = f"/meetings/{meeting.id}/papers"
    sign_in(city.secretary.person_id)
    sent = client.post(
        address,
        files=[
            ("papers", ("../../etc/Tờ trình số 5.pdf", PDF, "application/pdf")),
            ("papers", ("sơ đồ.png", PNG, "image/png")),
            ("papers", ("ghi chú.txt", "họp".encode(), "text/plain")),
        ],
        follow_redirects=False,
    )
    assert sent.status_code == 303
    again = client.post(address, files=[("papers", ("khác.pdf", PDF, "application/pdf"))])
    assert again.status_code == 409
    assert client.post(address, data={"title": "x"}).status_code == 422

    sign_in(city.actors["lanhdao.vanmieu"].person_id)
    pdf = client.get(f"{address}/1")
    assert pdf.content == PDF
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.headers["x-content-type-options"] == "nosniff"
    assert pdf.headers["content-security-policy"].startswith("sandbox")
    name = "T%E1%BB%9D%20tr%C3%ACnh%20s%E1%BB%91%205.pdf"
    assert pdf.headers["content-disposition"].startswith("inline; ")
    assert pdf.headers["content-disposition"].endswith(f"filename*=UTF-8''{name}")
    assert client.get(f"{address}/3").headers["content-disposition"].startswith("attachment; ")
    assert client.get(f"{address}/4").status_code == 404
    assert client.post(f"{address}/1/withdraw").status_code == 403
    denied = client.post(address, files=[("papers", ("của tôi.pdf", PDF, "application/pdf"))])
    assert denied.status_code == 403

    sign_in(city.secretary.person_id)
    assert client.post(f"{address}/1/withdraw", follow_redirects=False).status_code == 303
    assert client.get(f"{address}/1").status_code == 404


def test_damaged_bytes_do_not_leave_the_server(
    client: TestClient[Litestar],
    sign_in: SignIn,
    settings: Settings,
    city: City,
    meeting: Meeting,
) -> None:
    sign_in(city.secretary.person_id)
    address = f"/meetings/{meeting.id}/papers"
    client.post(address, files=[("papers", ("a.pdf", PDF, "application/pdf"))])
    kept = next(path for path in settings.files.rglob("*") if path.is_file())
    kept.write_bytes(PDF.replace(b"obj", b"OBJ"))
    answer = client.get(f"{address}/1")
    assert answer.status_code == 409
    assert b"OBJ" not in answer.content


HUGE = 200 * 1024 * 1024


def body_of(size: int) -> Iterator[bytes]:
    yield b'--x\r\ncontent-disposition: form-data; name="papers"; filename="a.pdf"\r\n\r\n%PDF-'
    for _ in range(size // (1 << 20)):
        yield b"0" * (1 << 20)


@pytest.mark.slow
def test_200_megabytes_are_refused_with_a_clear_answer(running_server: StartServer) -> None:
    """Over a real socket: told before it is read, and cut off where the length is not told."""
    server = running_server("demo")
    parts = urlsplit(server.url)
    caller = RudeCaller(parts.hostname or "", parts.port or 0)
    cookie, token = caller.log_in()
    head = [
        "POST /meetings/1/papers HTTP/1.1",
        f"host: {parts.netloc}",
        f"cookie: {cookie}",
        f"x-csrftoken: {token}",
        "accept: text/html",
        "content-type: multipart/form-data; boundary=x",
        "connection: close",
    ]
    for length in (f"content-length: {HUGE}", "transfer-encoding: chunked"):
        status, words = caller.send_body([*head, length], chunked="chunked" in length)
        assert status == 413, length
        assert "quá lớn" in words
    # A length that lies: what comes after it is no part of the upload.
    status, _words = caller.send_body([*head, "content-length: 1000"], chunked=False)
    assert status in {400, 422}
    assert not list(Path(server.data).rglob("*.part"))


class RudeCaller:
    """Just enough HTTP to send what no proper client would."""

    def __init__(self, host: str, port: int) -> None:
        self.place = (host, port)

    def log_in(self) -> tuple[str, str]:
        with httpx.Client(base_url=f"http://{self.place[0]}:{self.place[1]}") as client:
            client.get("/login")
            answer = client.post(
                "/login",
                data={"username": "thuky", "password": "hop-truc-tuyen"},
                headers={
                    "x-csrftoken": client.cookies["meetings_csrf"],
                    "accept": "application/json",
                },
            )
            answer.raise_for_status()
            cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
            return cookies, client.cookies["meetings_csrf"]

    def send_body(self, head: list[str], *, chunked: bool) -> tuple[int, str]:
        """Sends 200 MB until the server hangs up; status and text of the answer."""
        answer = b""
        with socket.create_connection(self.place, timeout=60) as line:
            line.sendall("\r\n".join([*head, "", ""]).encode())
            # The server hangs up when it has heard enough; its answer may still be there.
            with suppress(BrokenPipeError, ConnectionResetError):
                for part in body_of(HUGE):
                    line.sendall(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
            with suppress(ConnectionResetError):
                while chunk := line.recv(65536):
                    answer += chunk
        return int(answer.split(b" ", 2)[1]) if answer else 0, answer.decode(errors="replace")
