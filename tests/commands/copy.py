#!/usr/bin/env python3
"""Copies every table that it is given: an ETL program in small, with no library. An argument makes it misbehave."""

import json
import os
import socket
import struct
import sys


class Client:
    """The simple protocol of PostgreSQL, in texts."""

    def __init__(self, end):
        self.socket = socket.create_connection((end["host"], end["port"]))
        self.file = self.socket.makefile("rb")
        self.send(b"", struct.pack("!i", 196608) + f"user\0{end['user']}\0database\0doc\0\0".encode())
        while True:
            kind, body = self.receive()
            if kind == b"R" and body[:4] == struct.pack("!i", 3):
                self.send(b"p", (end["password"] or "").encode() + b"\0")
            elif kind == b"E":
                raise RuntimeError(body.decode(errors="replace"))
            elif kind == b"Z":
                return

    def send(self, kind, body):
        self.socket.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def receive(self):
        kind = self.file.read(1)
        if not kind:
            raise RuntimeError("the connection is gone")
        (length,) = struct.unpack("!i", self.file.read(4))
        return kind, self.file.read(length - 4)

    def query(self, sql):
        self.send(b"Q", sql.encode() + b"\0")
        rows, error = [], None
        while True:
            kind, body = self.receive()
            if kind == b"D":
                rows.append(list(cells(body)))
            elif kind == b"E":
                error = body.decode(errors="replace")
            elif kind == b"Z":
                if error:
                    raise RuntimeError(error)
                return rows


def cells(body):
    at = 2
    for _ in range(struct.unpack("!h", body[:2])[0]):
        (length,) = struct.unpack("!i", body[at : at + 4])
        at += 4
        if length < 0:
            yield None
        else:
            yield body[at : at + length].decode()
            at += length


def ident(name):
    return '"' + name.replace('"', '""') + '"'


def literal(value):
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def copy(source, target, table):
    names = ", ".join(ident(column["name"]) for column in table["columns"])
    rows = source.query(table["query"])
    for at in range(0, len(rows), 100):
        values = ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows[at : at + 100])
        target.query(f"INSERT INTO {table['into']['sql']} ({names}) VALUES {values}")
    return len(rows)


def main():
    misbehaves = sys.argv[1] if len(sys.argv) > 1 else ""
    task = json.load(sys.stdin)
    source, target = Client(task["source"]), Client(task["target"])
    rows = {table["name"]: copy(source, target, table) for table in task["tables"]}
    if misbehaves == "again" and task["attempt"] < 2:
        print("not yet", file=sys.stderr)
        sys.exit(75)
    if misbehaves == "makes-anew":
        into = task["tables"][0]["into"]["sql"]
        target.query(f"DROP TABLE {into}")
        target.query(f"CREATE TABLE {into} (id INTEGER PRIMARY KEY) WITH (number_of_replicas = 0)")
        rows = {name: 0 for name in rows}
    if misbehaves == "adds":
        target.query(f"ALTER TABLE {task['tables'][0]['into']['sql']} ADD COLUMN loaded_by TEXT")
    if misbehaves == "drops":
        target.query(f"DROP TABLE {task['tables'][0]['into']['sql']}")
    if misbehaves == "one-more":
        rows = {name: count + 1 for name, count in rows.items()}
    for name, count in rows.items():
        print(f"{count} rows of {name}")
    with os.fdopen(task["result_fd"], "w") as result:
        json.dump({"format_version": 1, "rows": rows}, result)


main()
