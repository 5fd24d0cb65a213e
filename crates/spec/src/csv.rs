//! Files of comma-separated values, as RFC 4180 has them: for look-ups beside a spec.

/// A field: `None` for one with nothing in it, which is NULL; `""` is an empty text.
pub(crate) type Field = Option<String>;

/// The records of a file, the header first, each with the number of its line; an error says what is wrong in which line.
pub(crate) fn read(text: &str) -> Result<Vec<(usize, Vec<Field>)>, String> {
    let mut reader = Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let mut records = Vec::new();
    while !reader.rest.is_empty() {
        let line = reader.line;
        let record = reader.record().map_err(|problem| format!("line {line}: {problem}"))?;
        // An empty line is none.
        if record != [None] {
            records.push((line, record));
        }
    }
    Ok(records)
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl Reader<'_> {
    fn record(&mut self) -> Result<Vec<Field>, String> {
        let mut fields = Vec::new();
        loop {
            fields.push(if self.rest.starts_with('"') { Some(self.quoted()?) } else { self.plain()? });
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                continue;
            }
            let rest = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix('\n'));
            match rest {
                Some(rest) => self.rest = rest,
                None if self.rest.is_empty() => {}
                None => return Err("something follows a quote that is closed".to_owned()),
            }
            self.line += 1;
            return Ok(fields);
        }
    }

    fn plain(&mut self) -> Result<Field, String> {
        let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
        let (field, _) = self.rest.split_at(end);
        let field = if self.rest[end..].starts_with('\n') { field.strip_suffix('\r').unwrap_or(field) } else { field };
        if field.contains('"') {
            return Err("a quote stands within a field that has none around it".to_owned());
        }
        let found = (!field.is_empty()).then(|| field.to_owned());
        self.rest = &self.rest[field.len()..];
        Ok(found)
    }

    fn quoted(&mut self) -> Result<String, String> {
        let mut field = String::new();
        let mut rest = &self.rest[1..];
        loop {
            let end = rest.find('"').ok_or("a quote is never closed")?;
            field.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(more) => {
                    field.push('"');
                    rest = more;
                }
                None => break,
            }
        }
        self.line += field.matches('\n').count();
        self.rest = rest;
        Ok(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read() {
        let records = read("\u{feff}code,name\r\n49,\"Germany, \"\"DE\"\"\"\n\n,\"\"\n1,\"two\nlines\"\n9,x").unwrap();
        let field = |text: &str| Some(text.to_owned());
        assert_eq!(
            records,
            [
                (1, vec![field("code"), field("name")]),
                (2, vec![field("49"), field("Germany, \"DE\"")]),
                (4, vec![None, field("")]),
                (5, vec![field("1"), field("two\nlines")]),
                (7, vec![field("9"), field("x")]),
            ]
        );
        assert_eq!(read("").unwrap(), []);
    }

    #[test]
    fn broken_files_are_told_by_line() {
        assert_eq!(read("a\n\"b").unwrap_err(), "line 2: a quote is never closed");
        assert_eq!(read("a\n\"b\"c\n").unwrap_err(), "line 2: something follows a quote that is closed");
        assert_eq!(read("a,b\"c\"").unwrap_err(), "line 1: a quote stands within a field that has none around it");
    }
}
