//! Copies in a process of their own, which is this program once more.

use std::process::Command;

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use transship_cluster::Wire;
use transship_mover::Many;

use crate::Outcome;
use crate::bench::Bench;
use crate::shape::Shape;
use crate::way::{Ran, Way};
use crate::{job, process};

/// What such a process does.
#[derive(Debug)]
pub(crate) struct Child {
    way: Way,
    source: String,
    target: String,
    shape: Shape,
}

impl Child {
    pub(crate) fn parse(way: &str, mut words: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut next = || words.next().ok_or("--child WAY SOURCE TARGET SHAPE");
        Ok(Self { way: way.parse()?, source: next()?, target: next()?, shape: next()?.parse()? })
    }
}

/// Starts one, and compares the number of rows that it tells.
pub(crate) async fn copy(bench: &Bench, way: Way, source: &str) -> Outcome<Ran> {
    let mut command = Command::new(std::env::current_exe()?);
    let shape = bench.arguments.shape;
    command.args(["--child", &way.to_string(), source, &bench.arguments.target, &shape.to_string()]);
    let (used, output) = process::run(command).await?;
    let told = String::from_utf8(output.stdout)?;
    if told.trim() != bench.arguments.rows.to_string() {
        return Err(format!("{} rows are said to have moved", told.trim()).into());
    }
    Ok(Ran::Done(used))
}

/// Does it, and tells the number of rows.
pub(crate) async fn run(child: &Child) -> Outcome<()> {
    let Child { way, source, target, shape } = child;
    let rows = match way {
        Way::ReadOnly => {
            let (_, mut wire) = select(source, *shape).await?;
            drain(&mut wire, |_| ()).await?
        }
        Way::Rows => job::run(source, target, *shape, None).await?,
        _ => job::run(source, target, *shape, Some(Many::default())).await?,
    };
    println!("{rows}");
    Ok(())
}

/// Sends what the engine sends to read, and gives the name and type of each column.
pub(crate) async fn select(source: &str, shape: Shape) -> Outcome<(Vec<(String, u32)>, Wire)> {
    let end = job::end("source", source)?;
    let mut wire = Wire::open(&end.name, &end.access, end.redactor).await?;
    let out = wire.outgoing();
    frontend::parse("", &shape.select(), std::iter::empty(), out)?;
    frontend::describe(b'S', "", out)?;
    let no_cell = |(), _: &mut _| Ok(IsNull::Yes);
    frontend::bind("", "", [], std::iter::empty(), no_cell, [1], out).map_err(|_| "a Bind that cannot be written")?;
    frontend::execute("", 0, out)?;
    frontend::sync(out);
    wire.flush().await?;
    loop {
        match wire.receive().await? {
            Message::RowDescription(body) => {
                let columns = body.fields().map(|field| Ok((field.name().to_owned(), field.type_oid()))).collect()?;
                return Ok((columns, wire));
            }
            Message::ErrorResponse(body) => return Err(wire.server_error(&body).into()),
            _ => {}
        }
    }
}

/// Reads all rows, and gives their number.
pub(crate) async fn drain(wire: &mut Wire, mut row: impl FnMut(&[u8])) -> Outcome<u64> {
    let mut rows = 0;
    loop {
        match wire.receive().await? {
            Message::DataRow(body) => {
                row(body.buffer());
                rows += 1;
            }
            Message::ErrorResponse(body) => return Err(wire.server_error(&body).into()),
            Message::ReadyForQuery(_) => return Ok(rows),
            _ => {}
        }
    }
}
