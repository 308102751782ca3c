//! Rate limits counted in one process.
