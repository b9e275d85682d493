//! Whether some order explains what concurrent clients saw: a check of linearizability.
//!
//! A history is linearizable if each operation can be given one moment between its call and its
//! answer, such that all of them, done one after another at those moments, give just the answers that
//! the clients had. An operation whose answer was lost may have its moment at any time after its
//! call, or never.
//!
//! The search is that of Wing and Gong (*Testing and verifying concurrent objects*, 1993), which
//! tries each operation that no other one must precede, with the addition of Lowe (*Testing for
//! linearizability*, 2017) that a set of operations that has led to a state once is not tried again.
//! [`task`] has the model of what is checked here.
//!
//! Two crates were considered and not taken. `todc-utils` (0.1.1) does this search, but refuses a
//! history with a call that was never answered, which is what every fault leaves behind, and does not
//! say what could not be explained. `stateright` (0.31) knows calls without an answer, at most one for each
//! thread and as its last; but it remembers no state, so it tries every order of what ran at once, and
//! it brings a whole model checker with a web server.

pub mod task;

use std::collections::HashSet;
use std::fmt::{self, Debug};
use std::hash::Hash;
use std::vec;

/// What an object does when one operation is done after another.
pub trait Model {
    /// What the object is between two operations.
    type State: Clone + Debug + Eq + Hash;
    /// What is asked of it.
    type Action: Debug;
    /// What it answers.
    type Outcome: Debug + PartialEq;

    /// What the action makes of the state, and what is answered. None where it cannot happen there.
    fn apply(state: &Self::State, action: &Self::Action) -> Option<(Self::State, Self::Outcome)>;

    /// Whether nothing can be answered so any more, whatever is done from this state on. A model that
    /// knows lets the search turn back early: without it, every operation of unknown outcome can
    /// double the time of the search.
    fn rules_out(_state: &Self::State, _outcome: &Self::Outcome) -> bool {
        false
    }
}

/// One operation of a history. Moments are numbers that grow with time, none of them used twice.
#[derive(Debug, Clone)]
pub struct Operation<A, O> {
    /// What was asked.
    pub action: A,
    /// When it was asked.
    pub called: u64,
    /// When it was answered, and what. None where that is unknown for ever: then the action may have
    /// its effect at any time after its call, or never.
    pub answered: Option<(u64, O)>,
}

impl<A, O> Operation<A, O> {
    /// What it did is done by then.
    fn latest(&self) -> u64 {
        self.answered
            .as_ref()
            .map_or(u64::MAX, |(moment, _)| *moment)
    }
}

/// The operations of a history with this model.
pub type History<M> = [Operation<<M as Model>::Action, <M as Model>::Outcome>];

/// Finds an order that explains the history, whose object was in the state `initial` before it.
///
/// # Errors
/// [`Violation`], if there is no such order.
pub fn check<M: Model>(initial: M::State, history: &History<M>) -> Result<(), Violation> {
    let mut operations: Vec<_> = history.iter().collect();
    operations.sort_by_key(|operation| operation.called);
    let answered = operations
        .iter()
        .filter(|operation| operation.answered.is_some())
        .count();
    let nothing = Set::empty(operations.len());
    let first = Step::<M>::new(nothing, initial, answered, &operations);
    let mut violation = first.violation(&operations, 0);
    let mut path = vec![first];
    let mut tried = HashSet::new();
    while let Some(step) = path.last_mut() {
        if step.left == 0 {
            return Ok(());
        }
        let Some(index) = step.candidates.next() else {
            // A dead end. The one that explains most tells most.
            let explained = answered - step.left;
            if violation.explained < explained {
                violation = step.violation(&operations, explained);
            }
            path.pop();
            continue;
        };
        let next = operations
            .get(index)
            .and_then(|operation| step.after(index, operation));
        if let Some((done, state, left)) = next
            && tried.insert((done.clone(), state.clone()))
        {
            let next = Step::new(done, state, left, &operations);
            if !next.is_hopeless(&operations) {
                path.push(next);
            }
        }
    }
    Err(violation)
}

/// The operations on a way through the history so far, and where they have led.
struct Step<M: Model> {
    done: Set,
    state: M::State,
    /// How many operations with an answer are not done yet.
    left: usize,
    /// What can be done next and was not tried yet.
    candidates: vec::IntoIter<usize>,
}

impl<M: Model> Step<M> {
    fn new(
        done: Set,
        state: M::State,
        left: usize,
        operations: &[&Operation<M::Action, M::Outcome>],
    ) -> Self {
        let candidates = candidates(&done, operations).into_iter();
        Self {
            done,
            state,
            left,
            candidates,
        }
    }

    /// Where the operation leads, if it can be done here and changes anything.
    fn after(
        &self,
        index: usize,
        operation: &Operation<M::Action, M::Outcome>,
    ) -> Option<(Set, M::State, usize)> {
        let (state, outcome) = M::apply(&self.state, &operation.action)?;
        let left = match &operation.answered {
            Some((_, answer)) if *answer == outcome => self.left - 1,
            None if state != self.state => self.left,
            _ => return None,
        };
        Some((self.done.with(index), state, left))
    }

    /// Whether an operation that is still to be done cannot be, ever.
    fn is_hopeless(&self, operations: &[&Operation<M::Action, M::Outcome>]) -> bool {
        let mut answers = self
            .candidates
            .as_slice()
            .iter()
            .filter_map(|index| operations.get(*index)?.answered.as_ref());
        answers.any(|(_, outcome)| M::rules_out(&self.state, outcome))
    }

    fn violation(
        &self,
        operations: &[&Operation<M::Action, M::Outcome>],
        explained: usize,
    ) -> Violation {
        Violation {
            explained,
            state: format!("{:?}", self.state),
            next: candidates(&self.done, operations)
                .into_iter()
                .filter_map(|index| operations.get(index))
                .map(|operation| format!("{operation:?}"))
                .collect(),
        }
    }
}

/// The operations that may be next: called before any other had to be over. What was answered first
/// comes first, what was never answered last, since that is most often how it was.
fn candidates<A, O>(done: &Set, operations: &[&Operation<A, O>]) -> Vec<usize> {
    let mut earliest_answer = u64::MAX;
    let mut candidates: Vec<_> = operations
        .iter()
        .enumerate()
        .filter(|(index, _)| !done.holds(*index))
        .take_while(|(_, operation)| {
            let in_time = operation.called < earliest_answer;
            earliest_answer = earliest_answer.min(operation.latest());
            in_time
        })
        .map(|(index, operation)| (operation.latest(), index))
        .collect();
    candidates.sort_unstable();
    candidates.into_iter().map(|(_, index)| index).collect()
}

/// A set of indices, as bits.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Set(Box<[u64]>);

impl Set {
    fn empty(room: usize) -> Self {
        Self(vec![0; room.div_ceil(64)].into())
    }

    fn holds(&self, index: usize) -> bool {
        self.0
            .get(index / 64)
            .is_some_and(|bits| bits >> (index % 64) & 1 == 1)
    }

    fn with(&self, index: usize) -> Self {
        let mut set = self.clone();
        if let Some(bits) = set.0.get_mut(index / 64) {
            *bits |= 1 << (index % 64);
        }
        set
    }
}

/// A history that no order explains: the best attempt at it, and where that got stuck.
#[derive(Debug)]
pub struct Violation {
    /// How many of the answers it explains.
    pub explained: usize,
    /// The state that it led to.
    pub state: String,
    /// The operations of which one would have to be next; none of them can be.
    pub next: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            explained,
            state,
            next,
        } = self;
        writeln!(
            f,
            "after {explained} answers, in the state {state}, none of these can have been next:"
        )?;
        next.iter()
            .try_for_each(|operation| writeln!(f, "  {operation}"))
    }
}

impl std::error::Error for Violation {}
