//! The macros that define sections, records and choices in one place: type, wire form, description and access.

/// Defines a section of facts. Every field becomes a `Fact<T>`; a field the sender did not know reads as `agent_too_old`.
///
/// `personal` before a field's name marks what says something about a person; `#[no_reader(LINUX)]` says where the product cannot read the
/// fact (the names are in `gap.rs`). Remove it when the reader is written.
macro_rules! section {
    (
        $(#[doc = $doc:literal])+
        $name:ident = $section:literal ($vi:literal, $en:literal) {
            $( $(#[doc = $field_doc:literal])+ $(#[no_reader($($gap:ident),+)])? $($personal:ident)? [$field:ident] $type:ty = $field_vi:literal, $field_en:literal; )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name {
            $( $(#[doc = $field_doc])+ pub $field: crate::fact::Fact<$type>, )+
        }

        impl $name {
            /// The name before the dot in a fact's name.
            pub const NAME: &'static str = $section;
            /// The section's title, Vietnamese and English.
            pub const TITLE: (&'static str, &'static str) = ($vi, $en);
            /// The facts, in order.
            pub const FIELDS: &'static [crate::fact::Field] = &[
                $( crate::fact::Field {
                    name: stringify!($field),
                    kind: <$type as crate::fact::Facet>::KIND,
                    vi: $field_vi,
                    en: $field_en,
                    personal: personal!($($personal)?),
                    gaps: &[$($( crate::fact::gap::$gap ),+)?],
                    doc: concat!($($field_doc),+),
                }, )+
            ];

            /// A section in which every fact is unknown for the same `reason`.
            pub fn unknown(reason: crate::fact::Reason, detail: &str) -> Self {
                Self { $( $field: crate::fact::Fact::unknown(reason, detail), )+ }
            }

            /// Makes the fact `path` (`name`, or `name.field` of the records of its list) unknown.
            pub(crate) fn forget_fact(&mut self, path: &str, why: &crate::fact::Unknown) {
                let (name, field) = path.split_once('.').unwrap_or((path, ""));
                match name {
                    $( stringify!($field) => crate::fact::Facet::forget(&mut self.$field, field, why), )+
                    _ => {}
                }
            }
        }

        impl crate::fact::Record for $name {
            fn fields(&self) -> &'static [crate::fact::Field] {
                Self::FIELDS
            }
            fn value(&self, index: usize) -> crate::fact::Value<'_> {
                const NAMES: &[&str] = &[$(stringify!($field)),+];
                match NAMES[index] {
                    $( stringify!($field) => crate::fact::Facet::facet(&self.$field), )+
                    other => unreachable!("no field {other}"),
                }
            }
        }
    };
}

/// Defines a record of a list. A field added after the first release must be a `Fact`, which may be missing.
macro_rules! record {
    (
        $(#[doc = $doc:literal])+
        $name:ident {
            $( $(#[doc = $field_doc:literal])+ $(#[no_reader($($gap:ident),+)])? $($personal:ident)? [$field:ident] $type:ty = $field_vi:literal, $field_en:literal; )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $( $(#[doc = $field_doc])+ pub $field: $type, )+
        }

        impl $name {
            /// The fields, in order.
            pub const FIELDS: &'static [crate::fact::Field] = &[
                $( crate::fact::Field {
                    name: stringify!($field),
                    kind: <$type as crate::fact::Facet>::KIND,
                    vi: $field_vi,
                    en: $field_en,
                    personal: personal!($($personal)?),
                    gaps: &[$($( crate::fact::gap::$gap ),+)?],
                    doc: concat!($($field_doc),+),
                }, )+
            ];
        }

        impl crate::fact::Record for $name {
            fn fields(&self) -> &'static [crate::fact::Field] {
                Self::FIELDS
            }
            fn value(&self, index: usize) -> crate::fact::Value<'_> {
                const NAMES: &[&str] = &[$(stringify!($field)),+];
                match NAMES[index] {
                    $( stringify!($field) => crate::fact::Facet::facet(&self.$field), )+
                    other => unreachable!("no field {other}"),
                }
            }
        }

        impl crate::fact::Facet for $name {
            const KIND: crate::fact::Kind = crate::fact::Kind::Record(Self::FIELDS);
            fn facet(&self) -> crate::fact::Value<'_> {
                crate::fact::Value::Record(self)
            }
            fn forget(&mut self, path: &str, why: &crate::fact::Unknown) {
                match path {
                    $( stringify!($field) => crate::fact::Facet::forget(&mut self.$field, "", why), )+
                    _ => {}
                }
            }
        }
    };
}

/// Defines a choice: a set of words with what a person reads. A word that a newer agent sends reads as `Other`.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])+
        $name:ident {
            $( $(#[doc = $item_doc:literal])+ $item:ident = $code:literal, $vi:literal, $en:literal; )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $( $(#[doc = $item_doc])+ #[serde(rename = $code)] $item, )+
            /// A value that this version does not know.
            #[serde(rename = "other", other)]
            Other,
        }

        impl $name {
            /// Every value with its words, in order.
            pub const ITEMS: &'static [crate::fact::ChoiceItem] =
                &[$( crate::fact::ChoiceItem { code: $code, vi: $vi, en: $en }, )+
                    crate::fact::ChoiceItem { code: "other", vi: "khác", en: "other" }];
        }

        impl crate::fact::Facet for $name {
            const KIND: crate::fact::Kind = crate::fact::Kind::Choice(Self::ITEMS);
            fn facet(&self) -> crate::fact::Value<'_> {
                crate::fact::Value::Choice(&Self::ITEMS[*self as usize])
            }
        }
    };
}

/// Turns the optional word `personal` into a bool.
macro_rules! personal {
    () => {
        false
    };
    (personal) => {
        true
    };
}
