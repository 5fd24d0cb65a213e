//! Texts and JSON that are no longer what they were.

use serde_json::{Value, json};

use crate::random::Random;

const PIECES: [&str; 40] = [
    ":",
    ": ",
    "\n",
    "  ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "'",
    "\"",
    "|\n",
    "*a",
    "&a ",
    "!x ",
    "#",
    "~",
    "é",
    "0",
    ",",
    "\t",
    "--- ",
    "? ",
    "\u{feff}",
    "\r\n",
    "\0",
    "null",
    "{ env: X }",
    "{ file: ../../etc/passwd }",
    "<<: *a",
    "9999999999999999999999",
    "-1",
    "1e309",
    "%",
    "*",
    "?",
    "\u{202e}",
    "\u{1f600}",
    "=",
    "version: 1\n",
];

/// The text with some characters, lines or stretches removed, doubled, moved or put in.
pub(super) fn text(text: &str, random: &mut Random) -> String {
    let mut now = text.to_owned();
    for _ in 0..=random.below(4) {
        now = match random.below(7) {
            0 | 1 => inserted(&now, PIECES[random.below(PIECES.len())], random),
            2 => removed(&now, random),
            3 => lines(&now, random),
            4 => cut(&now, random),
            5 => {
                let deep = ["[", "{a: ", "- ", "? ", "  "][random.below(5)].repeat(1 + random.below(3_000));
                inserted(&now, &deep, random)
            }
            _ => swapped(&now, random),
        };
    }
    now
}

/// A place between two characters.
fn place(text: &str, random: &mut Random) -> usize {
    let mut at = random.below(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn inserted(text: &str, piece: &str, random: &mut Random) -> String {
    let at = place(text, random);
    format!("{}{piece}{}", &text[..at], &text[at..])
}

fn removed(text: &str, random: &mut Random) -> String {
    let at = place(text, random);
    let rest: String = text[at..].chars().skip(random.below(8)).collect();
    format!("{}{rest}", &text[..at])
}

fn cut(text: &str, random: &mut Random) -> String {
    let at = place(text, random);
    if random.chance(50) { text[..at].to_owned() } else { text[at..].to_owned() }
}

/// A line doubled, removed, or indented otherwise.
fn lines(text: &str, random: &mut Random) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return String::new();
    }
    let at = random.below(lines.len());
    match random.below(4) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => lines[at].insert_str(0, &" ".repeat(1 + random.below(3))),
        _ => lines[at] = lines[at].trim_start().to_owned(),
    }
    lines.join("\n") + "\n"
}

/// Two words in each other's place.
fn swapped(text: &str, random: &mut Random) -> String {
    let mut words: Vec<&str> = text.split_inclusive([' ', '\n']).collect();
    let (one, other) = (random.below(words.len()), random.below(words.len()));
    if one < words.len() && other < words.len() {
        words.swap(one, other);
    }
    words.concat()
}

/// One value of a document replaced, removed or doubled.
pub(super) fn json(value: &mut Value, random: &mut Random) {
    let count = size(value);
    let mut at = random.below(count);
    change(value, &mut at, random);
}

fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(fields) => fields.values().map(size).sum(),
        _ => 0,
    }
}

/// Changes the value that is the `at`-th, counted from the root.
fn change(value: &mut Value, at: &mut usize, random: &mut Random) -> bool {
    if *at == 0 {
        *value = other(value, random);
        return true;
    }
    *at -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change(item, at, random)),
        Value::Object(fields) => fields.values_mut().any(|field| change(field, at, random)),
        _ => false,
    }
}

fn other(value: &Value, random: &mut Random) -> Value {
    match value {
        Value::Array(items) if !items.is_empty() => {
            let mut items = items.clone();
            let at = random.below(items.len());
            if random.chance(50) {
                drop(items.remove(at));
            } else {
                items.push(items[at].clone());
            }
            Value::Array(items)
        }
        Value::Object(fields) if !fields.is_empty() => {
            let mut fields = fields.clone();
            let key = fields.keys().nth(random.below(fields.len())).cloned().unwrap_or_default();
            let found = fields.remove(&key).unwrap_or_default();
            if random.chance(40) {
                fields.insert(["s.t9", "x", "", "n.t0", "r.t0"][random.below(5)].to_owned(), found);
            }
            Value::Object(fields)
        }
        Value::String(found) if random.chance(40) => Value::String(text(found, random)),
        Value::Number(_) if random.chance(70) => {
            [json!(0), json!(1), json!(-1), json!(i64::MAX), json!(i64::MIN), json!(u32::MAX), json!(1.5)]
                [random.below(7)]
            .clone()
        }
        Value::Bool(found) => json!(!found),
        _ => [json!(null), json!(""), json!("x"), json!([]), json!({}), json!(true), json!(7)][random.below(7)].clone(),
    }
}
