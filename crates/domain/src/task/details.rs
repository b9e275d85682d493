//! The details of a task: its fields beyond those of the original command-line app.

use super::{Due, Priority, Repeat, RepeatFrom, Tags};

/// Declares the details of a task and their change from one list of fields, so that a new field is named once.
macro_rules! details {
    ($($(#[$doc:meta])+ $field:ident: $type:ty,)+) => {
        /// The fields of a task beyond those of the original command-line app. A new task has the default of each.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(default))]
        pub struct Details {
            $($(#[$doc])+ pub $field: $type,)+
        }

        /// New values of some details; those that are `None` stay.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(default))]
        pub struct DetailsChange {
            $(
                $(#[$doc])+
                #[cfg_attr(feature = "serde", serde(
                    skip_serializing_if = "Option::is_none",
                    deserialize_with = "crate::serialization::given"
                ))]
                pub $field: Option<$type>,
            )+
        }

        impl DetailsChange {
            /// Returns the change that sets every detail to that of `details`.
            #[must_use]
            pub fn of(details: &Details) -> Self {
                Self { $($field: Some(details.$field.clone()),)+ }
            }

            /// Sets the new values.
            pub fn apply(&self, details: &mut Details) {
                $(if let Some(new) = &self.$field {
                    details.$field.clone_from(new);
                })+
            }

            /// Returns the values of those details that this change would change.
            #[must_use]
            pub fn overwrites(&self, details: &Details) -> Self {
                Self {
                    $($field: self
                        .$field
                        .as_ref()
                        .filter(|new| **new != details.$field)
                        .map(|_| details.$field.clone()),)+
                }
            }

            /// Returns whether both set the same detail.
            #[must_use]
            pub fn overlaps(&self, other: &Self) -> bool {
                $((self.$field.is_some() && other.$field.is_some()))||+
            }

            /// Replaces the values of those details that `other` sets, and returns the values that these had.
            #[must_use]
            pub fn replace(&mut self, other: &Self) -> Self {
                Self {
                    $($field: other
                        .$field
                        .as_ref()
                        .and_then(|new| self.$field.replace(new.clone())),)+
                }
            }
        }
    };
}

details! {
    /// The due date: a day or a time.
    due: Option<Due>,
    /// The priority.
    priority: Priority,
    /// The tags, in the order in which they were given.
    tags: Tags,
    /// The rule by which the task repeats. It needs a due date.
    repeat: Option<Repeat>,
    /// The date from which the due date of the follow-up is counted.
    repeat_from: RepeatFrom,
}

impl DetailsChange {
    /// Returns whether this change would leave `details` with a rule, but without the due date that a rule needs.
    #[must_use]
    pub fn breaks_repeat(&self, details: &Details) -> bool {
        let due = self.due.as_ref().unwrap_or(&details.due);
        let repeat = self.repeat.as_ref().unwrap_or(&details.repeat);
        (self.due.is_some() || self.repeat.is_some()) && repeat.is_some() && due.is_none()
    }
}
