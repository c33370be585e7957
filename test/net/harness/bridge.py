# SPDX-License-Identifier: Apache-2.0
"""
bridge.py SOCKET: a TCP port of 127.0.0.1 that leads to a unix socket, for clients that know only TCP.
Prints the port; ends with its standard input.
"""

import socket
import sys
import threading


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end, how in (source, socket.SHUT_RD), (target, socket.SHUT_WR):
        try:
            end.shutdown(how)
        except OSError:
            pass


def carry(client, path):
    with client, socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(path)
        except OSError:
            return
        back = threading.Thread(target=pump, args=(server, client), daemon=True)
        back.start()
        pump(client, server)
        back.join()


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)

    def accept():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=carry, args=(client, sys.argv[1]), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
