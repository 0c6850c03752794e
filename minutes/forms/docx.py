"""A sheet as DOCX, for offices that go on writing in their word processor."""

import io
from collections.abc import Sequence

import docx
from docx.document import Document
from docx.enum.section import WD_SECTION
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.section import Section
from docx.shared import Length, Mm, Pt
from docx.table import Table as DocxTable
from docx.table import _Cell
from docx.text.paragraph import Paragraph as DocxParagraph

from minutes.forms.sheet import Appendix, Block, Head, Heading, Paragraph, Sheet, Table

# Every office machine has it; Liberation Serif of the PDF has its metrics.
FONT = "Times New Roman"
TEXT_WIDTH = Mm(160)
ALIGNED = {
    "left": WD_ALIGN_PARAGRAPH.LEFT,
    "center": WD_ALIGN_PARAGRAPH.CENTER,
    "right": WD_ALIGN_PARAGRAPH.RIGHT,
}
CENTER = WD_ALIGN_PARAGRAPH.CENTER
VML = "urn:schemas-microsoft-com:vml"
# The drawing that word processors make for a watermark: text along a path, behind the page.
WATERMARK = f"""<w:pict {nsdecls("w")} xmlns:v="{VML}"
    xmlns:o="urn:schemas-microsoft-com:office:office">
  <v:shapetype id="_x0000_t136" coordsize="21600,21600" o:spt="136" adj="10800"
      path="m@7,l@8,m@5,21600l@6,21600e">
    <v:formulas>
      <v:f eqn="sum #0 0 10800"/><v:f eqn="prod #0 2 1"/><v:f eqn="sum 21600 0 @1"/>
      <v:f eqn="sum 0 0 @2"/><v:f eqn="sum 21600 0 @3"/><v:f eqn="if @0 @3 0"/>
      <v:f eqn="if @0 21600 @1"/><v:f eqn="if @0 0 @2"/><v:f eqn="if @0 @4 21600"/>
    </v:formulas>
    <v:path textpathok="t" o:connecttype="rect"/>
    <v:textpath on="t" fitshape="t"/>
  </v:shapetype>
  <v:shape type="#_x0000_t136" fillcolor="#e6e6e6" stroked="f"
      style="position:absolute;width:400pt;height:110pt;rotation:310;z-index:-251658752;\
mso-position-horizontal:center;mso-position-horizontal-relative:margin;\
mso-position-vertical:center;mso-position-vertical-relative:margin">
    <v:textpath style="font-family:'Times New Roman';font-weight:bold" string=""/>
  </v:shape>
</w:pict>"""


def render_docx(sheet: Sheet) -> bytes:
    document = docx.Document()
    set_page(document)
    set_font(document)
    document.core_properties.title = sheet.name[:255]
    document.core_properties.author = sheet.head.issuer[:255]
    document.core_properties.language = sheet.language
    document.core_properties.comments = ""
    put_headers(document, sheet.watermark)
    put_head(document, sheet.head)
    write(document.add_paragraph(), sheet.title, bold=True, align=CENTER, before=12)
    write(document.add_paragraph(), sheet.subject, bold=True, align=CENTER)
    rule(document.add_paragraph(), Mm(54))
    for block in sheet.blocks:
        put_block(document, block)
    put_ending(document, sheet)
    for appendix in sheet.appendices:
        put_appendix(document, appendix)
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def set_page(document: Document) -> None:
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin = section.bottom_margin = Mm(20)
    section.left_margin, section.right_margin = Mm(30), Mm(20)
    section.header_distance = Mm(10)


def set_font(document: Document) -> None:
    style = document.styles["Normal"]
    style.font.name = FONT
    style.font.size = Pt(14)
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for script in ("w:ascii", "w:hAnsi", "w:eastAsia", "w:cs"):
        fonts.set(qn(script), FONT)
    style.paragraph_format.space_after = Pt(0)
    style.paragraph_format.line_spacing = 1.0


def write(
    paragraph: DocxParagraph,
    text: str,
    *,
    bold: bool = False,
    italic: bool = False,
    size: float = 14,
    align: WD_ALIGN_PARAGRAPH = WD_ALIGN_PARAGRAPH.LEFT,
    before: float = 0,
) -> DocxParagraph:
    run = paragraph.add_run(text)
    run.bold, run.italic, run.font.size = bold, italic, Pt(size)
    paragraph.alignment = align
    paragraph.paragraph_format.space_before = Pt(before)
    return paragraph


def rule(paragraph: DocxParagraph, width: Length, within: Length = TEXT_WIDTH) -> None:
    """A short line below what stands above: the border of an empty, narrowed paragraph."""
    form = paragraph.paragraph_format
    form.left_indent = form.right_indent = Length((within - width) // 2)
    form.line_spacing, form.space_after = Pt(3), Pt(6)
    border = parse_xml(
        f'<w:pBdr {nsdecls("w")}><w:bottom w:val="single" w:sz="6" w:space="1"'
        ' w:color="000000"/></w:pBdr>'
    )
    # The schema fixes the order: borders stand before spacing, indents and alignment.
    paragraph._p.get_or_add_pPr().insert_element_before(border, "w:spacing", "w:ind", "w:jc")  # noqa: SLF001  # python-docx has no call for borders


def field(paragraph: DocxParagraph, instruction: str) -> None:
    run = paragraph.add_run()
    run.font.size = Pt(13)
    run._r.append(  # noqa: SLF001  # python-docx has no call for fields
        parse_xml(f'<w:fldChar {nsdecls("w")} w:fldCharType="begin"/>')
    )
    run._r.append(  # noqa: SLF001  # as above
        parse_xml(f'<w:instrText {nsdecls("w")} xml:space="preserve"> {instruction} </w:instrText>')
    )
    run._r.append(parse_xml(f'<w:fldChar {nsdecls("w")} w:fldCharType="end"/>'))  # noqa: SLF001  # as above


def put_headers(document: Document, watermark: str) -> None:
    """The page number from page 2 on, and the watermark on every page."""
    section = document.sections[0]
    section.different_first_page_header_footer = True
    numbered = section.header.paragraphs[0]
    numbered.alignment = CENTER
    field(numbered, "PAGE")
    if watermark:
        put_watermark(numbered, watermark)
        put_watermark(section.first_page_header.paragraphs[0], watermark)


def put_watermark(paragraph: DocxParagraph, text: str) -> None:
    picture = parse_xml(WATERMARK)
    picture.find(f".//{{{VML}}}textpath").set("string", text)
    paragraph.add_run()._r.append(picture)  # noqa: SLF001  # python-docx has no call for drawings


def put_head(document: Document, head: Head) -> None:
    left, right = Mm(68), Mm(92)
    table = document.add_table(rows=2, cols=2)
    table.autofit = False
    agency, nation = table.rows[0].cells
    number, place = table.rows[1].cells
    for cell, width in ((agency, left), (nation, right), (number, left), (place, right)):
        cell.width = width
    for text in head.superior.splitlines():
        write(fresh(agency), text, size=12, align=CENTER)
    for text in head.issuer.splitlines():
        write(fresh(agency), text, size=12, bold=True, align=CENTER)
    rule(agency.add_paragraph(), Mm(24), left)
    write(fresh(nation), "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", size=12, bold=True, align=CENTER)
    write(fresh(nation), "Độc lập - Tự do - Hạnh phúc", size=13, bold=True, align=CENTER)
    rule(nation.add_paragraph(), Mm(58), right)
    write(fresh(number), head.number, size=13, align=CENTER)
    write(fresh(place), head.place_and_day, size=13, italic=True, align=CENTER)


def fresh(cell: _Cell) -> DocxParagraph:
    """The cell's first paragraph while it is empty, a new one after."""
    first: DocxParagraph = cell.paragraphs[0]
    if not first.runs:
        return first
    added: DocxParagraph = cell.add_paragraph()
    return added


def put_block(document: Document, block: Block) -> None:
    if isinstance(block, Heading):
        paragraph = write(document.add_paragraph(), block.text, bold=True, before=8)
        paragraph.paragraph_format.keep_with_next = True
    elif isinstance(block, Paragraph):
        paragraph = write(
            document.add_paragraph(),
            block.text,
            italic=block.italic,
            align=WD_ALIGN_PARAGRAPH.JUSTIFY,
            before=6,
        )
        paragraph.paragraph_format.first_line_indent = Mm(10)
        paragraph.paragraph_format.keep_with_next = block.text.endswith(":")
    else:
        put_table(document, block)


def put_table(document: Document, block: Table) -> None:
    size, width = (10.0, Mm(77)) if block.compact else (13.0, TEXT_WIDTH)
    table = document.add_table(rows=1, cols=len(block.columns))
    table.style = "Table Grid"
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    table.autofit = False
    shares = sum(column.width for column in block.columns)
    widths = [Length(int(width * column.width / shares)) for column in block.columns]
    for grid, share in zip(table.columns, widths, strict=True):
        grid.width = share
    for cell, column, share in zip(table.rows[0].cells, block.columns, widths, strict=True):
        cell.width = share
        write(cell.paragraphs[0], column.title, bold=True, size=size, align=CENTER)
    repeat_on_each_page(table)
    for group in block.groups:
        if group.title:
            cells = table.add_row().cells
            whole = cells[0].merge(cells[-1])
            write(whole.paragraphs[0], group.title, bold=True, size=size)
        for row in group.rows:
            cells = table.add_row().cells
            for cell, text, column, share in zip(cells, row, block.columns, widths, strict=True):
                cell.width = share
                write(cell.paragraphs[0], text, size=size, align=ALIGNED[column.align])


def repeat_on_each_page(table: DocxTable) -> None:
    table.rows[0]._tr.get_or_add_trPr().append(  # noqa: SLF001  # python-docx has no call for it
        parse_xml(f"<w:tblHeader {nsdecls('w')}/>")
    )


def put_ending(document: Document, sheet: Sheet) -> None:
    document.add_paragraph()
    table = document.add_table(rows=1, cols=2)
    cells = list(table.rows[0].cells)
    if len(sheet.signatures) == 1:
        put_recipients(cells.pop(0), sheet.recipients)
    for cell, signature in zip(cells, sheet.signatures, strict=True):
        for office in signature.offices:
            write(fresh(cell), office, bold=True, align=CENTER)
        write(cell.add_paragraph(), signature.name, bold=True, align=CENTER, before=64)
    if len(sheet.signatures) > 1:
        document.add_paragraph()
        put_recipients(document.add_table(rows=1, cols=1).rows[0].cells[0], sheet.recipients)


def put_recipients(cell: _Cell, recipients: Sequence[str]) -> None:
    write(fresh(cell), "Nơi nhận:", bold=True, italic=True, size=12)
    for name in recipients:
        write(cell.add_paragraph(), name, size=11)


def put_appendix(document: Document, appendix: Appendix) -> None:
    """On a new page; the lists below its title in two columns."""
    section = document.add_section(WD_SECTION.NEW_PAGE)
    section.different_first_page_header_footer = False
    set_columns(section, 1)
    write(document.add_paragraph(), appendix.title, bold=True, align=CENTER)
    write(document.add_paragraph(), appendix.subject, bold=True, align=CENTER)
    write(document.add_paragraph(), appendix.reference, italic=True, align=CENTER)
    rule(document.add_paragraph(), Mm(54))
    set_columns(document.add_section(WD_SECTION.CONTINUOUS), 2)
    for block in appendix.blocks:
        put_block(document, block)


def set_columns(section: Section, number: int) -> None:
    properties = section._sectPr  # noqa: SLF001  # python-docx has no call for columns
    for columns in properties.findall(qn("w:cols")):
        columns.set(qn("w:num"), str(number))
        columns.set(qn("w:space"), "340")
