//! Input of unknown shape about personal access tokens.

use super::Member;
use crate::personal_token::{
    LifetimeDays, LifetimeDaysError, Scopes, ScopesError, TokenDraft, TokenName, TokenNameError,
};
use crate::violation::{Violation, Violations, both};

/// Input of a new token. Every broken rule is reported, in the order name, scopes, days.
#[derive(Clone, Default)]
pub struct TokenInput {
    /// Required.
    pub name: Member<String>,
    /// Required.
    pub scopes: Member<Vec<String>>,
    /// Optional; may be null.
    pub expires_in_days: Member<i64>,
}

impl TokenInput {
    /// Checks the rules.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn into_draft(self) -> Result<TokenDraft, Violations> {
        let name = match self.name {
            Member::Given(text) => TokenName::parse(text),
            Member::Absent | Member::Null | Member::WrongType => Err(TokenNameError::Empty),
        };
        let scopes = match &self.scopes {
            Member::Given(names) => Scopes::parse(names.iter().map(String::as_str)),
            Member::Absent | Member::Null | Member::WrongType => Err(ScopesError::Missing),
        };
        let lifetime = match self.expires_in_days {
            Member::Absent | Member::Null => Ok(None),
            Member::Given(days) => LifetimeDays::parse(days).map(Some),
            Member::WrongType => Err(LifetimeDaysError),
        };
        let name = name.map_err(|broken| Violation::from(broken).into());
        let scopes = scopes.map_err(|broken| Violation::from(broken).into());
        let lifetime = lifetime.map_err(|broken| Violation::from(broken).into());
        let ((name, scopes), lifetime) = both(both(name, scopes), lifetime)?;
        Ok(TokenDraft {
            name,
            scopes,
            lifetime,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_rule_is_reported_in_order() {
        let input = TokenInput {
            name: Member::WrongType,
            scopes: Member::Given(vec!["tasks:read".into(), "tasks:delete".into()]),
            expires_in_days: Member::Given(0),
        };
        let broken = input.into_draft().unwrap_err();
        let fields: Vec<_> = broken.iter().filter_map(Violation::field).collect();
        assert_eq!(fields, ["name", "scopes", "expires_in_days"]);
    }

    #[test]
    fn token_without_days_does_not_expire() {
        for expires_in_days in [Member::Absent, Member::Null] {
            let input = TokenInput {
                name: Member::Given("laptop".into()),
                scopes: Member::Given(vec!["tasks:write".into()]),
                expires_in_days,
            };
            assert_eq!(input.into_draft().unwrap().lifetime, None);
        }
    }
}
