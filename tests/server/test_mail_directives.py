"""Letters of circulation: a round tells those it reaches, a recall everybody who had it."""

from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from meetings_server.database import Database
from meetings_server.mail.letters import Recipient, write_letter
from meetings_server.mail.outbox import OutboxDelivery, OutboxMessage
from minutes.circulation import circulate, recall
from tests.documents import ALL_WARDS, EVERYONE, circulated
from tests.factories import City


def test_a_round_tells_only_whom_it_reaches_and_a_recall_tells_all(
    db: Database, city: City, now: datetime, tmp_path: Path
) -> None:
    with db.transaction() as session:
        directive = circulated(session, city, tmp_path, now, [ALL_WARDS], deadline=None)
    with db.transaction() as session:
        circulate(session, city.secretary, directive.id, [ALL_WARDS], None, now)
        circulate(session, city.secretary, directive.id, EVERYONE, None, now)
    with db.transaction() as session:
        recall(session, city.secretary, directive.id, "Sai phụ lục", now)
    with db.reader() as session:
        rows = session.execute(
            select(OutboxMessage.kind, OutboxDelivery.address)
            .join(OutboxDelivery, OutboxDelivery.message_id == OutboxMessage.id)
            .order_by(OutboxMessage.id)
        ).all()
        kinds = [kind for kind, _address in rows]
        assert kinds == ["directive_sent"] * 8 + ["directive_recalled"] * 8
        assert len({address for _kind, address in rows}) == 8
        last = session.scalars(select(OutboxMessage).order_by(OutboxMessage.id.desc())).first()
        assert last is not None
        letter = write_letter(
            last.kind, last.facts, Recipient("Phường Văn Miếu"), "https://hop.example"
        )
    assert "Sai phụ lục" in "\n".join(letter.lead)
    assert letter.link == ("Mở văn bản", f"https://hop.example/directives/{directive.id}")
