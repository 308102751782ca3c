//! Time, identifiers and chance of the machine.
