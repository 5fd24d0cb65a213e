//! Users, roles and privileges.

use std::collections::{BTreeMap, BTreeSet};

use transship_model::observed::{Privilege, User};
use transship_sql::observe as catalog;

use super::answers::{Answers, Problem};
use crate::value::{Rows, ValueError};

/// The users with every role that they have, directly or through another role; `None` where they may not be seen.
pub(super) fn users(answers: &mut Answers) -> Result<Option<BTreeMap<String, User>>, Problem> {
    let (users, roles) = (answers.seen(catalog::USERS)?, answers.seen(catalog::ROLES)?);
    let Some(users) = users else { return Ok(None) };
    let granted = roles.as_ref().map(granted).transpose()?.unwrap_or_default();
    let mut found = BTreeMap::new();
    for row in 0..users.len() {
        let superuser = users.opt_bool(row, "superuser")?.unwrap_or(false);
        let roles = with_inherited(users.texts(row, "roles")?, &granted);
        found.insert(users.text(row, "name")?.to_owned(), User { superuser, roles });
    }
    Ok(Some(found))
}

/// The privileges in order; `None` where they may not be seen.
pub(super) fn privileges(answers: &mut Answers) -> Result<Option<Vec<Privilege>>, Problem> {
    let Some(rows) = answers.seen(catalog::PRIVILEGES)? else { return Ok(None) };
    let mut found = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        found.push(Privilege {
            grantee: rows.text(row, "grantee")?.to_owned(),
            kind: rows.text(row, "kind")?.to_owned(),
            class: rows.text(row, "class")?.to_owned(),
            ident: rows.opt_text(row, "ident")?.map(str::to_owned),
            granted: rows.text(row, "state")? == "GRANT",
        });
    }
    found.sort();
    Ok(Some(found))
}

fn granted(roles: &Rows) -> Result<BTreeMap<String, Vec<String>>, ValueError> {
    (0..roles.len()).map(|row| Ok((roles.text(row, "name")?.to_owned(), roles.texts(row, "roles")?))).collect()
}

fn with_inherited(direct: Vec<String>, granted: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut open = direct;
    while let Some(role) = open.pop() {
        open.extend(granted.get(&role).into_iter().flatten().filter(|parent| !found.contains(*parent)).cloned());
        found.insert(role);
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_inherited_through_roles() {
        let granted: BTreeMap<_, _> = [("a", vec!["b", "c"]), ("b", vec!["d"]), ("d", vec!["a"]), ("x", vec!["y"])]
            .map(|(role, parents)| (role.to_owned(), parents.into_iter().map(str::to_owned).collect()))
            .into();
        assert_eq!(with_inherited(vec!["a".to_owned()], &granted), ["a", "b", "c", "d"]);
        assert_eq!(with_inherited(vec![], &granted), Vec::<String>::new());
    }
}
