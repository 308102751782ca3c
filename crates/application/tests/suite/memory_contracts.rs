//! memory_contracts
