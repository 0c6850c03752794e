"""Minutes and invitations as paper: every fact legible, the layout of NĐ 30/2020, text inert."""

import io
import itertools
import unicodedata
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import docx
import pypdf
import pytest

from minutes.forms import (
    AbsentUnit,
    AgendaItem,
    AssignedTask,
    Correction,
    InvitationDocument,
    Letterhead,
    MinutesDocument,
    Official,
    PresentUnit,
    render_invitation_pdf,
    render_minutes_docx,
    render_minutes_pdf,
)

MILLIMETRE = 72 / 25.4
VOWELS = "aăâeêioôơuưy"
TONES = ("", "\u0300", "\u0309", "\u0303", "\u0301", "\u0323")
ALPHABET = "bcdđghklmnpqrstvx" + "".join(
    unicodedata.normalize("NFC", vowel + tone) for vowel, tone in itertools.product(VOWELS, TONES)
)
HOSTILE = (
    '#import "@preview/x:1.0.0" #panic() #{1+1} $x^2$ *a* _b_ `c` @d <e> \\u{41} -- --- ... ~',
    '= a // b /* c */ [d] {e} \'f\' "g" \\ #sys.inputs #read("document.typ")',
    '</w:t><w:br/> &lt; &amp; {"sheet": 1}',
)

MINUTES = MinutesDocument(
    letterhead=Letterhead(
        "", "Ủy ban nhân dân thành phố Hà Nội", 7, "BB-UBND", "Hà Nội", date(2026, 2, 3)
    ),
    subject="Họp giao ban trực tuyến",
    started_at=datetime(2026, 2, 3, 1, 0, tzinfo=UTC),
    ended_at=datetime(2026, 2, 3, 3, 45, tzinfo=UTC),
    place="Phòng họp số 1, số 12 Lê Lai",
    chair=Official("Nguyễn Văn Thắng", "Phó Chủ tịch"),
    secretary=Official("Trần Thị Hồng Ánh", "Chuyên viên"),
    present=(
        PresentUnit("Sở Y tế", "Bà Trần Thị Nhị Hà", 3, "Sở, ban, ngành"),
        PresentUnit("UBND phường Ô Chợ Dừa", "Ông Lê Hữu Phước", 12, "Quận Đống Đa"),
    ),
    absent=(
        AbsentUnit("UBND xã Vân Hòa", excused=True, reason="Trực chống bão", group="Huyện Ba Vì"),
        AbsentUnit("UBND xã Ba Trại", group="Huyện Ba Vì"),
    ),
    agenda=(AgendaItem("Công tác tháng 2", "Sở Y tế báo cáo.\nKhông có ý kiến khác.", "Bà Hà"),),
    conclusions="Thống nhất kế hoạch.",
    tasks=(
        AssignedTask("Lập danh sách", "Sở Nội vụ", ("Sở Tài chính", "Sở Y tế"), date(2026, 3, 5)),
    ),
    recipients=("Các sở, ban, ngành",),
    form="Trực tuyến",
    issued=True,
)
INVITATION = InvitationDocument(
    letterhead=Letterhead(
        "Ủy ban nhân dân thành phố Hà Nội", "Văn phòng", 12, "GM-VP", "Hà Nội", date(2026, 11, 9)
    ),
    subject="Họp giao ban trực tuyến",
    invited=("Các sở, ban, ngành", "UBND các phường thuộc quận Đống Đa"),
    content="Hội nghị giao ban tháng 11.",
    starts_at=datetime(2026, 11, 15, 1, 0, tzinfo=UTC),
    ends_at=datetime(2026, 11, 15, 4, 30, tzinfo=UTC),
    place="Tại điểm cầu của đơn vị",
    chair=Official("Nguyễn Văn Thắng", "Phó Chủ tịch"),
    signer=Official("Lê Anh Quân", "Phó Chánh Văn phòng"),
    agenda=("Báo cáo", "Thảo luận"),
    requirements=("Thử đường truyền trước 30 phút",),
    authority=("KT. Chánh Văn phòng",),
    recipients=("Như trên",),
    issued=True,
)


def read(pdf: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(pdf))


def words(pdf: bytes) -> str:
    """All text in one line, as a reader would copy it."""
    text = " ".join(page.extract_text() for page in read(pdf).pages)
    return " ".join(text.replace("\u200b", "").split())


def unspaced(text: str) -> str:
    return "".join(text.split())


def docx_words(content: bytes) -> str:
    document = docx.Document(io.BytesIO(content))
    return " ".join(
        node.text or "" for node in document.element.body.iter() if node.tag.endswith("}t")
    )


FACTS = (
    "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
    "Độc lập - Tự do - Hạnh phúc",
    "ỦY BAN NHÂN DÂN THÀNH PHỐ HÀ NỘI",
    "Số: 07/BB-UBND",
    "Hà Nội, ngày 03 tháng 02 năm 2026",
    "BIÊN BẢN Họp giao ban trực tuyến",
    "Thời gian bắt đầu: 08 giờ 00 phút, ngày 03 tháng 02 năm 2026.",
    "Địa điểm: Phòng họp số 1, số 12 Lê Lai.",
    "Hình thức: Trực tuyến.",
    "Nguyễn Văn Thắng, Phó Chủ tịch.",
    "Trần Thị Hồng Ánh, Chuyên viên.",
    "Có mặt 2/4 đơn vị được mời, tổng số 15 người dự họp.",
    "Quận Đống Đa 2 UBND phường Ô Chợ Dừa Ông Lê Hữu Phước 12",
    "Vắng mặt 2 đơn vị; trong đó có báo vắng 1 đơn vị, không báo vắng 1 đơn vị.",
    "1 UBND xã Vân Hòa Trực chống bão",
    "2 UBND xã Ba Trại Không báo vắng",
    "1. Công tác tháng 2 Người trình bày: Bà Hà. Sở Y tế báo cáo. Không có ý kiến khác.",
    "Thống nhất kế hoạch.",
    "1 Lập danh sách Sở Nội vụ Sở Tài chính; Sở Y tế 05/03/2026",
    "Cuộc họp kết thúc vào hồi 10 giờ 45 phút, ngày 03 tháng 02 năm 2026./.",
    "Nơi nhận: - Các sở, ban, ngành; - Lưu: VT.",
)


@pytest.mark.parametrize("fact", FACTS)
def test_both_forms_of_the_minutes_say_every_fact(fact: str) -> None:
    assert unspaced(fact) in unspaced(words(render_minutes_pdf(MINUTES)))
    assert unspaced(fact) in unspaced(docx_words(render_minutes_docx(MINUTES)))


def test_who_said_no_number_is_present_and_not_counted() -> None:
    silent = PresentUnit("Sở Tư pháp", "", None, "Sở, ban, ngành")
    some = replace(MINUTES, present=(*MINUTES.present, silent))
    for text in (words(render_minutes_pdf(some)), docx_words(render_minutes_docx(some))):
        said = unspaced(text)
        assert unspaced("tổng số 15 người dự họp (không kể 1 đơn vị chưa báo số người)") in said
        assert unspaced("Sở Tư pháp –") in said
    none = unspaced(words(render_minutes_pdf(replace(MINUTES, present=(silent,)))))
    assert unspaced("Có mặt 1/3 đơn vị được mời") in none
    assert unspaced("người dự họp") not in none


def test_all_vietnamese_letters_are_printed_and_copied() -> None:
    letters = f"{ALPHABET} {ALPHABET.upper()}"
    document = replace(MINUTES, conclusions=unicodedata.normalize("NFD", letters))
    assert unspaced(letters) in unspaced(words(render_minutes_pdf(document)))
    assert letters in docx_words(render_minutes_docx(document))


def test_paper_and_margins() -> None:
    reader = read(render_minutes_pdf(replace(MINUTES, conclusions="Thống nhất. " * 900)))
    assert len(reader.pages) > 2
    for number, page in enumerate(reader.pages, start=1):
        assert page.mediabox.width == pytest.approx(210 * MILLIMETRE, abs=0.1)
        assert page.mediabox.height == pytest.approx(297 * MILLIMETRE, abs=0.1)
        places: list[tuple[float, float, str]] = []

        def note(
            text: str,
            user: list[float],
            matrix: list[float],
            *_: object,
            into: list[tuple[float, float, str]] = places,
        ) -> None:
            if text.strip():
                x = user[0] * matrix[4] + user[2] * matrix[5] + user[4]
                y = user[1] * matrix[4] + user[3] * matrix[5] + user[5]
                into.append((x, y, text.strip()))

        page.extract_text(visitor_text=note)
        body = [(x, y) for x, y, text in places if text != str(number)]
        assert min(x for x, _ in body) >= 30 * MILLIMETRE - 0.1
        assert min(y for _, y in body) >= 20 * MILLIMETRE - 0.1
        assert max(y for _, y in body) <= (297 - 20) * MILLIMETRE
        numbers = [
            x for x, y, text in places if y > (297 - 20) * MILLIMETRE and text == str(number)
        ]
        assert len(numbers) == (0 if number == 1 else 1)
        assert all(x == pytest.approx((210 + 10) / 2 * MILLIMETRE, abs=8) for x in numbers)


def test_fonts_are_embedded() -> None:
    names = set()
    for page in read(render_minutes_pdf(MINUTES)).pages:
        resources: Any = page["/Resources"]
        for font in resources["/Font"].values():
            [descendant] = font["/DescendantFonts"]
            descriptor = descendant.get_object()["/FontDescriptor"]
            assert {"/FontFile2", "/FontFile3"} & set(descriptor)
            names.add(font["/BaseFont"].partition("+")[2])
    assert {name.partition("-Identity")[0] for name in names} >= {
        "LiberationSerif",
        "LiberationSerif-Bold",
        "LiberationSerif-Italic",
        "LiberationSerif-BoldItalic",
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_text_that_looks_like_markup_is_shown_as_it_is(text: str) -> None:
    document = replace(
        MINUTES,
        subject=text,
        place=text,
        conclusions=text,
        agenda=(AgendaItem(text, text),),
        present=(PresentUnit(text, text, 1, text),),
    )
    assert unspaced(words(render_minutes_pdf(document))).count(unspaced(text)) == 8
    assert docx_words(render_minutes_docx(document)).count(text) >= 8


def test_control_characters_are_seen_and_do_nothing() -> None:
    document = replace(MINUTES, conclusions="a\x00b\x1bc\u202ed\ud800e\uffff.")
    assert "a\ufffdb\ufffdc\ufffdd\ufffde\ufffd." in words(render_minutes_pdf(document))
    assert "a\ufffdb\ufffdc\ufffdd\ufffde\ufffd." in docx_words(render_minutes_docx(document))


def test_letters_without_a_shape_are_named() -> None:
    document = replace(MINUTES, conclusions="Đạt ✓ 😀 漢 🚀.")
    assert "Đạt ✓ 😀 [U+6F22] [U+1F680]." in words(render_minutes_pdf(document))
    assert "Đạt ✓ 😀 漢 🚀." in docx_words(render_minutes_docx(document))


@pytest.mark.parametrize(
    "text",
    ["x" * 100_000, "Ủy ban " * 14_000, "Ủy ban nhân dân\n" * 6_000],
    ids=["word", "paragraph", "lines"],
)
def test_very_long_texts(text: str) -> None:
    pdf = render_minutes_pdf(replace(MINUTES, conclusions=text))
    assert unspaced(text) in unspaced("".join(only_body(page) for page in read(pdf).pages))


def only_body(page: pypdf.PageObject) -> str:
    """The text of a page without its number and without the room for line breaks."""
    lines = page.extract_text().replace("\u200b", "").splitlines()
    return " ".join(line for line in lines if not line.strip().isdigit())


def test_631_units_lie_in_an_appendix() -> None:
    document = replace(
        MINUTES,
        present=tuple(
            PresentUnit(
                f"Phường Thử {n:03d}", f"Ông Nguyễn Văn {n:03d}", n % 9 + 1, f"Quận {n // 21}"
            )
            for n in range(631)
        ),
        absent=tuple(AbsentUnit(f"Xã Vắng {n:03d}") for n in range(31)),
    )
    pdf = render_minutes_pdf(document)
    assert len(read(pdf).pages) <= 18
    text = words(pdf)
    assert "Có mặt 631/662 đơn vị được mời" in text
    assert "(có danh sách kèm theo)" in text
    assert "Phụ lục I DANH SÁCH ĐƠN VỊ THAM DỰ" in text
    assert "Phụ lục II DANH SÁCH ĐƠN VỊ VẮNG MẶT" in text
    assert "(Kèm theo Biên bản số 07/BB-UBND ngày 03 tháng 02 năm 2026 của Ủy ban" in text
    copied = docx_words(render_minutes_docx(document))
    for n in range(631):
        assert f"Ông Nguyễn Văn {n:03d}" in text
        assert f"Phường Thử {n:03d}" in copied


def test_nothing_to_tell_is_said_in_words() -> None:
    document = replace(
        MINUTES, present=(), absent=(), agenda=(), conclusions="", tasks=(), recipients=(), form=""
    )
    for text in (words(render_minutes_pdf(document)), docx_words(render_minutes_docx(document))):
        assert "Có mặt 0/0 đơn vị được mời." in text
        assert "người dự họp" not in text  # nobody said how many they were
        assert "Không có đơn vị vắng mặt." in text
        assert "Không có nội dung được ghi." in text
        assert "Cuộc họp không có kết luận." in text
        assert "Hình thức" not in text


def test_draft_says_so_on_every_page() -> None:
    draft = replace(
        MINUTES,
        letterhead=replace(MINUTES.letterhead, number=None, day=None),
        conclusions="Thống nhất. " * 900,
        issued=False,
    )
    pages = read(render_minutes_pdf(draft)).pages
    assert len(pages) > 2
    assert all("DỰ THẢO" in page.extract_text() for page in pages)
    assert "ngày ..... tháng ..... năm ......." in pages[0].extract_text()
    with zipfile.ZipFile(io.BytesIO(render_minutes_docx(draft))) as package:
        headers = [package.read(name).decode() for name in package.namelist() if "header" in name]
    assert sum('string="DỰ THẢO"' in header for header in headers) == 2
    assert "DỰ THẢO" not in words(render_minutes_pdf(MINUTES))


def test_correction_names_what_it_corrects() -> None:
    document = replace(
        MINUTES, corrects=Correction("06/BB-UBND", date(2026, 1, 9), "ghi nhầm thời hạn")
    )
    for text in (words(render_minutes_pdf(document)), docx_words(render_minutes_docx(document))):
        assert "đính chính Biên bản số 06/BB-UBND ngày 09 tháng 01 năm 2026." in text
        assert "Lý do đính chính: ghi nhầm thời hạn." in text


def test_invitation_says_every_fact() -> None:
    text = words(render_invitation_pdf(INVITATION))
    for fact in (
        "VĂN PHÒNG",
        "Số: 12/GM-VP",
        "Hà Nội, ngày 09 tháng 11 năm 2026",
        "GIẤY MỜI Họp giao ban trực tuyến",
        "Văn phòng trân trọng kính mời: - Các sở, ban, ngành; - UBND các phường thuộc quận Đống Đa;",
        "Tới dự: Hội nghị giao ban tháng 11.",
        "Chủ trì: Nguyễn Văn Thắng, Phó Chủ tịch.",
        "Thời gian: từ 08 giờ 00 phút đến 11 giờ 30 phút, ngày 15 tháng 11 năm 2026 (Chủ nhật).",
        "Địa điểm: Tại điểm cầu của đơn vị.",
        "1. Báo cáo 2. Thảo luận",
        "- Thử đường truyền trước 30 phút.",
        "KT. CHÁNH VĂN PHÒNG PHÓ CHÁNH VĂN PHÒNG",
        "Lê Anh Quân",
        "- Như trên; - Lưu: VT.",
    ):
        assert fact in text


def test_same_facts_give_the_same_bytes_from_many_threads() -> None:
    one = render_minutes_pdf(MINUTES)
    other = replace(MINUTES, subject="Họp khác")
    two = render_minutes_pdf(other)
    with ThreadPoolExecutor(4) as pool:
        rendered = list(pool.map(render_minutes_pdf, [MINUTES, other] * 8))
    assert rendered == [one, two] * 8


def test_docx_has_the_paper_and_the_font_of_the_form() -> None:
    document = docx.Document(io.BytesIO(render_minutes_docx(MINUTES)))
    section = document.sections[0]
    millimetres = [
        length and round(length.mm)
        for length in (
            section.page_width,
            section.page_height,
            section.top_margin,
            section.bottom_margin,
            section.left_margin,
            section.right_margin,
        )
    ]
    assert millimetres == [210, 297, 20, 20, 30, 20]
    assert document.styles["Normal"].font.name == "Times New Roman"
    assert document.styles["Normal"].font.size.pt == 14
    assert section.different_first_page_header_footer


def test_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        replace(MINUTES, started_at=datetime(2026, 2, 3, 8, 0))  # noqa: DTZ001  # the point of the test
