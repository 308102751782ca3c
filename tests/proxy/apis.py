"""What stands for the APIs behind the proxy: says what it was asked, streams when it is told to."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATIENCE = 20


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status=200, **more):
        body = json.dumps({"api": self.server.name, **more}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        api = self.server
        if self.path == "/health/live":
            # One that is frozen answers nobody.
            api.thawed.wait(PATIENCE)
            return self.answer()
        if self.path != "/events":
            return self.answer(hops=self.headers.get_all("X-Forwarded-For"))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"10\r\nevent: snapshot\n\r\n")
        self.wfile.flush()
        # The end comes only once the client has the beginning.
        if api.go_on.wait(PATIENCE):
            self.wfile.write(b"0\r\n\r\n")

    def do_POST(self):
        api = self.server
        api.posts += 1
        if self.path == "/dropped":
            self.rfile.read(int(self.headers["Content-Length"]))
            self.connection.close()
            self.close_connection = True
            return None
        if self.path == "/refused":
            self.close_connection = True
            self.answer(413)
            # What is closed with bytes that nobody has read is reset, and the answer may be lost.
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(PATIENCE)
            while self.rfile.read1(65536):
                pass
            return None
        left = int(self.headers["Content-Length"])
        while left and (piece := self.rfile.read1(min(left, 65536))):
            api.began.set()
            left -= len(piece)
        return self.answer(missing=left)


class Api(ThreadingHTTPServer):
    """One that listens on a free port until it is closed."""

    daemon_threads = True

    def __init__(self, name):
        super().__init__(("127.0.0.1", 0), Handler)
        self.name, self.posts = name, 0
        self.began, self.go_on, self.thawed = (threading.Event() for _ in range(3))
        self.thawed.set()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_):
        pass

    def close(self):
        self.shutdown()
        self.server_close()
