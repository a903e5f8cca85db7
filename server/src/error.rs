//! Errors shown to people at a terminal. What agents and pages answer is in `agent_api::error` and `web::error`; inner layers know
//! no status codes.

use std::fmt;

use policies::text;
use policies::text::{Language, Text};

use crate::store::StoreError;

/// A failure for the person at the terminal, in both languages: what happened, where, and what to do.
#[derive(Debug)]
pub struct UserError {
    text: Text,
    cause: Option<anyhow::Error>,
}

impl UserError {
    /// A failure without a technical cause.
    pub fn new(vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self { text: Text::new(vi, en), cause: None }
    }

    /// The same with the technical cause, which is printed after the message.
    pub fn because(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// What to print for `error`, of any type.
    pub fn render(error: &anyhow::Error, language: Language) -> String {
        match error.downcast_ref::<Self>() {
            Some(Self { text, cause: None }) => text.get(language).to_owned(),
            Some(Self { text, cause: Some(cause) }) => {
                format!("{}\n  {}", text.get(language), Self::render(cause, language))
            }
            None => match error.downcast_ref::<StoreError>() {
                Some(StoreError::NotFound { what, id }) => {
                    let Text { vi, en } = what.text();
                    text!("Không có {vi} mang mã {id:?}.", "There is no {en} {id:?}.").get(language).to_owned()
                }
                _ => format!("{error:#}"),
            },
        }
    }
}

impl From<Text> for UserError {
    /// A failure without a technical cause, with values in its text.
    fn from(text: Text) -> Self {
        Self { text, cause: None }
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text.en)
    }
}

impl std::error::Error for UserError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause.as_ref())
    }
}
