//! The registry (crate `windows-registry`), always in its 64-bit view.
