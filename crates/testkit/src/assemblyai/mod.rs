//! assemblyai
