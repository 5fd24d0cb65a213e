//! What a program is told on its stdin: everything that it needs, secrets included.

use std::collections::BTreeMap;

use secrecy::ExposeSecret as _;
use transship_model::access::{Access, HostPort};
use transship_model::command::{
    COMMAND_FORMAT, CommandCluster, CommandInput, CommandInputColumn, CommandInputTable, CommandTableName,
};
use transship_model::plan::{CommandTable, Plan, RunCommand, Step};
use transship_model::redact::percent_encode;
use transship_model::spec::TlsMode;
use transship_model::{Name, TableName};
use transship_sql::ident;

/// The file descriptor that a program writes its result to.
pub(super) const RESULT_FD: i32 = 3;

/// The schema that CrateDB takes for a name without one: a database name for clients that need one.
const DATABASE: &str = "doc";

/// The document for a step of a run; `None` where the step has no flow, or a cluster is not one of the workspace.
pub(crate) fn document(
    (plan, step, run): (&Plan, &Step, &str),
    command: &RunCommand,
    access: &BTreeMap<Name, Access>,
    attempt: u32,
) -> Option<CommandInput> {
    Some(CommandInput {
        format_version: COMMAND_FORMAT,
        run: run.to_owned(),
        workspace: plan.workspace.clone(),
        environment: plan.env.clone(),
        flow: step.flow.clone()?,
        attempt,
        existing: command.existing,
        source: cluster(&command.source, access.get(&command.source)?),
        target: cluster(&step.cluster, access.get(&step.cluster)?),
        tables: command.tables.iter().map(table).collect(),
        result_fd: u32::try_from(RESULT_FD).expect("a small number"),
    })
}

fn cluster(name: &Name, access: &Access) -> CommandCluster {
    let of = &access.endpoint;
    let password = access.password.as_ref().map(|password| password.expose_secret().to_owned());
    let mut cluster = CommandCluster {
        name: name.clone(),
        host: of.address.host.clone(),
        port: of.address.port,
        user: of.user.clone(),
        password,
        url: String::new(),
        tls: of.tls,
        ca: access.ca.clone(),
        cert: access.cert.clone(),
        key: access.key.as_ref().map(|key| key.expose_secret().to_owned()),
    };
    cluster.url = address(&cluster, cluster.password.as_deref());
    cluster
}

/// `postgres://USER[:PASSWORD]@HOST:PORT/doc?sslmode=…`
pub(super) fn address(cluster: &CommandCluster, password: Option<&str>) -> String {
    let address = HostPort { host: cluster.host.clone(), port: cluster.port };
    let user = percent_encode(&cluster.user, false);
    let password = password.map(|password| format!(":{}", percent_encode(password, false))).unwrap_or_default();
    let tls = match cluster.tls {
        TlsMode::VerifyFull => "verify-full",
        TlsMode::Require => "require",
        TlsMode::Disable => "disable",
    };
    format!("postgres://{user}{password}@{address}/{DATABASE}?sslmode={tls}")
}

fn table(table: &CommandTable) -> CommandInputTable {
    let column = |column: &transship_model::plan::CommandColumn| CommandInputColumn {
        name: column.name.clone(),
        data_type: column.data_type.clone(),
        sql: column.sql.clone(),
    };
    CommandInputTable {
        name: table.to.to_string(),
        from: name(&table.from),
        into: name(&table.into),
        to: name(&table.to),
        columns: table.columns.iter().map(column).collect(),
        filter: table.filter.clone(),
        query: table.query.clone(),
    }
}

fn name(table: &TableName) -> CommandTableName {
    CommandTableName { schema: table.schema.clone(), table: table.table.clone(), sql: ident::table(table) }
}

#[cfg(test)]
pub(super) mod testing {
    use transship_model::spec::Existing;

    use super::*;

    fn end(name: &str, host: &str, port: u16, tls: TlsMode, password: &str) -> CommandCluster {
        let mut cluster = CommandCluster {
            name: name.parse().unwrap(),
            host: host.to_owned(),
            port,
            user: "tool".to_owned(),
            password: Some(password.to_owned()),
            url: String::new(),
            tls,
            ca: None,
            cert: None,
            key: None,
        };
        cluster.url = address(&cluster, Some(password));
        cluster
    }

    /// A document with a secret.
    pub(in crate::command) fn input(password: &str) -> CommandInput {
        CommandInput {
            format_version: COMMAND_FORMAT,
            run: "run-1".to_owned(),
            workspace: "w".parse().unwrap(),
            environment: None,
            flow: "people".parse().unwrap(),
            attempt: 0,
            existing: Existing::Replace,
            source: end("a", "::1", 5433, TlsMode::Disable, password),
            target: end("b", "h", 5434, TlsMode::VerifyFull, password),
            tables: Vec::new(),
            result_fd: 3,
        }
    }

    #[test]
    fn addresses_are_encoded() {
        let url = input("p@ss/w:rd").source.url;
        assert_eq!(url, "postgres://tool:p%40ss%2Fw%3Ard@[::1]:5433/doc?sslmode=disable");
    }
}
