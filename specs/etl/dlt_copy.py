#!/usr/bin/env python3
"""Copies the tables of a flow by dlt (https://dlthub.com): pip install dlt psycopg2-binary

dlt reads, extracts and normalizes in batches, and loads by a destination function that inserts into the tables that
transship has made. Its own tables and columns are left out, and its state is thrown away: the ledger knows what was done.
"""

import json
import os
import sys
import tempfile
from collections import Counter

import dlt
import psycopg2
from psycopg2.extensions import quote_ident
from psycopg2.extras import execute_values


def connect(end):
    connection = psycopg2.connect(
        host=end["host"], port=end["port"], user=end["user"], password=end["password"], dbname="doc", sslmode=end["tls"]
    )
    connection.autocommit = True
    return connection


def resource(connection, number, table):
    """The rows of a table. Tables go by number: dlt makes names of its own from names."""

    @dlt.resource(name=f"t{number}", max_table_nesting=0)
    def rows():
        names = [column["name"] for column in table["columns"]]
        with connection.cursor() as cursor:
            cursor.execute(table["query"])
            while batch := cursor.fetchmany(5000):
                yield [dict(zip(names, row)) for row in batch]

    return rows


def main():
    task = json.load(sys.stdin)
    source, target = connect(task["source"]), connect(task["target"])
    tables, written = task["tables"], Counter()

    @dlt.destination(batch_size=5000, naming_convention="direct", skip_dlt_columns_and_tables=True)
    def load(items, schema):
        number = int(schema["name"][1:])
        table = tables[number]
        names = [column["name"] for column in table["columns"]]
        listed = ", ".join(quote_ident(name, target) for name in names)
        rows = [[item.get(name) for name in names] for item in items]
        with target.cursor() as cursor:
            execute_values(cursor, f"INSERT INTO {table['into']['sql']} ({listed}) VALUES %s", rows, page_size=5000)
        written[number] += len(rows)

    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline("transship", destination=load, pipelines_dir=folder)
        print(pipeline.run([resource(source, number, table) for number, table in enumerate(tables)]))
    rows = {table["name"]: written[number] for number, table in enumerate(tables)}
    with os.fdopen(task["result_fd"], "w") as result:
        json.dump({"format_version": 1, "rows": rows}, result)


main()
