"""Holds docker/haproxy.cfg to what the service needs of a proxy, with a real HAProxy."""

import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from apis import PATIENCE, Api

CONFIG = (Path(__file__).resolve().parents[2] / "docker/haproxy.cfg").read_text()
TEMPLATE = re.compile(r"^    server-template .*$", re.MULTILINE)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Proxy:
    """HAProxy with our configuration, in front of APIs that are named instead of looked up."""

    def __init__(self, apis, port, log):
        self.apis, self.port, self.log = apis, port, log

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def ask(self, method, path, body=None, headers=None):
        connection = self.connect()
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()


@contextlib.contextmanager
def proxy(*changes):
    apis, port = [Api("one"), Api("two")], free_port()
    servers = [f"    server {api.name} 127.0.0.1:{api.server_port}" for api in apis]
    config = CONFIG
    for old, new in [("bind :8004", f"bind 127.0.0.1:{port}"), *changes]:
        assert old in config, f"docker/haproxy.cfg has no {old!r} any more"
        config = config.replace(old, new)
    config, found = TEMPLATE.subn("\n".join(servers), config)
    assert found == 1, "docker/haproxy.cfg has no server-template any more"
    with tempfile.TemporaryDirectory() as folder:
        file, log = Path(folder, "haproxy.cfg"), Path(folder, "log")
        file.write_text(config)
        with log.open("w") as output:
            command = ["haproxy", "-db", "-f", str(file)]
            running = subprocess.Popen(command, stdout=output, stderr=output)
        here = Proxy(apis, port, log)
        try:
            until(lambda: running.poll() is not None or reached(here), "HAProxy listens")
            assert running.poll() is None, f"HAProxy did not start: {said(here)}"
            yield here
        finally:
            running.kill()
            running.wait()
            for api in apis:
                api.thawed.set()
                api.close()


def until(holds, what):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.02)


def reached(here):
    try:
        return here.ask("GET", "/")[0] == 200
    except OSError:
        return False


def the_client_is_the_last_hop_whatever_it_says():
    with proxy() as here:
        _, body = here.ask("GET", "/", headers={"X-Forwarded-For": "9.9.9.9"})
        hops = ", ".join(json.loads(body)["hops"]).split(", ")
        assert hops == ["9.9.9.9", "127.0.0.1"], hops


def both_apis_are_used():
    with proxy() as here:
        names = {json.loads(here.ask("GET", "/")[1])["api"] for _ in range(10)}
        assert names == {"one", "two"}, names


def a_body_passes_before_it_is_whole():
    with proxy() as here, contextlib.closing(here.connect()) as connection:
        size = 256 * 1024
        connection.putrequest("POST", "/upload")
        connection.putheader("Content-Length", str(2 * size))
        connection.endheaders()
        connection.send(b"a" * size)
        until(lambda: any(api.began.is_set() for api in here.apis), "the beginning arrives")
        connection.send(b"b" * size)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["missing"]) == (200, 0)


def a_body_may_take_longer_than_an_answer():
    shorter = [(f"timeout {side} 90s", f"timeout {side} 2s") for side in ("client", "server")]
    with proxy(*shorter) as here, contextlib.closing(here.connect()) as connection:
        pieces = 30
        connection.putrequest("POST", "/upload")
        connection.putheader("Content-Length", str(pieces))
        connection.endheaders()
        for _ in range(pieces):
            connection.send(b"a")
            time.sleep(0.1)
        assert connection.getresponse().status == 200


def an_answer_to_a_body_that_is_too_large_comes_at_once():
    with proxy() as here, contextlib.closing(here.connect()) as connection:
        connection.putrequest("POST", "/refused")
        connection.putheader("Content-Length", str(1 << 40))
        connection.endheaders()
        connection.send(b"a" * 65536)
        assert connection.getresponse().status == 413


def events_pass_as_they_come():
    with proxy() as here, contextlib.closing(here.connect()) as connection:
        connection.request("GET", "/events")
        answer = connection.getresponse()
        assert answer.readline() == b"event: snapshot\n"
        for api in here.apis:
            api.go_on.set()
        assert answer.read() == b""


def an_api_that_refuses_connections_is_not_noticed_by_clients():
    with proxy() as here:
        here.apis[0].close()
        for method in ("GET", "POST"):
            for _ in range(6):
                status, body = here.ask(method, "/", b"{}" if method == "POST" else None)
                assert (status, json.loads(body)["api"]) == (200, "two"), (status, body)


def what_was_sent_is_not_sent_again():
    with proxy() as here:
        assert here.ask("POST", "/dropped", b"{}")[0] == 502
        assert sum(api.posts for api in here.apis) == 1, [api.posts for api in here.apis]


def an_api_that_is_frozen_gets_nothing_more():
    with proxy(("inter 6s", "inter 200ms")) as here:
        here.apis[0].thawed.clear()
        told = f"apis/{here.apis[0].name} is DOWN"
        until(lambda: told in said(here), "the frozen one is down")
        names = {json.loads(here.ask("GET", "/")[1])["api"] for _ in range(6)}
        assert names == {"two"}, names
        here.apis[0].thawed.set()
        until(lambda: f"apis/{here.apis[0].name} is UP" in said(here), "it is back")


def no_path_is_logged():
    with proxy() as here:
        here.ask("POST", "/api/callbacks/assemblyai/secret", b"{}")
        here.ask("POST", "/dropped?secret", b"{}")
        assert "secret" not in said(here), said(here)


def said(here):
    return here.log.read_text()


def main():
    cases = [
        the_client_is_the_last_hop_whatever_it_says,
        both_apis_are_used,
        a_body_passes_before_it_is_whole,
        a_body_may_take_longer_than_an_answer,
        an_answer_to_a_body_that_is_too_large_comes_at_once,
        events_pass_as_they_come,
        an_api_that_refuses_connections_is_not_noticed_by_clients,
        what_was_sent_is_not_sent_again,
        an_api_that_is_frozen_gets_nothing_more,
        no_path_is_logged,
    ]
    for case in cases:
        case()
        print(f"ok: {case.__name__.replace('_', ' ')}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
