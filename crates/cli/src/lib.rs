//! The command line: arguments, commands, views, errors with hints, exit codes.
