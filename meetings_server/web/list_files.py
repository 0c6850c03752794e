"""Lists to take away: the present units, points and people, and examples of how a list looks."""

from litestar import Response, get
from litestar.exceptions import NotFoundException

from meetings_server.database import Database
from meetings_server.i18n import _
from meetings_server.web.downloads import disposition, note_download
from meetings_server.web.list_import import kind_named
from meetings_server.web.list_kinds import packed
from meetings_server.web.pages import PageRequest
from rooms.kernel import civil_day, utcnow

ENDINGS = ("csv", "xlsx")


def file_of(content: bytes, media_type: str, filename: str) -> Response[bytes]:
    return Response(
        content,
        media_type=media_type,
        headers={
            "content-disposition": disposition(filename, inline=False),
            "cache-control": "private, no-store",
            "x-content-type-options": "nosniff",
        },
    )


@get("/admin/export/{filename:str}", include_in_schema=False, sync_to_thread=True)
def present_list(request: PageRequest, db: Database, filename: str) -> Response[bytes]:
    """`people.xlsx`: the list of today as far as one looks after it; it comes in again unchanged."""
    name, _dot, ending = filename.rpartition(".")
    kind = kind_named(request, name)
    if ending not in ENDINGS:
        raise NotFoundException
    today = civil_day(utcnow())
    with db.reader() as session:
        rows = kind.rows(session, request.user.actor, today)
        content, media_type = packed(kind, rows, ending)
    filename = f"{name}-{today}.{ending}"
    if name != "units":
        # Telephone numbers and addresses of people leave the house.
        note_download(db, _TABLES[name], "", filename, facts={"rows": len(rows)})
    return file_of(content, media_type, filename)


_TABLES = {"people": "person", "points": "bridge_point"}


@get("/admin/import/{name:str}/{filename:str}", include_in_schema=False, sync_to_thread=True)
def example_list(request: PageRequest, name: str, filename: str) -> Response[bytes]:
    """`example.csv`: heads and a row or two, to be filled in."""
    kind = kind_named(request, name)
    stem, _dot, ending = filename.rpartition(".")
    if stem != "example" or ending not in ENDINGS:
        raise NotFoundException
    content, media_type = packed(kind, kind.example(), ending)
    return file_of(content, media_type, f"{_('example')}-{name}.{ending}")


HANDLERS = [example_list, present_list]
