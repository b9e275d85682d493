"""A persistent connection to the service, with little overhead per request."""

import socket

# Longer than the request timeout of the service.
TIMEOUT_SECONDS = 30


class Connection:
    """Sends requests one at a time, as one user."""

    def __init__(self, port, token):
        self.address = ("127.0.0.1", port)
        self.head = f" HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        self.socket = None

    def connect(self):
        self.socket = socket.create_connection(self.address, timeout=TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers = self.socket.makefile("rb")

    def close(self):
        if self.socket is not None:
            self.answers.close()
            self.socket.close()
            self.socket = None

    def request(self, method, path, body=None):
        """Returns the status and the body of the answer. After an OSError the next request reconnects."""
        try:
            if self.socket is None:
                self.connect()
            self.socket.sendall(self._request(method, path, body))
            return self._answer()
        except OSError:
            self.close()
            raise

    def _request(self, method, path, body):
        if body is None:
            return f"{method} {path}{self.head}\r\n".encode()
        body = body.encode()
        headers = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return f"{method} {path}{self.head}{headers}".encode() + body

    def _answer(self):
        status, length, chunked = int(self._line().split()[1]), 0, False
        while line := self._line():
            name, _, value = line.partition(b":")
            name = name.lower()
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                chunked = True
        return status, b"".join(self._chunks()) if chunked else self._read(length)

    def _chunks(self):
        while length := int(self._line(), 16):
            yield self._read(length)
            self._line()
        self._line()

    def _line(self):
        line = self.answers.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the answer ends too early")
        return line[:-2]

    def _read(self, length):
        data = self.answers.read(length)
        if len(data) < length:
            raise ConnectionError("the answer ends too early")
        return data
