//! The statement of a step, if it is one of its kind.

use transship_model::plan::Step;
pub(crate) use transship_sql::statement::Statement;

use crate::step::StepError;

/// The one statement of a step; an error where it is another kind's, or none that the builders make.
pub(crate) fn of(step: &Step) -> Result<Statement, StepError> {
    let wrong = |reason: &str| StepError::NotOfItsKind { kind: step.kind, reason: reason.to_owned() };
    let [sql] = step.sql.as_slice() else {
        return Err(wrong("it has not exactly one statement"));
    };
    let statement = Statement::read(sql).ok_or_else(|| wrong("its statement is not known"))?;
    if statement.kind() == step.kind { Ok(statement) } else { Err(wrong("its statement does something else")) }
}
