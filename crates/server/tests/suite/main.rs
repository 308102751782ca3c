//! The settings, and the service as the binary puts it together.

mod settings;
