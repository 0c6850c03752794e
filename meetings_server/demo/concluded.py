"""A meeting of the demonstration with issued minutes: their PDF, their tasks, their number."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from meetings_server.database import Database
from meetings_server.demo.day import ALL_LEVELS, Host, at, hold
from minutes.content import TaskRow
from minutes.drafting import open_draft, save, submit
from minutes.signing import issue
from minutes.storage import FolderStore
from rooms.audience import Rule
from rooms.hierarchy import load_tree
from rooms.kernel import civil_day
from rooms.meetings import MeetingKind
from rooms.policies import Actor
from rooms.workdays import is_working_day

SAID = (
    "Cơ quan thường trực báo cáo hiện trạng đê điều và phương án tiêu thoát nước.",
    "Các điểm cầu đề nghị sớm cấp kinh phí sửa chữa trạm bơm và bổ sung trang thiết bị cảnh báo.",
    "Chủ trì yêu cầu các đơn vị không để bị động, bất ngờ trong mọi tình huống.",
)


def hold_and_minute(
    database: Database, host: Host, chair: Actor, folder: Path, now: datetime
) -> int:
    """Held some days ago with departments and districts; the minutes were issued the next day."""
    day = civil_day(now) - timedelta(days=5)
    while not is_working_day(day):
        day -= timedelta(days=1)
    request = host.request(
        "Hội nghị sơ kết công tác phòng, chống thiên tai và tìm kiếm cứu nạn",
        MeetingKind.THEMATIC,
        at(day, 8),
        2,
        [*ALL_LEVELS[:2], Rule(include=True, by="subtree", unit="006")],
        "Báo cáo sơ kết",
        "Ý kiến các điểm cầu",
        "Kết luận của chủ trì",
    )
    meeting_id = hold(database, host, request, now)
    with database.transaction() as session:
        _minute(session, host, chair, meeting_id, FolderStore(folder), at(day, 15, 30))
    return meeting_id


def _minute(
    session: Session,
    host: Host,
    chair: Actor,
    meeting_id: int,
    store: FolderStore,
    written_at: datetime,
) -> None:
    draft = open_draft(session, host.actor, meeting_id, written_at)
    units = load_tree(session, civil_day(written_at)).by_code
    began = draft.written
    content = replace(
        began,
        place="Phòng họp trực tuyến UBND Thành phố",
        items=tuple(replace(item, said=said) for item, said in zip(began.items, SAID, strict=True)),
        conclusions="Các đơn vị hoàn thành phương án ứng phó của đơn vị mình trước mùa mưa bão tới.",
        tasks=(
            TaskRow(
                "Rà soát, bổ sung phương án thông tin liên lạc dự phòng tại các điểm cầu",
                units["01-SNV"].id,
                (units["006"].id,),
                deadline=(written_at + timedelta(days=20)).date().isoformat(),
            ),
            TaskRow(
                "Báo cáo tình hình vật tư, trang thiết bị ứng phó ngập úng",
                units["006"].id,
                alone=True,
                deadline=(written_at + timedelta(days=12)).date().isoformat(),
            ),
        ),
    )
    save(session, host.actor, draft.id, content, draft.version, written_at)
    submit(session, host.actor, draft.id, written_at + timedelta(minutes=10))
    issue(session, chair, draft.id, store, written_at + timedelta(minutes=55))
