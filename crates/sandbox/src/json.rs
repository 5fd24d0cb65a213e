//! JSON to values. Numbers keep all their digits, which no parser into floats would.

use std::collections::BTreeMap;

use crate::decimal::Decimal;
use crate::value::Value;

/// More digits than a float is sure to keep.
const FLOAT_DIGITS: usize = 15;

/// Reads a JSON text.
pub(crate) fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader(text.trim_start());
    let value = reader.value(64)?;
    reader.0.trim_start().is_empty().then_some(value)
}

struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn symbol(&mut self, symbol: char) -> bool {
        let rest = self.0.trim_start().strip_prefix(symbol);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn value(&mut self, depth: u32) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        self.0 = self.0.trim_start();
        match self.0.chars().next()? {
            '{' => self.object(depth),
            '[' => self.array(depth),
            '"' => self.text().map(Value::Text),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: u32) -> Option<Value> {
        self.symbol('{');
        let mut fields = BTreeMap::new();
        while !self.symbol('}') {
            if !fields.is_empty() && !self.symbol(',') {
                return None;
            }
            self.0 = self.0.trim_start();
            let name = self.text()?;
            if !self.symbol(':') {
                return None;
            }
            fields.insert(name, self.value(depth)?);
        }
        Some(Value::Object(fields))
    }

    fn array(&mut self, depth: u32) -> Option<Value> {
        self.symbol('[');
        let mut items = Vec::new();
        while !self.symbol(']') {
            if !items.is_empty() && !self.symbol(',') {
                return None;
            }
            items.push(self.value(depth)?);
        }
        Some(Value::Array(items))
    }

    fn text(&mut self) -> Option<String> {
        let mut is_escaped = false;
        let end = self.0.char_indices().skip(1).find(|(_, character)| {
            let ends = *character == '"' && !is_escaped;
            is_escaped = *character == '\\' && !is_escaped;
            ends
        });
        let (literal, rest) = self.0.split_at(end?.0 + 1);
        self.0 = rest;
        serde_json::from_str(literal).ok()
    }

    fn word(&mut self) -> Option<Value> {
        let is_part = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '+');
        let end = self.0.find(|character| !is_part(character)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        match word {
            "null" => Some(Value::Null),
            "true" | "false" => Some(Value::Bool(word == "true")),
            number => self::number(number),
        }
    }
}

fn number(text: &str) -> Option<Value> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(Value::Int(number));
    }
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let float = text
        .parse::<f64>()
        .ok()
        .filter(|_| text.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']))?;
    match Decimal::parse(text) {
        Some(exact) if digits > FLOAT_DIGITS && !text.contains(['e', 'E']) && exact.to_f64().to_string() != text => {
            Some(Value::Numeric(exact))
        }
        _ => Some(Value::Float(float)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_read_with_all_its_digits() {
        for text in [
            r#"{"a":[1,2.5,null,true,"q\"\\ü"],"b":{},"c":[]}"#,
            "[[-99999999999999.999999]]",
            "12345678901234.567891",
            "-0.5",
        ] {
            assert_eq!(parse(text).map(|value| value.to_json()).as_deref(), Some(text));
        }
        assert_eq!(parse("1e3"), Some(Value::Float(1000.0)));
        for wrong in ["", "{", "[1,]x", "{\"a\"}", "nope", "[1] 2", "\"a"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
