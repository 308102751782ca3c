//! The contract suites of the ports, over the in-memory store and the fakes.
