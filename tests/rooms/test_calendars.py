"""iCalendar as other programs read it: parsed back, every letter of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from rooms.calendars import (
    Attendee,
    Entry,
    Organizer,
    PartStat,
    Status,
    cancellation_ics,
    feed_ics,
    invitation_ics,
)

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
STAMP = datetime(2026, 11, 16, 3, 4, 5, tzinfo=UTC)
ENTRY = Entry(
    uid="3f0c@meetings-server",
    sequence=2,
    modified=STAMP,
    starts_at=START,
    ends_at=START + timedelta(hours=2, minutes=30),
    timezone="Asia/Ho_Chi_Minh",
    summary="Giao ban công tác tháng; quý IV, năm 2026",
    description="Chủ trì: Đỗ Hoàng Long\nYêu cầu: thử đường truyền, micrô; loa\\tai nghe",
    location="Phòng họp trực tuyến, Phường Văn Miếu",
    status=Status.CONFIRMED,
    url="https://hop.hanoi.example/invitations/7",
    organizer=Organizer("Thành phố Hà Nội", "vanthu.01@hanoi.example", "hop@hanoi.example"),
    attendees=(Attendee("Phường Văn Miếu", "vanthu.00181@hanoi.example"),),
)


def parsed(content: bytes) -> tuple[Calendar, Any]:
    calendar = Calendar.from_ical(content)
    (event,) = calendar.events
    return calendar, event


def test_an_invitation_says_all_that_a_calendar_needs() -> None:
    calendar, event = parsed(invitation_ics(ENTRY, STAMP))
    assert calendar["METHOD"] == "REQUEST"
    assert calendar["VERSION"] == "2.0"
    assert (event["UID"], event["SEQUENCE"], event["STATUS"]) == (ENTRY.uid, 2, "CONFIRMED")
    assert event["DTSTAMP"].dt == STAMP
    assert event["LAST-MODIFIED"].dt == STAMP
    assert event["SUMMARY"] == ENTRY.summary
    assert event["DESCRIPTION"] == ENTRY.description
    assert event["LOCATION"] == ENTRY.location
    assert event["URL"] == ENTRY.url
    assert event["ORGANIZER"] == "mailto:vanthu.01@hanoi.example"
    assert event["ORGANIZER"].params["CN"] == "Thành phố Hà Nội"
    assert event["ORGANIZER"].params["SENT-BY"] == "mailto:hop@hanoi.example"
    attendee = event["ATTENDEE"]
    assert attendee == "mailto:vanthu.00181@hanoi.example"
    assert {name: attendee.params[name] for name in ("CN", "ROLE", "PARTSTAT", "RSVP")} == {
        "CN": "Phường Văn Miếu",
        "ROLE": "REQ-PARTICIPANT",
        "PARTSTAT": "NEEDS-ACTION",
        "RSVP": "TRUE",
    }


def test_times_are_local_with_their_zone_defined() -> None:
    content = invitation_ics(ENTRY, STAMP)
    assert b"DTSTART;TZID=Asia/Ho_Chi_Minh:20261123T080000\r\n" in content
    assert b"DTEND;TZID=Asia/Ho_Chi_Minh:20261123T103000\r\n" in content
    calendar, event = parsed(content)
    assert event["DTSTART"].dt == START
    (zone,) = calendar.timezones
    assert zone["TZID"] == "Asia/Ho_Chi_Minh"
    assert zone.to_tz().utcoffset(datetime(2026, 11, 23, 8)) == timedelta(hours=7)  # noqa: DTZ001 -- the zone is asked


def test_a_cancellation_names_the_same_meeting_and_why() -> None:
    entry = replace(ENTRY, sequence=3, status=Status.CANCELLED, comment="Bão số 9")
    calendar, event = parsed(cancellation_ics(entry, STAMP))
    assert calendar["METHOD"] == "CANCEL"
    assert (event["UID"], event["SEQUENCE"], event["STATUS"]) == (ENTRY.uid, 3, "CANCELLED")
    assert event["COMMENT"] == "Bão số 9"
    assert "RSVP" not in event["ATTENDEE"].params
    assert not event.subcomponents


def test_a_cancellation_of_what_stands_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="CONFIRMED"):
        cancellation_ics(ENTRY, STAMP)


@pytest.mark.parametrize("answer", PartStat)
def test_the_answer_is_repeated(answer: PartStat) -> None:
    attendee = Attendee("Phường Văn Miếu", "a@b.example", answer)
    _, event = parsed(invitation_ics(replace(ENTRY, attendees=(attendee,)), STAMP))
    assert event["ATTENDEE"].params["PARTSTAT"] == answer.value


def test_lines_are_folded_without_breaking_a_letter() -> None:
    entry = replace(ENTRY, summary="Nghị quyết đẩy mạnh chuyển đổi số " * 12)
    content = invitation_ics(entry, STAMP)
    lines = content.split(b"\r\n")
    assert max(map(len, lines)) <= 75
    for line in lines:
        line.decode()
    assert parsed(content)[1]["SUMMARY"] == entry.summary


def test_a_name_may_hold_what_separates_parameters() -> None:
    entry = replace(ENTRY, organizer=Organizer('Sở "Nội vụ"; Hà Nội: phòng 1, 2', "a@b.example"))
    _, event = parsed(invitation_ics(entry, STAMP))
    assert event["ORGANIZER"].params["CN"] == "Sở ”Nội vụ”; Hà Nội: phòng 1, 2"


def test_a_feed_is_the_same_bytes_for_the_same_meetings() -> None:
    entries = [ENTRY, replace(ENTRY, uid="other", starts_at=START + timedelta(days=1))]
    content = feed_ics("Lịch họp của Phường Văn Miếu", entries)
    assert content == feed_ics("Lịch họp của Phường Văn Miếu", entries)
    calendar = Calendar.from_ical(content)
    assert calendar["X-WR-CALNAME"] == calendar["NAME"] == "Lịch họp của Phường Văn Miếu"
    assert "METHOD" not in calendar
    assert len(calendar.timezones) == 1
    assert [event["UID"] for event in calendar.events] == [ENTRY.uid, "other"]


def test_an_empty_feed_is_a_calendar_too() -> None:
    assert Calendar.from_ical(feed_ics("Trống", [])).events == []


office_text = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=300
)


@given(summary=office_text, description=office_text, location=office_text)
def test_whatever_is_written_is_read_back(summary: str, description: str, location: str) -> None:
    entry = replace(ENTRY, summary=summary, description=description, location=location)
    content = invitation_ics(entry, STAMP)
    _, event = parsed(content)
    assert (event["SUMMARY"], event["DESCRIPTION"], event["LOCATION"]) == (
        summary,
        description,
        location,
    )
