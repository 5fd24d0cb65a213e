//! Every SQL statement that transship sends, built in one place.
