"""The OpenAPI document is kept: generated calls find no failure of ours and no undescribed answer."""

import os
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from meetings_server.database import Database
from meetings_server.demo.seed import seed
from meetings_server.effects import apply_effects
from meetings_server.identity.tokens import create_token
from rooms.catalogue import read_shipped
from rooms.kernel import utcnow
from rooms.people import Person
from tests.programs import Program

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "")
"""Of each call. With it the edges of every field are tried, too: four thousand calls more."""


# The stricter of the two databases: the calls are many, and what they find lies before either.
@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_generated_calls_find_no_failure(
    database_url: str, running_server: Callable[..., Program], tmp_path: Path
) -> None:
    """As a city secretary: the one who may do most, so that the calls reach far."""
    database = Database(database_url, [apply_effects])
    seed(database, read_shipped("hanoi-2021"), utcnow())
    with database.transaction() as session:
        person_id = session.scalars(select(Person.id).where(Person.username == "thuky")).one()
        token = create_token(session, person_id, "schemathesis", utcnow(), days=1)
    database.dispose()
    server = running_server("serve", settings={"database_url": database_url})
    done = subprocess.run(
        [
            Path(sysconfig.get_path("scripts")) / "schemathesis",
            "run",
            f"{server.url}/schema/openapi.json",
            "--header",
            f"Authorization: Bearer {token}",
            "--checks",
            CHECKS,
            "--phases",
            "examples,coverage,fuzzing,stateful" if EXAMPLES else "examples,fuzzing,stateful",
            "--max-examples",
            EXAMPLES or "6",
            "--generation-deterministic",
            "--no-color",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{server.log()[-4000:]}"
