//! The findings, for people or for machines.

use std::fmt;

use serde::Serialize;
use taskhold_application::reasons::reasons;
use taskhold_infrastructure::inspection::InspectionError;

use crate::output::{count, say, say_document};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    /// The service works, but an operator should know.
    Warning,
    /// The service does not work, or will lose something.
    Problem,
    /// The check could not be made; another finding says why.
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

/// What a check makes of the store's answers; `None` if the store has nothing of the kind.
pub type Answer = Result<Option<Finding>, InspectionError>;

/// What a check found.
#[derive(Debug, Serialize)]
pub struct Finding {
    state: State,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    pub fn ok(found: impl Into<String>) -> Self {
        Self {
            state: State::Ok,
            found: found.into(),
            advice: None,
        }
    }

    pub fn warning(found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            state: State::Warning,
            found: found.into(),
            advice: Some(advice.into()),
        }
    }

    pub fn problem(found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::warning(found, advice).problem_if(true)
    }

    pub fn not_checked(reason: impl Into<String>) -> Self {
        Self {
            state: State::NotChecked,
            ..Self::ok(reason)
        }
    }

    /// Makes a warning a problem where it is one.
    pub fn problem_if(mut self, is_problem: bool) -> Self {
        if is_problem {
            self.state = State::Problem;
        }
        self
    }
}

#[derive(Serialize)]
struct Check {
    check: &'static str,
    #[serde(flatten)]
    finding: Finding,
}

/// The findings of all checks, in their order.
#[derive(Default, Serialize)]
pub struct Report {
    findings: Vec<Check>,
}

impl Report {
    pub fn add(&mut self, check: &'static str, finding: Finding) {
        self.findings.push(Check { check, finding });
    }

    /// Adds the finding of a check that asks the store.
    pub fn add_answer(&mut self, check: &'static str, answer: Answer) {
        let finding = answer.unwrap_or_else(|error| Some(Finding::not_checked(reasons(&error))));
        if let Some(finding) = finding {
            self.add(check, finding);
        }
    }

    pub fn has_problem(&self) -> bool {
        self.count(State::Problem) > 0
    }

    fn count(&self, state: State) -> usize {
        let states = self.findings.iter().map(|check| check.finding.state);
        states.filter(|found| *found == state).count()
    }

    pub fn print(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            return say_document(&serde_json::to_string_pretty(self)?);
        }
        for Check { check, finding } in &self.findings {
            say(format_args!(
                "{:11}  {check:12} {}",
                finding.state, finding.found
            ))?;
            if let Some(advice) = &finding.advice {
                say(format_args!("{:26}-> {advice}", ""))?;
            }
        }
        say(format_args!(
            "{} ok, {}, {}, {} not checked",
            self.count(State::Ok),
            count(self.count(State::Warning), "warning"),
            count(self.count(State::Problem), "problem"),
            self.count(State::NotChecked)
        ))
    }
}
