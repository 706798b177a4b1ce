"""The end of a TLS connection that Python's ssl module plays in interop.test.

usage: python3 peer.py server|client SETTINGS

SETTINGS is JSON: certfile, keyfile, cafile, version (1.2 or 1.3), alpn (a list), require (a server
wants the client's certificate); for a client also port and name. A server chooses its port and
prints it.

Then it does what the lines of its standard input say, and prints a line of JSON about each:

    facts       the protocol, the ALPN protocol, and the common name of the peer
    send N      send N bytes
    receive N   receive N bytes; prints their SHA-256
    echo N      send back N bytes while they come
    unwrap      send close_notify and wait for the peer's; what comes then is plain text
    end         receive until the end; prints how it came
    abort       close the connection without close_notify
"""

import hashlib
import json
import socket
import ssl
import sys


def context(role, settings):
    if role == "server":
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    else:
        made = ssl.create_default_context(cafile=settings["cafile"])
    if "certfile" in settings:
        made.load_cert_chain(settings["certfile"], settings["keyfile"])
    if settings.get("require"):
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(settings["cafile"])
    if "version" in settings:
        version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
        made.minimum_version = made.maximum_version = version[settings["version"]]
    if "alpn" in settings:
        made.set_alpn_protocols(settings["alpn"])
    return made


def connect(role, settings):
    made = context(role, settings)
    if role == "server":
        with socket.create_server(("127.0.0.1", 0)) as listener:
            say(listener.getsockname()[1])
            plain, _ = listener.accept()
        return made.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False)
    plain = socket.create_connection(("127.0.0.1", settings["port"]))
    return made.wrap_socket(plain, server_hostname=settings["name"], suppress_ragged_eofs=False)


def say(what):
    print(json.dumps(what), flush=True)


def pattern(count):
    return (bytes(range(251)) * (count // 251 + 1))[:count]


def subject(peer):
    certificate = peer.getpeercert() or {}
    for pairs in certificate.get("subject", ()):
        for key, value in pairs:
            if key == "commonName":
                return value
    return None


def receive(peer, count):
    digest = hashlib.sha256()
    while count:
        piece = peer.recv(min(count, 65536))
        if not piece:
            raise EOFError(f"{count} bytes are missing")
        digest.update(piece)
        count -= len(piece)
    return digest.hexdigest()


def echo(peer, count):
    sent = 0
    while sent < count:
        piece = peer.recv(65536)
        peer.sendall(piece)
        sent += len(piece)
    return sent


def end(peer):
    try:
        while peer.recv(65536):
            pass
        return "close_notify"
    except ssl.SSLEOFError:
        return "cut off"


def obey(peer, word, count=0):
    if word == "facts":
        return [peer.version(), peer.selected_alpn_protocol(), subject(peer)]
    if word == "send":
        return peer.sendall(pattern(count))
    if word == "receive":
        return receive(peer, count)
    if word == "echo":
        return echo(peer, count)
    if word == "unwrap":
        peer.unwrap()
        return "unwrapped"
    if word == "end":
        return end(peer)
    if word == "abort":
        return socket.socket(fileno=peer.detach()).close()
    raise ValueError(word)


def main():
    role, settings = sys.argv[1], json.loads(sys.argv[2])
    try:
        peer = connect(role, settings)
    except ssl.SSLError as error:
        say({"refused": error.reason})
        return
    for line in sys.stdin:
        word, *count = line.split()
        try:
            say(obey(peer, word, *map(int, count)))
        except (OSError, EOFError) as error:
            say({"error": str(error)})


main()
