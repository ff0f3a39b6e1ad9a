"""A proxy that stands where the server is, ends the site's TLS with the server's own key, and records what it sends."""

import asyncio
import contextlib
import ssl
import threading
from pathlib import Path


class Recorder:
    """Takes connections on a port of its own and passes them on; ``sent`` is everything the sites sent, in clear.

    One event loop does all the work: a TLS connection must not be read and written by two threads at once.
    """

    def __init__(self, server: Path, port: int, authority: Path) -> None:
        self._inward = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._inward.load_cert_chain(server / "server.crt", server / "server.key")
        self._inward.set_alpn_protocols(["h2"])
        self._outward = ssl.create_default_context(cafile=str(authority))
        self._outward.set_alpn_protocols(["h2"])
        self._target = port
        self.sent = bytearray()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        if not ready.wait(10):
            raise RuntimeError("the recorder did not start")

    def close(self) -> None:
        """Take no more connections."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        listener = self._loop.run_until_complete(asyncio.start_server(self._pass_on, "127.0.0.1", 0, ssl=self._inward))
        self.port = int(listener.sockets[0].getsockname()[1])
        ready.set()
        self._loop.run_forever()

    async def _pass_on(self, site: asyncio.StreamReader, to_site: asyncio.StreamWriter) -> None:
        try:
            server, to_server = await asyncio.open_connection(
                "127.0.0.1", self._target, ssl=self._outward, server_hostname="localhost"
            )
        except OSError:
            to_site.close()
            return
        await asyncio.gather(self._pump(site, to_server, True), self._pump(server, to_site, False))

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, record: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if record:
                    self.sent += data
                target.write(data)
                await target.drain()
        with contextlib.suppress(OSError):
            target.close()
