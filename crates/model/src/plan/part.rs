//! A part of the flows, for jobs that share the work of a workspace.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::{FlowId, Name};
use crate::time::TimeSpan;

/// One part of so many: `2/3`. Every flow belongs to exactly one, by its name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Part {
    index: u32,
    of: u32,
}

impl Part {
    /// The part of `of` that a flow belongs to. All targets of a flow are in one part: they share what is done on the source.
    pub fn of(flow: &Name, of: u32) -> Self {
        let of = of.max(1);
        Self { index: hash(flow.as_str()) % of + 1, of }
    }

    /// Whether the flow belongs to it.
    pub fn holds(self, flow: &FlowId) -> bool {
        self == self.with(flow)
    }

    /// The one of as many parts that the flow belongs to.
    #[must_use]
    pub fn with(self, flow: &FlowId) -> Self {
        Self::of(&flow.flow, self.of)
    }
}

/// FNV-1a in 64 bits over the bytes of the name, both halves of which are folded by exclusive or.
fn hash(name: &str) -> u32 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    u32::try_from((hash >> 32) ^ (hash & 0xffff_ffff)).expect("half of the bits")
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || format!("`{text}` is no part: write I/N, with I from 1 to N");
        let (index, of) = text.split_once('/').ok_or_else(problem)?;
        match (index.parse(), of.parse()) {
            (Ok(index), Ok(of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err(problem()),
        }
    }
}

impl TryFrom<String> for Part {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Part> for String {
    fn from(part: Part) -> Self {
        part.to_string()
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl JsonSchema for Part {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Part".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+/[0-9]+$" })
    }
}

/// The wait of [`StepKind::WaitFlows`](super::StepKind::WaitFlows): until other jobs have done flows of their parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitFlows {
    /// The flows.
    pub flows: Vec<AwaitedFlow>,
    /// The statement that reads the row of a flow, sent to its cluster until it is done.
    pub look: String,
    /// The statement that reads how the run ended that wrote the row, sent to the same cluster.
    pub run: String,
    /// How long it may take.
    pub timeout: TimeSpan,
}

/// A flow that another job is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwaitedFlow {
    /// The flow.
    #[schemars(with = "String")]
    pub flow: FlowId,
    /// The part that it belongs to.
    pub part: Part,
    /// The cluster whose ledger has its row.
    #[schemars(with = "String")]
    pub cluster: Name,
    /// The run that had written its row last by the time of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// Whether that run had done it: it has to be done by another one since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_done: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn parts_are_read_and_shown() {
        for text in ["1/1", "2/3", "3/3"] {
            assert_eq!(text.parse::<Part>().map(|part| part.to_string()), Ok(text.to_owned()));
        }
        for text in ["0/3", "4/3", "1/0", "1", "a/b", "-1/3", "1/3/2", ""] {
            assert!(text.parse::<Part>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_flow_is_in_one_part_with_all_of_its_targets() {
        for of in 1..=7_u32 {
            let mut sizes = vec![0_u32; 8];
            for number in 0..500 {
                let flow = name(&format!("flow-{number}"));
                let holds = |id: &FlowId| -> Vec<u32> {
                    (1..=of).filter(|index| Part { index: *index, of }.holds(id)).collect()
                };
                let alone = holds(&FlowId { flow: flow.clone(), target: None });
                let targeted = holds(&FlowId { flow, target: Some(name("analytics")) });
                assert_eq!((alone.len(), &alone), (1, &targeted));
                sizes[usize::try_from(alone[0]).unwrap()] += 1;
            }
            let (fair, last) = (500 / of, usize::try_from(of).unwrap());
            assert!(sizes[1..=last].iter().all(|size| *size > fair / 2 && *size < fair * 2), "{of}: {sizes:?}");
        }
    }

    #[test]
    fn the_hash_is_the_one_that_is_documented() {
        let part = |flow: &str| Part::of(&name(flow), 4).to_string();
        assert_eq!(["orders", "customers", "crm-people"].map(part), ["3/4", "4/4", "1/4"]);
    }
}
