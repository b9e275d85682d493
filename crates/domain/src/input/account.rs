//! Input of unknown shape about accounts.

use super::Member;
use crate::account::{DisplayName, DisplayNameError, Email, EmailError, Password, PasswordError};
use crate::printable::is_printable;
use crate::violation::{Violation, Violations, both};

/// Input of a registration. Every broken rule is reported, in the order e-mail, password, name.
#[derive(Clone, Default)]
pub struct RegistrationInput {
    /// Required.
    pub email: Member<String>,
    /// Required.
    pub password: Member<String>,
    /// Optional; may be null.
    pub name: Member<String>,
}

/// A valid registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The e-mail address to log in with.
    pub email: Email,
    /// The password to log in with.
    pub password: Password,
    /// The name that the user chose.
    pub name: Option<DisplayName>,
}

impl RegistrationInput {
    /// Checks the rules.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn into_registration(self) -> Result<Registration, Violations> {
        let email = match self.email {
            Member::Given(text) => Email::parse(text).and_then(refuse_unprintable),
            Member::Absent | Member::Null | Member::WrongType => Err(EmailError::Invalid),
        };
        let name = match self.name {
            Member::Absent | Member::Null => Ok(None),
            Member::Given(text) => DisplayName::parse(text).map(Some),
            Member::WrongType => Err(DisplayNameError::Empty),
        };
        let password = password(self.password).and_then(|password| {
            let (email, name) = (email.as_ref().ok(), name.as_ref().ok());
            password.refuse_own_words(email, name.and_then(Option::as_ref))?;
            Ok(password)
        });
        let email = email.map_err(|broken| Violation::Email(broken).into());
        let password = password.map_err(|broken| Violation::Password(broken).into());
        let name = name.map_err(|broken| Violation::Name(broken).into());
        let ((email, password), name) = both(both(email, password), name)?;
        Ok(Registration {
            email,
            password,
            name,
        })
    }
}

/// Input of a login.
#[derive(Clone, Default)]
pub struct CredentialsInput {
    /// Required.
    pub email: Member<String>,
    /// Required.
    pub password: Member<String>,
}

/// The credentials of a login. The rules of accounts are not checked: credentials that break them are
/// merely wrong.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The presumed e-mail address.
    pub email: String,
    /// The presumed password.
    pub password: String,
}

impl CredentialsInput {
    /// Checks that both members are strings.
    ///
    /// # Errors
    /// Each member that is missing or not a string.
    pub fn into_credentials(self) -> Result<Credentials, Violations> {
        let (email, password) = both(
            text(self.email, Violation::Email(EmailError::Invalid)),
            text(self.password, Violation::PasswordMissing),
        )?;
        Ok(Credentials { email, password })
    }
}

/// Input of a password change.
#[derive(Clone, Default)]
pub struct PasswordChangeInput {
    /// Required.
    pub current: Member<String>,
    /// Required.
    pub new: Member<String>,
    /// Optional; may be null.
    pub revoke_tokens: Member<bool>,
}

/// A password change.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordChange {
    /// The presumed current password.
    pub current: String,
    /// The new password.
    pub new: Password,
    /// `true` if the user's personal access tokens end, too.
    pub revoke_tokens: bool,
}

impl PasswordChangeInput {
    /// Checks the rules.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn into_change(self) -> Result<PasswordChange, Violations> {
        let new = password(self.new).map_err(|broken| Violation::NewPassword(broken).into());
        let passwords = both(text(self.current, Violation::CurrentPasswordMissing), new);
        let revoke_tokens = match self.revoke_tokens {
            Member::Absent | Member::Null => Ok(false),
            Member::Given(revoke) => Ok(revoke),
            Member::WrongType => Err(Violation::RevokeTokensNotBoolean.into()),
        };
        let ((current, new), revoke_tokens) = both(passwords, revoke_tokens)?;
        Ok(PasswordChange {
            current,
            new,
            revoke_tokens,
        })
    }
}

/// Refuses what a quoted local part may contain. Accounts from before this rule keep their addresses.
fn refuse_unprintable(email: Email) -> Result<Email, EmailError> {
    if email.as_str().chars().all(is_printable) {
        Ok(email)
    } else {
        Err(EmailError::Unprintable)
    }
}

fn password(password: Member<String>) -> Result<Password, PasswordError> {
    match password {
        Member::Given(text) => Password::parse(text),
        Member::Absent | Member::Null | Member::WrongType => Err(PasswordError::TooShort),
    }
}

fn text(member: Member<String>, missing: Violation) -> Result<String, Violations> {
    match member {
        Member::Given(text) => Ok(text),
        Member::Absent | Member::Null | Member::WrongType => Err(missing.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(email: &str, password: &str, name: &str) -> Result<Registration, Violations> {
        let input = RegistrationInput {
            email: Member::Given(email.into()),
            password: Member::Given(password.into()),
            name: Member::Given(name.into()),
        };
        input.into_registration()
    }

    #[test]
    fn password_of_the_accounts_words_is_refused() {
        for (email, name) in [
            ("anna.ivanova@example.org", "A"),
            ("a@b.example", "Anna Ivanova"),
        ] {
            let refused = register(email, "Anna-Ivanova-1", name).unwrap_err();
            assert_eq!(
                refused.first(),
                &Violation::Password(PasswordError::OwnWords)
            );
            assert!(register(email, "correct horse", name).is_ok());
        }
    }

    #[test]
    fn address_with_unprintable_characters_is_refused() {
        for char in [
            '\t', '\u{1b}', '\u{7f}', '\u{85}', '\u{2028}', '\u{202e}', '\u{2066}',
        ] {
            let email = format!("\"a{char}b\"@example.org");
            let refused = register(&email, "correct horse", "Anna").unwrap_err();
            let reasons = [EmailError::Unprintable, EmailError::Invalid].map(Violation::Email);
            assert!(reasons.contains(refused.first()), "{email:?}: {refused}");
        }
        let tab = register("\"a\tb\"@example.org", "correct horse", "Anna");
        assert_eq!(
            tab.unwrap_err().first(),
            &Violation::Email(EmailError::Unprintable)
        );
        assert!(register("\"a b\"@example.org", "correct horse", "Anna").is_ok());
    }

    fn messages(violations: &Violations) -> Vec<(Option<&'static str>, String)> {
        violations
            .iter()
            .map(|broken| (broken.field(), broken.to_string()))
            .collect()
    }

    #[test]
    fn every_broken_rule_is_reported() {
        let input = RegistrationInput {
            email: Member::WrongType,
            password: Member::Given("short".into()),
            name: Member::Given(String::new()),
        };
        let violations = input.into_registration().unwrap_err();
        assert_eq!(
            messages(&violations),
            [
                (Some("email"), "Email must be a valid e-mail address".into()),
                (
                    Some("password"),
                    "Password must have at least 8 characters".into()
                ),
                (Some("name"), "Name must be a non-empty string".into()),
            ]
        );
        let violations = CredentialsInput::default()
            .into_credentials()
            .err()
            .unwrap();
        assert_eq!(violations.iter().count(), 2);
        let violations = PasswordChangeInput::default().into_change().err().unwrap();
        assert_eq!(
            messages(&violations),
            [
                (
                    Some("current_password"),
                    "Current password must be a string".into()
                ),
                (
                    Some("new_password"),
                    "Password must have at least 8 characters".into()
                ),
            ]
        );
    }
}
