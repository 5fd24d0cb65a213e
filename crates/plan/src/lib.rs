//! The planner: a pure function from spec and observations to a plan.
