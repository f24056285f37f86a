//! The machinery of the dialect: how an option is named, read and listed.

use std::fmt;

/// Something that a dialect key can be set to.
pub trait Setting: Sized + fmt::Display {
    /// What may be written, for an operator to read: `a | b | c`, or a range.
    fn options() -> String;

    /// Reads one of the options; none for anything else.
    fn read(text: &str) -> Option<Self>;
}

/// Declares an enum of named options; the first one is the default.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        $name:ident { $(#[$first_meta:meta])* $first:ident = $first_text:literal
            $(, $(#[$option_meta:meta])* $option:ident = $text:literal)* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
        pub enum $name {
            #[default]
            $(#[$first_meta])*
            $first,
            $( $(#[$option_meta])* $option, )*
        }

        impl $name {
            /// Every option, most plausible first.
            pub const ALL: &'static [Self] = &[Self::$first $(, Self::$option)*];

            /// The option as the configuration writes it.
            pub fn word(self) -> &'static str {
                match self {
                    Self::$first => $first_text,
                    $( Self::$option => $text, )*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl $crate::channel::dialect::Setting for $name {
            fn options() -> String {
                Self::ALL.iter().map(|option| option.word()).collect::<Vec<_>>().join(" | ")
            }

            fn read(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|option| option.word() == text)
            }
        }
    };
}

/// Declares a number within bounds.
macro_rules! number {
    ( $(#[$meta:meta])* $name:ident($inner:ty) = $default:literal, $low:literal ..= $high:literal ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name(pub $inner);

        impl Default for $name {
            fn default() -> Self {
                Self($default)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl $crate::channel::dialect::Setting for $name {
            fn options() -> String {
                concat!(stringify!($low), " to ", stringify!($high)).to_owned()
            }

            fn read(text: &str) -> Option<Self> {
                text.parse().ok().filter(|value| ($low..=$high).contains(value)).map(Self)
            }
        }
    };
}

/// Declares the dialect itself: fields, and the table of its keys.
macro_rules! dialect {
    ( $(#[$meta:meta])* $name:ident { $( $(#[$field_meta:meta])* $field:ident: $kind:ty, )* } ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Default)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $kind, )*
        }

        impl $name {
            /// Every key of `[channel.dialect]`, in the order of the wire reference.
            pub fn keys() -> Vec<Key> {
                vec![ $( Key {
                    name: stringify!($field),
                    options: <$kind as Setting>::options(),
                    default: <$kind>::default().to_string(),
                }, )* ]
            }

            /// Sets one key from its text.
            ///
            /// # Errors
            /// When there is no such key, or it has no such option; the error lists what there is.
            pub fn set(&mut self, key: &str, value: &str) -> Result<(), BadSetting> {
                match key {
                    $( stringify!($field) => {
                        self.$field = <$kind as Setting>::read(value).ok_or_else(|| BadSetting::Value {
                            key: stringify!($field),
                            value: value.to_owned(),
                            options: <$kind as Setting>::options(),
                        })?;
                    } )*
                    _ => return Err(BadSetting::Key {
                        key: key.to_owned(),
                        keys: [$( stringify!($field) ),*].join(", "),
                    }),
                }
                Ok(())
            }

            /// Every key with its present value, in the order of [`Self::keys`].
            pub fn values(&self) -> Vec<(&'static str, String)> {
                vec![ $( (stringify!($field), self.$field.to_string()), )* ]
            }
        }
    };
}

pub(super) use {choice, dialect, number};
