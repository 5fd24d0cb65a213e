//! The `transship` program.
fn main() {}
