//! Connects to CrateDB over the PostgreSQL wire, observes, executes and classifies errors.
