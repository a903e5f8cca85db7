//! Grades of stored offices, on both databases.
