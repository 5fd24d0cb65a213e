//! Cells that travel as JSON, so written that CrateDB reads them back exactly.
//!
//! CrateDB parses every JSON number with a fraction as a double, also where the column inside is `NUMERIC`, and does not
//! read the form in which it writes a `BIT`. A `NUMERIC` in quotes keeps its digits, a `BIT` without its `B''` is read.

use std::collections::BTreeMap;

use bytes::{Buf as _, BufMut as _};
use postgres_protocol::Oid;
use transship_sql::copy::{Inner, InnerType};

/// The oid of arrays whose elements are JSON.
const JSON_ARRAY: Oid = 199;

/// What has to be written differently below one place of a document.
#[derive(Debug, Default)]
pub(crate) struct Rewrite {
    here: Option<InnerType>,
    below: BTreeMap<String, Rewrite>,
}

/// The rewriting of each of `columns`; `None` where a cell can stay as it is.
pub(crate) fn rewrites(inner: &[(usize, Inner)], columns: usize) -> Vec<Option<Rewrite>> {
    let mut rewrites: Vec<_> = (0..columns).map(|_| None).collect();
    for (at, inner) in inner {
        if let Some(rewrite) = rewrites.get_mut(*at) {
            rewrite.get_or_insert_with(Rewrite::default).add(&inner.path, inner.kind);
        }
    }
    rewrites
}

impl Rewrite {
    fn add(&mut self, path: &[String], kind: InnerType) {
        match path {
            [] => self.here = Some(kind),
            [first, rest @ ..] => self.below.entry(first.clone()).or_default().add(rest, kind),
        }
    }

    /// The cell as it has to be written; `None` for one that cannot be understood.
    pub(crate) fn cell(&self, cell: &[u8], oid: Oid) -> Option<Vec<u8>> {
        if oid == JSON_ARRAY { self.array(cell) } else { self.document(cell) }
    }

    /// An array in binary form: number of dimensions, whether there are NULLs, oid, then length and lower bound of its
    /// one dimension, then the elements with a length before each.
    fn array(&self, cell: &[u8]) -> Option<Vec<u8>> {
        let dimensions = cell.get(..4)?.get_i32();
        let header = if dimensions == 0 { 12 } else { 20 };
        let mut out = cell.get(..header)?.to_vec();
        let mut rest = &cell[header..];
        while !rest.is_empty() {
            let length = rest.get(..4)?.get_i32();
            rest = &rest[4..];
            let Ok(length) = usize::try_from(length) else {
                out.put_i32(-1);
                continue;
            };
            let document = self.document(rest.get(..length)?)?;
            out.put_i32(i32::try_from(document.len()).ok()?);
            out.extend_from_slice(&document);
            rest = &rest[length..];
        }
        Some(out)
    }

    fn document(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut writer = Writer { text, at: 0, out: Vec::with_capacity(text.len() + 16) };
        writer.value(Some(self))?;
        writer.space();
        (writer.at == text.len()).then_some(writer.out)
    }
}

/// Copies a document token by token.
struct Writer<'a> {
    text: &'a [u8],
    at: usize,
    out: Vec<u8>,
}

impl<'a> Writer<'a> {
    fn value(&mut self, rewrite: Option<&Rewrite>) -> Option<()> {
        self.space();
        let here = rewrite.and_then(|rewrite| rewrite.here);
        match self.text.get(self.at)? {
            b'{' => self.list(b'}', |writer| writer.member(rewrite)),
            b'[' => self.list(b']', |writer| writer.value(rewrite)),
            b'"' => {
                let string = self.string()?;
                let bits = string.strip_prefix(b"\"B'").and_then(|rest| rest.strip_suffix(b"'\""));
                self.put(bits.filter(|_| here == Some(InnerType::Bit)), string);
                Some(())
            }
            _ => {
                let plain = self.plain()?;
                let is_number = plain[0] == b'-' || plain[0].is_ascii_digit();
                self.put(Some(plain).filter(|_| is_number && here == Some(InnerType::Numeric)), plain);
                Some(())
            }
        }
    }

    /// A key, a colon and a value.
    fn member(&mut self, rewrite: Option<&Rewrite>) -> Option<()> {
        self.space();
        let key = self.string()?;
        self.out.extend_from_slice(key);
        self.space();
        self.expect(b':')?;
        let name: String = serde_json::from_slice(key).ok()?;
        self.value(rewrite.and_then(|rewrite| rewrite.below.get(&name)))
    }

    /// What stands between an opening bracket, commas and `end`.
    fn list(&mut self, end: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.copy_one();
        self.space();
        if *self.text.get(self.at)? == end {
            self.copy_one();
            return Some(());
        }
        loop {
            item(self)?;
            self.space();
            let next = *self.text.get(self.at)?;
            if next == end {
                self.copy_one();
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    /// Puts `quoted` in quotes, or else `plain` as it is.
    fn put(&mut self, quoted: Option<&[u8]>, plain: &[u8]) {
        match quoted {
            Some(quoted) => {
                self.out.push(b'"');
                self.out.extend_from_slice(quoted);
                self.out.push(b'"');
            }
            None => self.out.extend_from_slice(plain),
        }
    }

    /// The string that begins here, with its quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        if *self.text.get(start)? != b'"' {
            return None;
        }
        let mut at = start + 1;
        loop {
            match self.text.get(at)? {
                b'\\' => at += 2,
                b'"' => break,
                _ => at += 1,
            }
        }
        self.at = at + 1;
        self.text.get(start..self.at)
    }

    /// The number, `true`, `false` or `null` that begins here.
    fn plain(&mut self) -> Option<&'a [u8]> {
        let rest = &self.text[self.at..];
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || b",]}:\"{[".contains(byte);
        let length = rest.iter().position(is_end).unwrap_or(rest.len());
        self.at += length;
        Some(&rest[..length]).filter(|plain| !plain.is_empty())
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (*self.text.get(self.at)? == byte).then(|| self.copy_one())
    }

    fn copy_one(&mut self) {
        self.out.push(self.text[self.at]);
        self.at += 1;
    }

    fn space(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn rewrite(paths: &[(&[&str], InnerType)]) -> Rewrite {
        let mut rewrite = Rewrite::default();
        for (path, kind) in paths {
            rewrite.add(&path.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>(), *kind);
        }
        rewrite
    }

    #[test]
    fn declared_places_are_quoted_and_others_stay() {
        let rewrite =
            rewrite(&[(&["n"], InnerType::Numeric), (&["o", "ü \""], InnerType::Numeric), (&["b"], InnerType::Bit)]);
        let check = |text: &str, expected: Option<&str>| {
            let found = rewrite.cell(text.as_bytes(), 114);
            assert_eq!(found.map(|found| String::from_utf8(found).unwrap()).as_deref(), expected, "{text}");
        };
        check(r#"{"n": -1.50,"m":2.5}"#, Some(r#"{"n":"-1.50","m":2.5}"#));
        check(
            r#"{"n":[1.5,null,"x",[2]],"o":{"\u00fc \"":3,"n":4}}"#,
            Some(r#"{"n":["1.5",null,"x",["2"]],"o":{"\u00fc \"":"3","n":4}}"#),
        );
        check(r#"{"b":"B'1010'","n":true,"t":"B'1'"}"#, Some(r#"{"b":"1010","n":true,"t":"B'1'"}"#));
        check(r#" [ { } , [ ] ,{"x":"a\\"}] "#, Some(r#"[{},[],{"x":"a\\"}]"#));
        for broken in ["", "{", r#"{"n"}"#, r#"{"n":}"#, "[1", "[1,]", r#"{"a":"b}"#, "{} x"] {
            check(broken, None);
        }
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[ab\"\\\\]{1,2}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// `change` for everything that is not an array, through arrays of any depth.
    fn through_arrays(value: &Value, change: &dyn Fn(&Value) -> Value) -> Value {
        match value {
            Value::Array(values) => values.iter().map(|value| through_arrays(value, change)).collect(),
            other => change(other),
        }
    }

    fn number_to_text(value: &Value) -> Value {
        match value {
            Value::Number(number) => Value::from(number.to_string()),
            other => other.clone(),
        }
    }

    fn member_a(value: &Value) -> Value {
        let Value::Object(members) = value else { return value.clone() };
        let changed = members.iter().map(|(key, value)| {
            let value = if key == "a" { through_arrays(value, &number_to_text) } else { value.clone() };
            (key.clone(), value)
        });
        Value::Object(changed.collect())
    }

    proptest! {
        #[test]
        fn only_declared_places_change(document in documents()) {
            let rewrite = rewrite(&[(&["a"], InnerType::Numeric)]);
            let found = rewrite.cell(document.to_string().as_bytes(), 114).expect("it is JSON");
            let expected = through_arrays(&document, &member_a);
            prop_assert_eq!(serde_json::from_slice::<Value>(&found).expect("still JSON"), expected);
        }
    }

    #[test]
    fn arrays_keep_their_nulls() {
        let rewrite = rewrite(&[(&["n"], InnerType::Numeric)]);
        let array = |elements: &[Option<&str>]| {
            let mut cell = Vec::new();
            for header in [1, 1, 114, i32::try_from(elements.len()).unwrap(), 1] {
                cell.put_i32(header);
            }
            for element in elements {
                cell.put_i32(element.map_or(-1, |text| i32::try_from(text.len()).unwrap()));
                cell.extend_from_slice(element.unwrap_or_default().as_bytes());
            }
            cell
        };
        let cell = array(&[Some(r#"{"n":1.5}"#), None, Some("{}")]);
        assert_eq!(rewrite.cell(&cell, 199), Some(array(&[Some(r#"{"n":"1.5"}"#), None, Some("{}")])));
        let empty = [0; 12];
        assert_eq!(rewrite.cell(&empty, 199).as_deref(), Some(&empty[..]));
        assert_eq!(rewrite.cell(&cell[..cell.len() - 1], 199), None);
    }
}
