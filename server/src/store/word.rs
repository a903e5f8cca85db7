//! A fixed set of words as the database stores them: an enum in Rust, a checked text in SQL.

/// Defines an enum whose values are stored, shown to programs and read back as words.
macro_rules! words {
    ($(#[doc = $doc:literal])+ $name:ident { $( $(#[doc = $item_doc:literal])+ $item:ident = $word:literal, )+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $( $(#[doc = $item_doc])+ #[serde(rename = $word)] $item, )+
        }

        impl $name {
            /// Every value, in order.
            #[allow(dead_code, reason = "not every set is offered to choose from")]
            pub const ALL: &'static [Self] = &[$( Self::$item ),+];

            /// The word in the database and on the command line.
            pub const fn word(self) -> &'static str {
                match self { $( Self::$item => $word, )+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::store::word::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $( $word => Ok(Self::$item), )+
                    _ => Err($crate::store::word::UnknownWord { word: word.to_owned(), wanted: concat!($($word, " "),+) }),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::store::word::UnknownWord;

            fn try_from(word: String) -> Result<Self, Self::Error> {
                word.parse()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.word())
            }
        }
    };
}

/// A word outside the set.
#[derive(Debug, thiserror::Error)]
#[error("{word:?} is not one of: {wanted}")]
pub struct UnknownWord {
    /// The word read.
    pub word: String,
    /// The allowed words.
    pub wanted: &'static str,
}
