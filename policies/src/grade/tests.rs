//! Worked examples and laws of the office grade.

mod caps;
mod laws;
mod moves;
mod score;
