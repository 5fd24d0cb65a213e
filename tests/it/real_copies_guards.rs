//! What guards a copy: types that hold every value, secrets in rows that are refused, privileges, what is lost.

mod canary;
mod privileges;
mod types;
