"""The server as its users run it: the real program in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 120
# A server that is told to stop finishes what it is doing; whoever restarts it waits this long.
STOP_SECONDS = 10
THIS_PROGRAM = (sys.executable, "-m", "meetings_server")


class ProgramFailed(AssertionError):
    """The program did not start, or did not end as it should; the message ends with its log."""


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with only these `MEETINGS_…` settings; names without prefix."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MEETINGS_")}
    return kept | {f"MEETINGS_{key.upper()}": value for key, value in settings.items()}


@dataclass
class Program:
    """A running server. `url` has no slash at its end; `data` is its folder of files."""

    process: subprocess.Popen[bytes]
    url: str
    data: Path
    log_file: Path
    crashed: bool = False

    def log(self) -> str:
        """What the program has printed so far, standard output and error together."""
        return self.log_file.read_text(errors="replace")

    @property
    def live_url(self) -> str:
        """The same place for websockets."""
        return self.url.replace("http://", "ws://", 1)

    def wait_until_ready(self, *, seconds: float = START_SECONDS, path: str = "/readyz") -> None:
        """Raises `ProgramFailed` where the program ends or is not ready in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ProgramFailed(f"ended with {self.process.returncode}:\n{self.log()}")
            try:
                with urllib.request.urlopen(self.url + path, timeout=5) as answer:  # noqa: S310 -- http on 127.0.0.1
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        self.crash()
        raise ProgramFailed(f"not ready at {self.url}{path} in {seconds} s:\n{self.log()}")

    def stop(self) -> None:
        """End it as an operating system does. Raises `ProgramFailed` unless it ends in time, with 0.

        After `crash()` there is nothing left to end.
        """
        if self.crashed:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.crash()
            raise ProgramFailed(
                f"still running {STOP_SECONDS} s after SIGTERM:\n{self.log()}"
            ) from None
        if code != 0:
            raise ProgramFailed(f"ended with {code}:\n{self.log()}")

    def crash(self) -> None:
        """End it as a power cut does."""
        self.crashed = True
        self.process.kill()
        self.process.wait()


def start(
    arguments: Sequence[str],
    folder: Path,
    settings: Mapping[str, str],
    *,
    program: Sequence[str | Path] = THIS_PROGRAM,
    port: int | None = None,
) -> Program:
    """The program with `arguments`, `--port` and `settings`, working in `folder`, log included.

    `program` may be that of another environment. The caller waits and stops.
    """
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    log_file = folder / f"{arguments[0]}-{port}.log"
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [*program, *arguments, "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Not the checkout: what the program needs must come from its own package.
            cwd=folder,
            env=environment(settings) | {"PYTHONUNBUFFERED": "1"},
        )
    return Program(process, f"http://127.0.0.1:{port}", folder / "data", log_file)
