#!/bin/sh
# Copies the tables of a flow by psql and jq: the source writes an INSERT for each row, the target runs it. For small tables.
set -eu

task=$(cat)
of() { printf %s "$task" | jq -r "$1"; }

# The password stands in the environment of one psql, and in no argument.
source_psql() { PGPASSWORD=$(of '.source.password // ""') psql -X -q -A -t -v ON_ERROR_STOP=1 "$TRANSSHIP_SOURCE_URL" "$@"; }
target_psql() { PGPASSWORD=$(of '.target.password // ""') psql -X -v ON_ERROR_STOP=1 "$TRANSSHIP_TARGET_URL" "$@"; }

# A statement on the source whose rows are statements for the target.
inserts() {
    printf %s "$task" | jq -r --argjson at "$1" '
        def literal: "coalesce(\u0027E\u0027\u0027\u0027 || replace(replace((" + . + ")::text, \u0027\\\u0027, \u0027\\\\\u0027), "
            + "\u0027\u0027\u0027\u0027, \u0027\u0027\u0027\u0027\u0027\u0027) || \u0027\u0027\u0027\u0027, \u0027NULL\u0027)";
        .tables[$at]
        | ([.columns[].name | "\"" + gsub("\""; "\"\"") + "\""] | join(", ")) as $names
        | ("INSERT INTO " + .into.sql + " (" + $names + ") VALUES (" | gsub("\u0027"; "\u0027\u0027")) as $insert
        | "SELECT \u0027" + $insert + "\u0027 || " + ([.columns[].sql | literal] | join(" || \u0027, \u0027 || ")) + " || \u0027);\u0027"
            + " FROM " + .from.sql + (if .where then " WHERE (" + .where + ")" else "" end)'
}

# Rows in clear, and what psql says of them: for this user alone, and gone whatever happens.
umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 143' TERM INT

rows='{}'
for at in $(seq 0 $(($(of '.tables | length') - 1))); do
    source_psql -c "$(inserts "$at")" > "$folder/statements.sql"
    # A pipe would hide that psql has failed.
    target_psql -f "$folder/statements.sql" > "$folder/answers"
    written=$(grep -c '^INSERT 0 1$' "$folder/answers" || true)
    rows=$(printf %s "$rows" | jq -c --arg name "$(of ".tables[$at].name")" --argjson rows "$written" '.[$name] = $rows')
done
printf '{"format_version":1,"rows":%s}\n' "$rows" >&3
