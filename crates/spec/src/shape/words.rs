//! Shapes in words.

use super::form::Form;
use super::{MapRule, Shape, TextRule};
use crate::suggest;

impl Shape {
    /// What is expected, for "expected …".
    pub(super) fn words(&self) -> String {
        if self.secret {
            return "a reference, `{ env: NAME }` or `{ file: PATH }`".to_owned();
        }
        let mut all = Vec::new();
        if let Some(text) = &self.text {
            all.push(text.words());
        }
        if let Some(number) = &self.number {
            all.push(if number.whole { "a whole number".to_owned() } else { "a number".to_owned() });
        }
        if self.boolean {
            all.push("true or false".to_owned());
        }
        if let Some(list) = &self.list {
            all.push(format!("a list of {}", list.items.plural()));
        }
        if !self.maps.is_empty() {
            all.push(maps(&self.maps));
        }
        match all.split_last() {
            None => "nothing".to_owned(),
            Some((last, [])) => last.clone(),
            Some((last, before)) => format!("{} or {last}", before.join(", ")),
        }
    }

    /// The same for several of them.
    fn plural(&self) -> String {
        let Some(text) = &self.text else { return "maps".to_owned() };
        let texts = match text.form {
            Some(Form::Name) => "names".to_owned(),
            _ if !text.choices.is_empty() => text.words(),
            _ => "texts".to_owned(),
        };
        if self.maps.is_empty() { texts } else { format!("{texts} and maps") }
    }
}

impl TextRule {
    fn words(&self) -> String {
        if !self.choices.is_empty() {
            let one_of = if self.choices.len() == 1 { "" } else { "one of " };
            return format!("{one_of}{}", suggest::list(&self.choices));
        }
        match self.form {
            Some(Form::Name) => "a name",
            Some(Form::TimeSpan) => "a span of time such as `24h`",
            Some(Form::Date) => "a date such as `2026-12-31`",
            Some(Form::Variable) => "the name of a variable",
            None => "text",
        }
        .to_owned()
    }
}

fn maps(rules: &[MapRule]) -> String {
    let examples: Vec<String> = rules.iter().filter_map(MapRule::example).collect();
    if examples.len() == rules.len() && examples.len() <= 3 {
        return examples.join(" or ");
    }
    let keys: Vec<&String> = rules.iter().flat_map(|rule| &rule.required).collect();
    if rules.len() > 1 { format!("a map with one of {}", suggest::list(keys)) } else { "a map".to_owned() }
}

impl MapRule {
    /// A map that needs exactly one key, written out.
    fn example(&self) -> Option<String> {
        let [key] = &self.required[..] else { return None };
        (self.known.len() == 1).then(|| format!("`{{ {key}: … }}`"))
    }
}

/// How far below a map an unknown key of it is looked for.
const REACH: usize = 3;

impl MapRule {
    /// Where below this map a key belongs that is not known on it: `strategy.snapshot`, the nearest if there are several.
    pub(super) fn elsewhere(&self, key: &str) -> Option<String> {
        (1..=REACH).find_map(|reach| self.below(key, reach))
    }

    fn below(&self, key: &str, reach: usize) -> Option<String> {
        self.known.iter().find_map(|(name, shape)| {
            shape.all_maps().find_map(|rule| {
                if reach == 1 {
                    return rule.known.contains_key(key).then(|| name.clone());
                }
                rule.below(key, reach - 1).map(|rest| format!("{name}.{rest}"))
            })
        })
    }
}

impl Shape {
    /// The maps that stand here, or in a list that stands here.
    fn all_maps(&self) -> impl Iterator<Item = &MapRule> {
        self.maps.iter().chain(self.list.iter().flat_map(|list| &list.items.maps))
    }
}
