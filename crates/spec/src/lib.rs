//! Reads a workspace of YAML files into a checked Spec with the place of every value.
