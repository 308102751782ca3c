//! Bringing audio here.
