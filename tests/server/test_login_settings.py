"""Settings and commands that decide how people get in."""

from pathlib import Path

import pytest

from meetings_server.database import Database
from meetings_server.identity.passwords import keep_password
from meetings_server.identity.second_factor import has_second_factor
from meetings_server.identity.sessions import by_token
from meetings_server.settings import SettingInvalid, read_settings
from rooms.kernel import utcnow
from rooms.people import Role
from tests.factories import City
from tests.server.test_cli import caller
from tests.server.test_second_factor import enrol

PROVIDER = {"oidc_issuer": "https://sso.example", "oidc_client_id": "meetings"}


def read(**given: str) -> object:
    return read_settings({f"MEETINGS_{name.upper()}": value for name, value in given.items()})


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"second_factor_roles": "administrator;secretary"}, "SECOND_FACTOR_ROLES"),
        ({"second_factor_roles": "king"}, "SECOND_FACTOR_ROLES"),
        ({"oidc_issuer": "sso.example", "oidc_client_id": "x"}, "OIDC_ISSUER"),
        ({"oidc_issuer": "http://sso.example", "oidc_client_id": "x"}, "OIDC_ISSUER"),
        ({"oidc_issuer": "https://sso.example"}, "OIDC_CLIENT_ID"),
        (PROVIDER | {"oidc_client_secret_file": "/no/such/file"}, "OIDC_CLIENT_SECRET_FILE"),
        (
            PROVIDER | {"oidc_client_secret_file": "/dev/null", "oidc_client_secret": "x"},
            "OIDC_CLIENT_SECRET",
        ),
        (PROVIDER | {"oidc_scopes": "profile"}, "OIDC_SCOPES"),
        (PROVIDER | {"oidc_claim": " "}, "OIDC_CLAIM"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(given: dict[str, str], named: str) -> None:
    with pytest.raises(SettingInvalid, match=f"MEETINGS_{named}"):
        read(**given)


def test_settings_of_the_login(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not in the environment\n")
    settings = read_settings(
        {
            "MEETINGS_OIDC_ISSUER": "http://localhost:8080/realms/office",
            "MEETINGS_OIDC_CLIENT_ID": "meetings",
            "MEETINGS_OIDC_CLIENT_SECRET_FILE": str(secret),
            "MEETINGS_SECOND_FACTOR_ROLES": "administrator, secretary",
        }
    )
    assert settings.effective_client_secret == "not in the environment"
    assert settings.demanding_roles == {Role.ADMINISTRATOR, Role.SECRETARY}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_tokens_for_scopes_and_a_way_out_of_a_lost_telephone(
    database_url: str, tmp_path: Path, db: Database, city: City
) -> None:
    call = caller(database_url, tmp_path)
    token = call("create-token", "thuky", "--scope", "units:read", "--scope", "meetings:read")
    assert (token.returncode, token.stderr) == (0, "")
    with db.reader() as session:
        user = by_token(session, token.stdout.strip(), utcnow())
    assert user is not None
    assert user.scopes == {"units:read", "meetings:read"}
    assert call("create-token", "thuky", "--scope", "units:write").returncode == 2
    assert call("create-token", "thuky", "--days", "400").returncode == 1

    with db.transaction() as session:
        keep_password(session, city.secretary.person_id, "mua-roi-tren-ho-tay", utcnow())
    enrol(db, city.secretary.person_id, utcnow())
    done = call("reset-second-factor", "ThuKy")
    assert (done.returncode, done.stderr) == (0, "")
    with db.reader() as session:
        assert not has_second_factor(session, city.secretary.person_id)
    again = call("reset-second-factor", "thuky")
    assert (again.returncode, again.stderr) == (
        1,
        "meetings-server: thuky has no second factor; nothing to reset\n",
    )
    assert call("reset-second-factor", "nobody").returncode == 1
