//! The command line.

use std::path::PathBuf;

use crate::Outcome;
use crate::child::Child;
use crate::shape::Shape;
use crate::way::Way;

const USAGE: &str = "usage: throughput SOURCE TARGET [--rows N] [--rounds N] [--shape flat|nested] [--ways a,b,…]
    [--exchange DIR] [--python PYTHON] [--jdbc JAR] [--source-http H:P --target-http H:P] [--pids A,B] [--json FILE]";

/// What is to be measured.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// `HOST:PORT` of the PostgreSQL wire.
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) rows: u64,
    /// Rounds that count.
    pub(crate) rounds: usize,
    pub(crate) shape: Shape,
    pub(crate) ways: Vec<Way>,
    /// A directory that both clusters reach, also as a place for repositories.
    pub(crate) exchange: Option<PathBuf>,
    /// A Python that has the peers.
    pub(crate) python: Option<PathBuf>,
    /// The JDBC driver of PostgreSQL.
    pub(crate) jdbc: Option<PathBuf>,
    /// `HOST:PORT` of HTTP.
    pub(crate) source_http: Option<String>,
    pub(crate) target_http: Option<String>,
    /// The processes of both clusters.
    pub(crate) pids: Option<(u32, u32)>,
    pub(crate) json: Option<PathBuf>,
}

/// What this process is for.
#[derive(Debug)]
pub(crate) enum Wanted {
    Benchmark(Box<Arguments>),
    /// One copy, so that its processor time and memory are those of a process of its own.
    Child(Child),
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Outcome<Wanted> {
        let (Some(source), Some(target)) = (words.next(), words.next()) else { return Err(USAGE.into()) };
        if source == "--child" {
            return Ok(Wanted::Child(Child::parse(&target, words)?));
        }
        let mut arguments = Self::of(source, target);
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} wants a value\n{USAGE}"))?;
            arguments.set(&name, value)?;
        }
        Ok(Wanted::Benchmark(Box::new(arguments)))
    }

    fn of(source: String, target: String) -> Self {
        Self {
            source,
            target,
            rows: 1_000_000,
            rounds: 3,
            shape: Shape::Flat,
            ways: Way::ALL.to_vec(),
            exchange: None,
            python: None,
            jdbc: None,
            source_http: None,
            target_http: None,
            pids: None,
            json: None,
        }
    }

    fn set(&mut self, name: &str, value: String) -> Outcome<()> {
        match name {
            "--rows" => self.rows = value.parse()?,
            "--rounds" => self.rounds = value.parse()?,
            "--shape" => self.shape = value.parse()?,
            "--ways" => self.ways = value.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--exchange" => self.exchange = Some(value.into()),
            "--python" => self.python = Some(value.into()),
            "--jdbc" => self.jdbc = Some(value.into()),
            "--source-http" => self.source_http = Some(value),
            "--target-http" => self.target_http = Some(value),
            "--pids" => {
                let (source, target) = value.split_once(',').ok_or("--pids wants two numbers, of source and target")?;
                self.pids = Some((source.parse()?, target.parse()?));
            }
            "--json" => self.json = Some(value.into()),
            _ => return Err(format!("{name} is not known\n{USAGE}").into()),
        }
        Ok(())
    }
}
