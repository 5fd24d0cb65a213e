//! Names of types.

use super::reader::Reader;
use crate::error::{Result, SqlError};
use crate::types::{DataType, Field, Policy};

impl Reader<'_> {
    /// A type, also with `[]` after it.
    pub(super) fn data_type(&mut self) -> Result<DataType> {
        let mut found = self.plain_type()?;
        while self.is_symbol(0, "[") && self.is_symbol(1, "]") {
            self.take();
            self.take();
            found = found.array();
        }
        Ok(found)
    }

    fn plain_type(&mut self) -> Result<DataType> {
        let name = self.identifier()?;
        Ok(match name.as_str() {
            "boolean" | "bool" => DataType::Boolean,
            "byte" | "char" if !self.is_symbol(0, "(") => DataType::Byte,
            "smallint" | "short" | "int2" => DataType::Smallint,
            "integer" | "int" | "int4" => DataType::Integer,
            "bigint" | "long" | "int8" => DataType::Bigint,
            "real" | "float" | "float4" => DataType::Real,
            "double" => {
                self.words("PRECISION");
                DataType::Double
            }
            "float8" => DataType::Double,
            "numeric" | "decimal" => DataType::Numeric(self.precision_and_scale()?),
            "text" | "string" | "name" => DataType::Text,
            "varchar" => self.length()?.map_or(DataType::Text, DataType::Varchar),
            "character" | "char" => {
                let varying = self.words("VARYING");
                let length = self.length()?;
                if varying {
                    length.map_or(DataType::Text, DataType::Varchar)
                } else {
                    DataType::Character(length.unwrap_or(1))
                }
            }
            "ip" => DataType::Ip,
            "timestamptz" => DataType::Timestamptz,
            "timestamp" => self.timestamp()?,
            "interval" => DataType::Interval,
            "uuid" => DataType::Uuid,
            "bit" => DataType::Bit(self.length()?.unwrap_or(1)),
            "float_vector" => DataType::FloatVector(self.length()?.unwrap_or(0)),
            "geo_point" => DataType::GeoPoint,
            "geo_shape" => DataType::GeoShape,
            "json" => DataType::object(),
            "regclass" => DataType::Regclass,
            "array" => {
                self.expect_symbol("(")?;
                let element = self.data_type()?;
                self.expect_symbol(")")?;
                element.array()
            }
            "object" => self.object_type()?,
            other => return Err(SqlError::new("0A000", format!("Cannot find data type: {other}"))),
        })
    }

    fn length(&mut self) -> Result<Option<u32>> {
        Ok(self.maybe_numbers()?.and_then(|numbers| numbers.first().copied()))
    }

    fn precision_and_scale(&mut self) -> Result<Option<(u32, u32)>> {
        let Some(numbers) = self.maybe_numbers()? else { return Ok(None) };
        Ok(numbers.first().map(|precision| (*precision, numbers.get(1).copied().unwrap_or(0))))
    }

    fn maybe_numbers(&mut self) -> Result<Option<Vec<u32>>> {
        if self.is_symbol(0, "(") { self.in_parentheses(Self::number).map(Some) } else { Ok(None) }
    }

    fn timestamp(&mut self) -> Result<DataType> {
        if self.words("WITH TIME ZONE") {
            return Ok(DataType::Timestamptz);
        }
        if self.is_word(0, "WITHOUT") {
            self.expect_words("WITHOUT TIME ZONE")?;
        }
        Ok(DataType::Timestamp)
    }

    fn object_type(&mut self) -> Result<DataType> {
        let mut policy = Policy::Dynamic;
        if self.symbol("(") {
            policy = match self.identifier()?.as_str() {
                "dynamic" => Policy::Dynamic,
                "strict" => Policy::Strict,
                "ignored" => Policy::Ignored,
                other => return Err(SqlError::syntax(format!("invalid object type {other}"))),
            };
            self.expect_symbol(")")?;
        }
        let fields = if self.words("AS") { self.in_parentheses(Self::field)? } else { Vec::new() };
        Ok(DataType::Object(policy, fields))
    }

    fn field(&mut self) -> Result<Field> {
        let column = self.column_definition()?;
        Ok(Field { name: column.name, data_type: column.data_type, not_null: column.not_null })
    }
}
