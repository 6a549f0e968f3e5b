"""What a user of the fleet gets in this example. `server.py PORT USER` answers on 127.0.0.1; `/crash` ends it."""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, USER = int(sys.argv[1]), sys.argv[2]


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # Connections stay open for the next request.

    def do_GET(self):
        if self.path == "/crash":
            os._exit(1)
        body = f"Hello {USER}, from process {os.getpid()}.\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", PORT), Answer).serve_forever()
