//! Messages to clients.

use bytes::{BufMut as _, BytesMut};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::{DataRow, FieldDescription, RowDescription};
use pgwire::messages::response::{CommandComplete, ErrorResponse, ReadyForQuery, TransactionStatus};

use super::{binary, text};
use crate::engine::{OutColumn, Outcome};
use crate::error::SqlError;
use crate::types::DataType;
use crate::value::Value;

/// The format of a column: one code for all, or one for each.
pub(super) fn format_of(formats: &[i16], at: usize) -> i16 {
    match formats {
        [] => 0,
        [all] => *all,
        several => several.get(at).copied().unwrap_or(0),
    }
}

/// The description of rows.
pub(super) fn row_description(columns: &[OutColumn], formats: &[i16]) -> PgWireBackendMessage {
    let field = |(at, column): (usize, &OutColumn)| {
        let (oid, size) = (column.data_type.oid(), column.data_type.wire_size());
        FieldDescription::new(column.name.clone(), 0, 0, oid, size, -1, format_of(formats, at))
    };
    PgWireBackendMessage::RowDescription(RowDescription::new(columns.iter().enumerate().map(field).collect()))
}

/// A row.
pub(super) fn data_row(row: &[Value], columns: &[OutColumn], formats: &[i16]) -> PgWireBackendMessage {
    let mut data = BytesMut::new();
    for (at, (value, column)) in row.iter().zip(columns).enumerate() {
        if format_of(formats, at) == 1 {
            binary::cell(value, &mut data, |value, out| binary::encode(value, &column.data_type, out));
        } else {
            binary::cell(value, &mut data, |value, out| put_text(value, &column.data_type, out));
        }
    }
    PgWireBackendMessage::DataRow(DataRow::new(data, i16::try_from(row.len()).unwrap_or(i16::MAX)))
}

fn put_text(value: &Value, data_type: &DataType, out: &mut BytesMut) {
    out.put_slice(text(value, data_type).unwrap_or_default().as_bytes());
}

/// The tag of a statement.
pub(super) fn complete(outcome: &Outcome) -> PgWireBackendMessage {
    tag(outcome.tag, outcome.count)
}

/// A tag with a number.
pub(super) fn tag(word: &str, count: Option<i64>) -> PgWireBackendMessage {
    let tag = count.map_or_else(|| word.to_owned(), |count| format!("{word} {count}"));
    PgWireBackendMessage::CommandComplete(CommandComplete::new(tag))
}

/// An error.
pub(super) fn error(error: &SqlError, severity: &str) -> PgWireBackendMessage {
    let fields = [(b'S', severity), (b'V', severity), (b'C', &error.sqlstate), (b'M', &error.message)];
    PgWireBackendMessage::ErrorResponse(ErrorResponse::new(fields.map(|(code, text)| (code, text.to_owned())).to_vec()))
}

/// Ready. After a message that it could not take CrateDB says that a transaction had failed.
pub(super) fn ready(has_failed: bool) -> PgWireBackendMessage {
    let status = if has_failed { TransactionStatus::Error } else { TransactionStatus::Idle };
    PgWireBackendMessage::ReadyForQuery(ReadyForQuery::new(status))
}
