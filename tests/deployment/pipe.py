"""``pipe.py NAMESPACE DEVICE ADDRESS NAMESPACE DEVICE ADDRESS LOSS``: a link that loses packets, by user space.

Two TUN devices, one in each network namespace; what is sent into one comes out of the other, or gets lost.
Prints ``ready`` and runs until it is killed. Needs root and /dev/net/tun.
"""

import ctypes
import fcntl
import os
import random
import select
import struct
import subprocess
import sys

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def open_tun(namespace: str, device: str, address: str, peer: str) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if libc.setns(there, 0):
        raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "addr", "add", address, "peer", peer, "dev", device], check=True)
    subprocess.run(["ip", "link", "set", device, "up"], check=True)
    libc.setns(home, 0)
    return tun


def main() -> None:
    here, device_here, address_here, there, device_there, address_there, loss = sys.argv[1:]
    one = open_tun(here, device_here, address_here, address_there)
    other = open_tun(there, device_there, address_there, address_here)
    to, lost = {one: other, other: one}, float(loss)
    print("ready", flush=True)
    while True:
        for source in select.select([one, other], [], [])[0]:
            try:
                packet = os.read(source, 65536)
                if random.random() >= lost:
                    os.write(to[source], packet)
            except OSError:
                continue  # the other end's queue is full: one more packet lost


if __name__ == "__main__":
    main()
