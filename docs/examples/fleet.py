"""A fleet behind ss-proxy: one server for each user. Python's standard library is all that it needs.

    ss-proxy run                                    # in another terminal: it makes sessions.db
    python3 fleet.py                                # a door on port 8001, for this machine alone
    curl -X PUT http://127.0.0.1:8001/alice         # starts a server for alice
    curl http://127.0.0.1:8080/alice/               # and here it is
    curl http://127.0.0.1:8001/                     # what runs
    curl -X DELETE http://127.0.0.1:8001/alice      # stops it

A server that crashes is replaced. One that nobody has used for --idle is stopped. All are stopped when this program is.
"""

import argparse
import json
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

USER = re.compile(r"[a-z][a-z0-9-]{0,30}")
RESERVED = {"health", "ws"}  # Paths of the proxy itself.


class Server:
    """One user's server. `ready`: its session forwards. `failures`: how often in a row it died before it was ready."""

    def __init__(self):
        self.process = None
        self.port = 0
        self.ready = False
        self.failures = 0
        self.start_at = 0.0


class Sessions:
    """The rows of the fleet. Each statement is a transaction of its own, and in force 10 ms later."""

    def __init__(self, path):
        # mode=rw: a mistyped path is an error here, and not a new database that no proxy reads.
        uri = f"{Path(path).absolute().as_uri()}?mode=rw"
        # isolation_level=None: no transaction stays open by mistake. timeout: another program may be writing just now.
        self.database = sqlite3.connect(uri, uri=True, timeout=5, isolation_level=None)
        # Which sessions are ours: other programs may have rows in the same file.
        self.database.execute("CREATE TABLE IF NOT EXISTS fleet (session_id TEXT PRIMARY KEY)")

    def put(self, user, url, status):
        # An update, and no INSERT OR REPLACE: created_at stays, so a drain or an idle time goes on.
        self.database.execute("INSERT OR IGNORE INTO fleet VALUES (?)", (user,))
        self.database.execute(
            "INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) VALUES (?, ?, ?)"
            " ON CONFLICT (session_id) DO UPDATE SET downstream_server_url = excluded.downstream_server_url,"
            " downstream_server_status = excluded.downstream_server_status, updated_at = CURRENT_TIMESTAMP",
            (user, url, status),
        )

    def remove(self, user):
        self.database.execute("DELETE FROM sessions WHERE session_id = ?", (user,))
        # What was set and asked of this session alone: its policies, a drain.
        self.database.execute("DELETE FROM session_policies WHERE session_id = ?", (user,))
        self.database.execute("DELETE FROM session_control WHERE session_id = ?", (user,))
        self.database.execute("DELETE FROM fleet WHERE session_id = ?", (user,))

    def ours(self):
        return [user for (user,) in self.database.execute("SELECT session_id FROM fleet")]


def free_port():
    """A port that nobody has now. Somebody may take it before the server does: then the server dies, and gets another."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
        return True
    except OSError:
        return False


class Fleet:
    def __init__(self, options):
        self.options = options
        self.sessions = Sessions(options.db_path)
        self.servers = {}
        self.idle_asked = time.monotonic()
        # Left by a run of this program that was killed. Their servers may run on: with containers, look for their label.
        for user in self.sessions.ours():
            self.sessions.remove(user)

    def start(self, user):
        self.servers.setdefault(user, Server())
        self.tick()

    def stop(self, *users):
        """The sessions first: their clients are let go, and nobody new comes. Then their servers."""
        for user in users:
            try:
                self.sessions.remove(user)
            except sqlite3.Error as error:  # The row is left; the server must not be. The next start removes it.
                self.say(f"{user}: the database: {error}")
        processes = [server.process for server in map(self.servers.pop, users) if server.process is not None]
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def tick(self):
        """Called twice a second. Starts what is to run, lets in who waits, replaces what has died, stops what is idle."""
        for user, server in self.servers.items():
            if server.process is None and time.monotonic() >= server.start_at:
                self.spawn(user, server)
            elif server.process is not None and server.process.poll() is not None:
                self.mourn(user, server)
            elif server.process is not None and not server.ready and listens(server.port):
                self.sessions.put(user, self.url(server), "active")
                server.ready, server.failures = True, 0
                self.say(f"{user}: ready")
        if time.monotonic() - self.idle_asked >= self.options.idle_every:
            self.idle_asked = time.monotonic()
            idle = self.idle()
            for user in idle:
                self.say(f"{user}: idle")
            self.stop(*idle)

    def spawn(self, user, server):
        server.port = free_port()
        command = self.options.server.format(port=server.port, user=user)
        server.process = subprocess.Popen(shlex.split(command), stdin=subprocess.DEVNULL)
        # Until it listens, requests are answered with 503 and Retry-After. Any word that does not forward will do.
        self.sessions.put(user, self.url(server), "starting")
        self.say(f"{user}: started, process {server.process.pid}")

    def mourn(self, user, server):
        """Its next server has another port, so what was live on the old one ends: WebSockets are closed with 1012."""
        server.failures = 0 if server.ready else server.failures + 1
        wait = min(60, 2**server.failures) - 1
        self.say(f"{user}: ended with {server.process.returncode}, starts again in {wait} s")
        server.process, server.ready, server.start_at = None, False, time.monotonic() + wait
        self.sessions.put(user, self.url(server), "crashed")

    def idle(self):
        """Users whose sessions nobody has used for a while, as far as the proxies have written it down."""
        command = [*shlex.split(self.options.proxy), "sessions", "list", "--json"]
        command += ["--idle-for", self.options.idle, "--db-path", self.options.db_path]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            self.say(f"nobody knows who is idle: {error}")
            return []
        if done.returncode != 0:
            self.say(done.stderr.strip())
            return []
        return [row["id"] for row in json.loads(done.stdout) if row["id"] in self.servers]

    def url(self, server):
        return f"http://127.0.0.1:{server.port}"

    def state(self):
        return {
            user: {"ready": server.ready, "port": server.port, "pid": server.process and server.process.pid}
            for user, server in self.servers.items()
        }

    def say(self, text):
        print(text, file=sys.stderr, flush=True)


class Door(HTTPServer):
    """Calls of your own program. One thread serves them and looks after the fleet, so nothing needs a lock."""

    def __init__(self, address, options):
        # The port first: a second run by mistake ends here, and the rows of the first are left alone.
        super().__init__(address, Call)
        self.fleet = Fleet(options)

    def service_actions(self):
        try:
            self.fleet.tick()
        except sqlite3.Error as error:  # Locked for too long, or the disk is full: the next tick tries again.
            self.fleet.say(f"the database: {error}")
        except OSError as error:  # No such command, or too many processes.
            self.fleet.say(f"a server cannot be started: {error}")


class Call(BaseHTTPRequestHandler):
    timeout = 2  # A caller that says nothing holds up the fleet for no longer.

    def do_GET(self):
        self.answer(200, self.server.fleet.state())

    def do_PUT(self):
        user = self.path[1:]
        if not USER.fullmatch(user) or user in RESERVED:
            return self.answer(400, {"error": "a user has a name of small letters, digits and -"})
        self.server.fleet.start(user)
        self.answer(202, self.server.fleet.state()[user])

    def do_DELETE(self):
        user = self.path[1:]
        if user not in self.server.fleet.servers:
            return self.answer(404, {"error": f"there is no {user}"})
        self.server.fleet.stop(user)
        self.answer(200, {})

    def answer(self, status, value):
        body = json.dumps(value).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description="One server for each user, behind ss-proxy.")
    parser.add_argument("--db-path", default="sessions.db", help="the database of the proxy")
    parser.add_argument("--door", type=int, default=8001, help="port for your own calls, on 127.0.0.1")
    parser.add_argument("--idle", default="30m", help="servers that nobody has used for so long are stopped")
    parser.add_argument("--idle-every", type=float, default=60, help="seconds from one look for these to the next")
    parser.add_argument("--proxy", default="ss-proxy", help="how the proxy's commands are called")
    parser.add_argument(
        "--server",
        default=shlex.join([sys.executable, str(Path(__file__).with_name("server.py")), "{port}", "{user}"]),
        help="the command that starts a server; {port} and {user} are filled in",
    )
    options = parser.parse_args()
    with Door(("127.0.0.1", options.door), options) as door:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            door.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            door.fleet.stop(*door.fleet.servers)


main()
