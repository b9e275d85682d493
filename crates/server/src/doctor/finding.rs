//! What is found, and how it is told.

use std::fmt;

use serde::Serialize;

use crate::output::say;

/// How it is about what was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    /// The service works, and somebody should know.
    Warning,
    /// The service does not work, or will lose something.
    Problem,
    /// It could not be looked at; why is another finding.
    NotChecked,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
            Self::NotChecked => "not checked",
        })
    }
}

/// What one check found.
#[derive(Debug, Serialize)]
pub struct Finding {
    check: &'static str,
    state: State,
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, State::Ok, found, None)
    }

    /// Somebody should know.
    pub fn warning(
        check: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(check, State::Warning, found, Some(advice.into()))
    }

    /// Somebody must do something.
    pub fn problem(
        check: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(check, State::Problem, found, Some(advice.into()))
    }

    /// A problem where it matters, a warning elsewhere.
    pub fn wrong(
        is_problem: bool,
        check: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        if is_problem {
            Self::problem(check, found, advice)
        } else {
            Self::warning(check, found, advice)
        }
    }

    /// Nothing can be said.
    pub fn not_checked(check: &'static str, why: impl Into<String>) -> Self {
        Self::new(check, State::NotChecked, why, None)
    }

    /// The same under another name.
    pub fn named(self, check: &'static str) -> Self {
        Self { check, ..self }
    }

    fn new(
        check: &'static str,
        state: State,
        found: impl Into<String>,
        advice: Option<String>,
    ) -> Self {
        Self {
            check,
            state,
            found: found.into(),
            advice,
        }
    }
}

/// All findings.
#[derive(Serialize)]
pub struct Report {
    findings: Vec<Finding>,
}

impl Report {
    pub fn of(findings: Vec<Finding>) -> Self {
        Self { findings }
    }

    pub fn has_problem(&self) -> bool {
        self.count(State::Problem) > 0
    }

    fn count(&self, state: State) -> usize {
        let of_state = self
            .findings
            .iter()
            .filter(|finding| finding.state == state);
        of_state.count()
    }

    /// Says it, for people or for machines.
    ///
    /// # Errors
    /// Where nobody can have read it.
    pub fn tell(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            return say(serde_json::to_string_pretty(self)?);
        }
        for finding in &self.findings {
            say(format_args!(
                "{:11}  {:12} {}",
                finding.state, finding.check, finding.found
            ))?;
            if let Some(advice) = &finding.advice {
                say(format_args!("{:26}-> {advice}", ""))?;
            }
        }
        say(format_args!(
            "{} ok, {} warnings, {} problems, {} not checked",
            self.count(State::Ok),
            self.count(State::Warning),
            self.count(State::Problem),
            self.count(State::NotChecked)
        ))
    }
}
