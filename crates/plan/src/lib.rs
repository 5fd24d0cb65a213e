//! The planner: a pure function from [`PlanInput`] to a [`Plan`](transship_model::plan::Plan). No IO, no clock, no randomness.
//!
//! [`wanted()`] says what has to be looked at, [`plan()`] plans, [`audit()`] checks the planner's own output,
//! [`fingerprint()`] and [`digest()`] (with [`due_digest()`]) tell whether a plan is still the one that was made.

mod assemble;
mod audit;
mod available;
mod basis;
mod check;
mod choose;
mod consent;
mod copies;
mod custom;
mod detach;
mod digest;
mod draft;
mod ends;
mod export;
mod input;
mod missing;
mod names;
mod order;
mod parts;
mod preview;
mod privileges;
mod project;
mod replication;
mod report;
mod shared;
mod snapshot;
mod stage;
mod store_check;
mod tables;
mod wanted;

pub use assemble::{Planned, Survey, plan, survey};
pub use audit::{Rule, Violation, audit};
pub use basis::{ABSENT, fingerprint};
pub use choose::{Considered, Explanation, Requirement, State, Subject, Verdict, explain, wanted_to_explain};
pub use digest::{digest, due_digest, edited};
pub use input::PlanInput;
pub use names::{PREFIX, derived};
pub use preview::{Sample, samples};
pub use project::project;
pub use replication::LEFT_FOLLOWED;
pub use report::{FlowReport, FlowStatus, Report};
pub use transship_model::plan::PlanOptions;
pub use wanted::{ShardId, Wanted, WantedByCluster, stores_wanted, wanted, wanted_stores};
