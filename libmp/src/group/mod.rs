//! Path grouping policies.
