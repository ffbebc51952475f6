#!/usr/bin/env python3
"""An SFTP server that means harm, for a real sshd: Subsystem sftp python3 .../hostile.py MODE

What is called "d" is a folder, all else is a file of 10 bytes: so STAT says. MODE is what it does beyond that:

    dots       a folder lists names that lead elsewhere
    endless    a folder lists new names for ever
    emptyname  a folder lists packets without names for ever
    zero       READ beyond the beginning answers no bytes, and not that the file ends
    more       READ goes on past the end
    hang       nothing is answered after the greeting
    huge       answers claim to have 0x7fffffff bytes
    noise      prints text first
"""

import struct
import sys

INIT, VERSION, OPEN, CLOSE, READ, LSTAT, FSTAT, OPENDIR, READDIR, REALPATH, STAT = 1, 2, 3, 4, 5, 7, 8, 11, 12, 16, 17
STATUS, HANDLE, DATA, NAME, ATTRS = 101, 102, 103, 104, 105
OK, EOF, UNSUPPORTED = 0, 1, 8
CONTENT = b"0123456789"
NAMES = [b"../../x", b"/etc/cron.d/x", b"a/b", b"", b".", b".."]


def string(data):
    return struct.pack(">I", len(data)) + data


def attrs(is_folder):
    return struct.pack(">IQI", 0x05, 0 if is_folder else len(CONTENT), 0o40755 if is_folder else 0o100644)


def names(listed, is_folder=False):
    entries = b"".join(string(name) + string(name) + attrs(is_folder) for name in listed)
    return NAME, struct.pack(">I", len(listed)) + entries


def status(code):
    return STATUS, struct.pack(">I", code) + string(b"status") + string(b"")


class Server:
    def __init__(self, mode):
        self.mode = mode
        self.listed = 0

    def answer(self, kind, body):
        """The type and the fields of the reply."""
        first, rest = cut(body)
        if kind == REALPATH:
            return names([b"/" if first in (b"", b".", b"/") else b"/" + first.lstrip(b"/")], True)
        if kind in (STAT, LSTAT, FSTAT):
            return ATTRS, attrs(first.lstrip(b"\xff").rstrip(b"/").split(b"/")[-1] in (b"", b".", b"d"))
        if kind in (OPEN, OPENDIR):
            return HANDLE, string(b"\xff" + first)
        if kind == READDIR:
            return self.list()
        if kind == READ:
            return self.read(*struct.unpack(">QI", rest[:12]))
        return status(OK if kind == CLOSE else UNSUPPORTED)

    def list(self):
        self.listed += 1
        if self.mode == "emptyname":
            return names([])
        if self.mode == "endless":
            return names([b"%d-%d" % (self.listed, number) for number in range(100)])
        if self.listed > 1:
            return status(EOF)
        return names(NAMES if self.mode == "dots" else [b"f"])

    def read(self, offset, length):
        data = CONTENT[offset : offset + length]
        if self.mode == "zero" and offset > 0:
            data = b""
        elif self.mode == "more":
            data += b"+" * (min(length, 32768) - len(data))
        elif not data:
            return status(EOF)
        elif self.mode == "zero":
            data = data[:4]
        return DATA, string(data)


def cut(body):
    length = struct.unpack(">I", body[:4])[0]
    return body[4 : 4 + length], body[4 + length :]


def main():
    mode, into, out = sys.argv[1], sys.stdin.buffer, sys.stdout.buffer
    server = Server(mode)
    if mode == "noise":
        out.write(b"Welcome to this host!\n")
        out.flush()
    while len(length := into.read(4)) == 4:
        packet = into.read(struct.unpack(">I", length)[0])
        if packet[0] == INIT:
            reply = struct.pack(">BI", VERSION, 3)
        elif mode == "hang":
            continue
        else:
            kind, fields = server.answer(packet[0], packet[5:])
            reply = struct.pack(">B", kind) + packet[1:5] + fields
        claimed = 0x7FFFFFFF if mode == "huge" and packet[0] != INIT else len(reply)
        out.write(struct.pack(">I", claimed) + reply)
        out.flush()


main()
