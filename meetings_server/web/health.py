"""For those who watch the server: is it alive, is it ready, how busy is it."""

from litestar import MediaType, Response, get
from litestar.status_codes import HTTP_200_OK, HTTP_503_SERVICE_UNAVAILABLE
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from meetings_server.database import Database


@get("/healthz", opt={"public": True}, media_type=MediaType.TEXT, sync_to_thread=False)
def healthz() -> str:
    """The process answers."""
    return "ok\n"


@get("/readyz", opt={"public": True}, media_type=MediaType.TEXT, sync_to_thread=True)
def readyz(db: Database) -> Response[str]:
    """The process answers and its database does."""
    try:
        ready = db.is_reachable()
    except SQLAlchemyError:
        ready = False
    if ready:
        return Response("ready\n", status_code=HTTP_200_OK)
    return Response("the database does not answer\n", status_code=HTTP_503_SERVICE_UNAVAILABLE)


@get("/metrics", opt={"public": True}, media_type=CONTENT_TYPE_LATEST, sync_to_thread=False)
def metrics() -> str:
    """Counts and times of requests in the Prometheus format, without names of people or meetings."""
    return generate_latest(REGISTRY).decode()


HANDLERS = [healthz, readyz, metrics]
