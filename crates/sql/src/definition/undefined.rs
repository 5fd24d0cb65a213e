//! Columns of which nobody knows the type yet: an object learnt the key from a NULL. CrateDB prints `UNDEFINED` for one,
//! and takes that back only without an index; the first value brings type and index.

use super::scan;

/// A type as CREATE TABLE takes it, from how SHOW CREATE TABLE prints it. An `ARRAY(UNDEFINED)` is taken as it is.
pub fn creatable(data_type: &str) -> String {
    const WORD: &str = "UNDEFINED";
    let (mut text, mut rest) = (String::new(), data_type);
    while let Some(at) = scan::find_word(rest, WORD) {
        let (before, after) = rest.split_at(at + WORD.len());
        text.push_str(before);
        let is_element = rest[..at].ends_with('(');
        if !is_element && !after.trim_start().starts_with("INDEX") {
            text.push_str(" INDEX OFF");
        }
        rest = after;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_without_a_type_are_made_without_an_index() {
        let check = |printed: &str, expected: &str| assert_eq!(creatable(printed), expected);
        check("INTEGER", "INTEGER");
        check("ARRAY(UNDEFINED)", "ARRAY(UNDEFINED)");
        check("OBJECT(DYNAMIC) AS (\n \"b\" UNDEFINED\n)", "OBJECT(DYNAMIC) AS (\n \"b\" UNDEFINED INDEX OFF\n)");
        check(
            r#"OBJECT AS ("UNDEFINED" ARRAY(ARRAY(UNDEFINED)), "x ( UNDEFINED" UNDEFINED, "c" ARRAY(OBJECT AS ("d" UNDEFINED)))"#,
            r#"OBJECT AS ("UNDEFINED" ARRAY(ARRAY(UNDEFINED)), "x ( UNDEFINED" UNDEFINED INDEX OFF, "c" ARRAY(OBJECT AS ("d" UNDEFINED INDEX OFF)))"#,
        );
        check(r#"OBJECT AS ("b" UNDEFINED INDEX OFF)"#, r#"OBJECT AS ("b" UNDEFINED INDEX OFF)"#);
    }
}
