"""A proxy that stands where the server is, ends the site's TLS with the server's own key, and records what it sends."""

import contextlib
import socket
import ssl
import threading
from pathlib import Path


class Recorder:
    """Takes connections on a port of its own and passes them on; ``sent`` is everything the sites sent, in clear."""

    def __init__(self, server: Path, port: int, authority: Path) -> None:
        self._inward = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._inward.load_cert_chain(server / "server.crt", server / "server.key")
        self._inward.set_alpn_protocols(["h2"])
        self._outward = ssl.create_default_context(cafile=str(authority))
        self._outward.set_alpn_protocols(["h2"])
        self._target = port
        self.sent = bytearray()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(plain,), daemon=True).start()

    def _pass_on(self, plain: socket.socket) -> None:
        try:
            site = self._inward.wrap_socket(plain, server_side=True)
            server = self._outward.wrap_socket(
                socket.create_connection(("127.0.0.1", self._target)), server_hostname="localhost"
            )
        except OSError:
            plain.close()
            return
        threading.Thread(target=self._pump, args=(server, site, False), daemon=True).start()
        self._pump(site, server, True)

    def _pump(self, source: ssl.SSLSocket, target: ssl.SSLSocket, record: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if record:
                    with self._lock:
                        self.sent += data
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.close()
