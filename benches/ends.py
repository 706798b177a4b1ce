"""Both ends of the benchmark in Python's ssl, with blocking sockets and one context per process.

Usage: as floor.rs, whose words and output these are.
"""

import socket
import ssl
import sys
import threading
import time

BLOCK = 64 * 1024
ECHO = 100


def marked(word):
    """Print a word, and wait until whoever started us has taken note."""
    print(word, flush=True)
    sys.stdin.readline()


def accept(context, plain):
    """Put TLS on a client's connection."""
    return context.wrap_socket(plain, server_side=True)


def exact(stream, size):
    """Read so many bytes; nothing at the end."""
    data = b""
    while len(data) < size:
        part = stream.recv(size - len(data))
        if not part:
            return b""
        data += part
    return data


def exchange(stream):
    """Send back what comes."""
    try:
        while data := exact(stream, ECHO):
            stream.sendall(data)
    except OSError:
        pass
    stream.close()


def send(stream, amount):
    """Send so many bytes."""
    block = b"b" * BLOCK
    while amount > 0:
        size = min(amount, BLOCK)
        stream.sendall(memoryview(block)[:size])
        amount -= size


def receive(stream, amount, target=None):
    """Receive so many bytes."""
    block = bytearray(BLOCK)
    view = memoryview(block)
    while amount > 0:
        size = stream.recv_into(block)
        if target:
            target.write(view[:size])
        amount -= size


def copy(source, stream):
    """Send a file's content."""
    while block := source.read(BLOCK):
        stream.sendall(block)


def finish(stream, peer_first=False):
    """End, and wait for the peer's end if it is to come first."""
    try:
        if peer_first:
            stream.recv(16)
        # OpenSSL forgets a session whose connection wasn't ended properly.
        stream.unwrap()
    except OSError:
        pass
    stream.close()


def serve(work, certificate, key, name):
    """Serve until the process is ended."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    kept = []
    while True:
        plain, _ = listener.accept()
        # As in floor.rs.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if work == "import":
            kept.append(plain)
            continue
        if work == "storm":
            threading.Thread(
                target=lambda plain=plain: exchange(accept(context, plain)), daemon=True
            ).start()
            continue
        try:
            stream = accept(context, plain)
        except OSError:
            continue
        if work in ("handshake", "resume"):
            stream.sendall(b"x")
            finish(stream, peer_first=True)
        elif work == "idle":
            stream.sendall(b"x")
            kept.append(stream)
        elif work in ("echo", "eventecho"):
            exchange(stream)
        elif work == "down":
            send(stream, int(exact(stream, 10)))
            finish(stream, peer_first=True)
        elif work == "up":
            receive(stream, int(exact(stream, 10)))
            stream.sendall(b"x")
            finish(stream, peer_first=True)
        elif work == "copydown":
            exact(stream, 10)
            with open(name, "rb") as source:
                copy(source, stream)
            finish(stream, peer_first=True)
        elif work == "copyup":
            with open(name + ".received", "wb") as target:
                receive(stream, int(exact(stream, 10)), target)
            stream.sendall(b"x")
            finish(stream, peer_first=True)


class Client:
    """A client."""

    def __init__(self, port, trust, version, amount, name):
        self.port = int(port)
        self.amount = int(amount)
        self.name = name
        self.session = None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if version == "1.2":
            self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        if trust == "default":
            self.context.set_default_verify_paths()
        else:
            self.context.load_verify_locations(trust)

    def plain(self):
        plain = socket.create_connection(("127.0.0.1", self.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain

    def connect(self, session=None):
        return self.context.wrap_socket(
            self.plain(), server_hostname="localhost", session=session
        )

    def timed(self, once):
        marked("ready")
        began = time.monotonic()
        count = 0
        while time.monotonic() - began < self.amount / 1000:
            once()
            count += 1
        print("done", count, time.monotonic() - began, flush=True)

    def handshake(self):
        def once():
            stream = self.connect()
            stream.recv(1)
            stream.close()

        once()
        self.timed(once)

    def resume(self):
        def once():
            stream = self.connect(self.session)
            assert stream.session_reused == (self.session is not None)
            stream.recv(1)
            self.session = stream.session
            finish(stream)

        once()
        self.timed(once)

    def bulk(self, move):
        stream = self.connect()
        marked("ready")
        began = time.monotonic()
        stream.sendall(b"%10d" % self.amount)
        move(stream)
        print("done", 1, time.monotonic() - began, flush=True)
        stream.close()

    def down(self):
        self.bulk(lambda stream: receive(stream, self.amount))

    def copydown(self):
        with open(self.name + ".received", "wb") as target:
            self.bulk(lambda stream: receive(stream, self.amount, target))

    def up(self):
        def move(stream):
            send(stream, self.amount)
            stream.recv(1)

        self.bulk(move)

    def copyup(self):
        def move(stream):
            with open(self.name, "rb") as source:
                copy(source, stream)
            stream.recv(1)

        self.bulk(move)

    def echo(self):
        stream = self.connect()
        data = b"e" * ECHO

        def once():
            stream.sendall(data)
            exact(stream, ECHO)

        self.timed(once)

    def idle(self):
        def one():
            stream = self.connect()
            stream.recv(1)
            return stream

        kept = [one() for _ in range(20)]
        marked("ready")
        began = time.monotonic()
        kept.extend(one() for _ in range(self.amount))
        print("done", self.amount, time.monotonic() - began, flush=True)
        sys.stdin.readline()

    def imported(self):
        sockets = [self.plain() for _ in range(self.amount + 20)]
        marked("ready")
        began = time.monotonic()
        streams = [
            self.context.wrap_socket(
                plain, server_hostname="localhost", do_handshake_on_connect=False
            )
            for plain in sockets
        ]
        print("done", len(streams), time.monotonic() - began, flush=True)

    def storm(self):
        worst = 0
        lock = threading.Lock()

        def one():
            nonlocal worst
            own = time.monotonic()
            stream = self.connect()
            stream.sendall(b"e" * ECHO)
            exact(stream, ECHO)
            with lock:
                worst = max(worst, time.monotonic() - own)

        marked("ready")
        began = time.monotonic()
        threads = [threading.Thread(target=one) for _ in range(self.amount)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("done", self.amount, time.monotonic() - began, worst, flush=True)


side, work, *rest = sys.argv[1:]
if side == "server":
    serve(work, *rest)
else:
    client = Client(*rest)
    getattr(client, {"import": "imported", "eventecho": "echo"}.get(work, work))()
    sys.stdin.readline()
