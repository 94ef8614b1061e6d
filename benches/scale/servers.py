"""The servers that benches/scale measures: PostgreSQL, and a service on each database."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from glob import glob
from pathlib import Path

SECRET = "0123456789abcdef0123456789abcdef"
HERE = Path(__file__).parent
BINARY = os.environ.get("SNAPNOTE", "target/release/snapnote")
# The rows of the databases are inserted once, and losing them in a crash of the machine is acceptable.
SETTINGS = """
fsync = off
listen_addresses = ''
shared_buffers = '2GB'
max_wal_size = '8GB'
wal_level = minimal
max_wal_senders = 0
"""


class Postgres:
    """A PostgreSQL server: the one that the environment names, or one of its own in a folder."""

    def __init__(self, folder):
        self.process = self.temporary = None
        if "PGHOST" not in os.environ:
            self.temporary = None if folder else tempfile.mkdtemp(prefix="snapnote-scale-")
            self.start(Path(folder or self.temporary).absolute())
        pid = self.sql("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)", "postgres")
        self.postmaster = int(pid)

    def start(self, folder):
        programs = Path(os.environ.get("SNAPNOTE_PG_BIN") or max(glob("/usr/lib/postgresql/*/bin")))
        # PostgreSQL does not run as root.
        user = None if os.geteuid() else "postgres"
        folder.mkdir(parents=True, exist_ok=True)
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        data = folder / "pg"
        if not data.exists():
            command = [programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"]
            subprocess.run(command, check=True, user=user, cwd="/", stdout=subprocess.DEVNULL)
            with open(data / "postgresql.conf", "a") as file:
                file.write(SETTINGS)
        os.environ.update(PGHOST=str(folder), PGPORT="5432", PGUSER="postgres")
        command = [programs / "postgres", "-D", data, "-k", folder]
        with open(folder / "log", "a") as log:
            self.process = subprocess.Popen(command, user=user, cwd="/", stderr=log)
        while subprocess.run([programs / "pg_isready", "-q"]).returncode:
            if self.process.poll() is not None:
                raise SystemExit(f"PostgreSQL did not start: see {folder}/log")
            time.sleep(0.1)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait()
        if self.temporary:
            shutil.rmtree(self.temporary)

    def sql(self, text, database):
        command = ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", text]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def script(self, name, database, **variables):
        settings = [f"-v{name}={value}" for name, value in variables.items()]
        subprocess.run(["psql", "-qX", "-d", database, *settings, "-f", HERE / name], check=True, stdout=subprocess.DEVNULL)

    def create(self, database, ranges):
        """A database with users in these ranges, unless it exists: the first and the last, and the documents and tasks of each."""
        ready = f"SELECT count(*) FROM pg_database WHERE datname = '{database}'"
        if self.sql(ready, "postgres") == "1":
            return
        unfinished = f"{database}_unfinished"
        self.sql(f"DROP DATABASE IF EXISTS {unfinished}", "postgres")
        self.sql(f"CREATE DATABASE {unfinished}", "postgres")
        subprocess.run([BINARY, "migrate", "up"], check=True, env=environment(unfinished), stdout=subprocess.DEVNULL)
        self.script("begin.sql", unfinished)
        for first, last, documents, tasks in ranges:
            self.script("rows.sql", unfinished, first=first, last=last, documents=documents, tasks=tasks)
        self.script("end.sql", unfinished)
        self.sql(f"ALTER DATABASE {unfinished} RENAME TO {database}", "postgres")

    def pids(self):
        found = subprocess.run(["pgrep", "-P", str(self.postmaster)], capture_output=True, text=True).stdout
        return [int(pid) for pid in found.split()]


def environment(database, port=0):
    host, number, user = (os.environ[name] for name in ("PGHOST", "PGPORT", "PGUSER"))
    return os.environ | {
        "DATABASE_URL": f"postgres://{user}@localhost/{database}?host={host}&port={number}",
        "SNAPNOTE_JWT_SECRET": SECRET,
        "SNAPNOTE_LISTEN": f"127.0.0.1:{port}",
        "SNAPNOTE_LIMIT_COST": "off",
        "SNAPNOTE_LOG": "warn",
        # The items in the trash stay there.
        "SNAPNOTE_TRASH_DAYS": "0",
    }


class Service:
    """A service on a database."""

    def __init__(self, database, port):
        self.database, self.port, self.url = database, port, f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([BINARY, "serve"], env=environment(database, port), stdout=subprocess.DEVNULL)
        while not self.is_ready():
            if self.process.poll() is not None:
                raise SystemExit(f"the service on {database} did not start")
            time.sleep(0.1)

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/readyz") as response:
                return response.status == 200
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait()


def cpu_of(pids):
    """The nanoseconds of CPU that each of these processes has used in threads that still run."""
    used = {}
    for pid in pids:
        used[pid] = 0
        for path in glob(f"/proc/{pid}/task/*/schedstat"):
            try:
                with open(path) as file:
                    used[pid] += int(file.read().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                pass
    return used


class Cpu:
    """The CPU time of a service and of PostgreSQL since a moment, in seconds."""

    def __init__(self, service, postgres):
        self.service, self.postgres = service, postgres
        self.before = self.read()

    def read(self):
        return cpu_of([self.service.process.pid]), cpu_of(self.postgres.pids())

    def used(self):
        def difference(before, after):
            return sum(used - before.get(pid, 0) for pid, used in after.items()) / 1e9
        return [difference(*pair) for pair in zip(self.before, self.read())]
