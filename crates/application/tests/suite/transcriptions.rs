//! transcriptions
