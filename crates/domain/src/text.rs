//! Traits of the standard library for the types that wrap or name a text.

/// Implements `Display` by the method that returns the text, and `FromStr` by `parse`.
macro_rules! name_traits {
    ($type:ident, $error:ty, $text:ident) => {
        impl std::fmt::Display for $type {
            /// Writes the text that `parse` reads.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.$text())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $error;

            fn from_str(raw: &str) -> Result<Self, Self::Err> {
                Self::parse(raw)
            }
        }
    };
}

/// Implements `Display`, `AsRef<str>`, `FromStr` and `TryFrom<String>` by `as_str` and `parse`.
macro_rules! text_traits {
    ($type:ident, $error:ty) => {
        $crate::text::name_traits!($type, $error, as_str);

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(raw: String) -> Result<Self, Self::Error> {
                Self::parse(raw)
            }
        }
    };
}

pub(crate) use {name_traits, text_traits};

#[cfg(test)]
mod tests {
    use crate::task::{Description, DescriptionError, Title, TitleError};
    use crate::user::{UserId, UserIdError};

    #[test]
    fn texts_are_parsed_and_shown_by_the_traits_of_the_standard_library() {
        let title: Title = " Buy milk ".parse().unwrap();
        assert_eq!(format!("{title}|{title:12}|"), " Buy milk | Buy milk   |");
        assert_eq!(title.as_ref(), " Buy milk ");
        assert_eq!(Title::try_from(title.to_string()), Ok(title));
        assert_eq!("".parse::<Title>(), Err(TitleError::Empty));
        let description: Description = "".parse().unwrap();
        assert_eq!(description.to_string(), "");
        let too_long = "a".repeat(501);
        assert_eq!(
            too_long.parse::<Description>(),
            Err(DescriptionError::TooLong)
        );
        let owner: UserId = "anna".parse().unwrap();
        assert_eq!(AsRef::<str>::as_ref(&owner), "anna");
        assert_eq!("a\0".parse::<UserId>(), Err(UserIdError::Nul));
    }
}
