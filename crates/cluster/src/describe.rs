//! The types of a statement's columns, asked for without executing it.

use std::collections::BTreeSet;

use tokio_postgres::types::Type;
use transship_model::observed::{Described, Observed};

use crate::error::ClusterError;
use crate::session::Server;

/// Adds what the server says about `statements` to `observed`. A statement that it refuses is an answer, too; only one
/// that gets no answer is an error.
pub async fn describe(
    server: &dyn Server,
    observed: &mut Observed,
    statements: &BTreeSet<String>,
) -> Result<(), ClusterError> {
    for statement in statements {
        let described = match server.describe(statement).await {
            Ok(types) => Described::Types(types),
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => Described::Refused(error.message.clone()),
        };
        observed.described.insert(statement.clone(), described);
    }
    Ok(())
}

/// The type as CREATE TABLE has it; empty where the wire does not tell which of CrateDB's types it is. So it is for
/// NUMERIC, whose precision has to be said, and for JSON, which is an object or a shape.
pub(crate) fn declared(wire: &Type) -> &'static str {
    match *wire {
        Type::BOOL => "BOOLEAN",
        Type::CHAR => "BYTE",
        Type::INT2 => "SMALLINT",
        Type::INT4 => "INTEGER",
        Type::INT8 => "BIGINT",
        Type::FLOAT4 => "REAL",
        Type::FLOAT8 => "DOUBLE PRECISION",
        Type::VARCHAR | Type::TEXT => "TEXT",
        Type::TIMESTAMP => "TIMESTAMP WITHOUT TIME ZONE",
        Type::TIMESTAMPTZ => "TIMESTAMP WITH TIME ZONE",
        Type::UUID => "UUID",
        Type::BOOL_ARRAY => "ARRAY(BOOLEAN)",
        Type::INT2_ARRAY => "ARRAY(SMALLINT)",
        Type::INT4_ARRAY => "ARRAY(INTEGER)",
        Type::INT8_ARRAY => "ARRAY(BIGINT)",
        Type::FLOAT8_ARRAY => "ARRAY(DOUBLE PRECISION)",
        Type::VARCHAR_ARRAY | Type::TEXT_ARRAY => "ARRAY(TEXT)",
        Type::TIMESTAMP_ARRAY => "ARRAY(TIMESTAMP WITHOUT TIME ZONE)",
        Type::TIMESTAMPTZ_ARRAY => "ARRAY(TIMESTAMP WITH TIME ZONE)",
        _ => "",
    }
}
