//! A linearizability checker for the histories of concurrent clients.
//!
//! A history is linearizable if every operation can be assigned one moment between its call and its
//! answer such that executing the operations in the order of these moments yields exactly the
//! recorded answers. An operation whose answer was lost may take effect at any moment after its
//! call, or never.
//!
//! The search is the algorithm of Wing and Gong (*Testing and verifying concurrent objects*, 1993),
//! which tries each operation that no other operation must precede. It caches visited
//! configurations as Lowe proposes (*Testing for linearizability*, 2017): a set of completed
//! operations together with the state they led to is tried only once. [`task`] contains the model
//! of a task.
//!
//! Two crates were considered and rejected. `todc-utils` (0.1.1) implements this search but refuses
//! a history with an unanswered call, which every fault produces, and does not report the
//! operations it cannot order. `stateright` (0.31) supports unanswered calls, at most one per
//! thread and only as its last; it caches no states, so it tries every order of concurrent
//! operations, and it depends on a whole model checker with a web server.

pub mod task;

use std::collections::HashSet;
use std::fmt::{self, Debug};
use std::hash::Hash;
use std::vec;

/// The sequential specification of an object.
pub trait Model {
    /// The state of the object between two operations.
    type State: Clone + Debug + Eq + Hash;
    /// An operation's input.
    type Action: Debug;
    /// An operation's output.
    type Outcome: Debug + PartialEq;

    /// Returns the state after the action, and the action's outcome. Returns `None` where the
    /// action is impossible in this state.
    fn apply(state: &Self::State, action: &Self::Action) -> Option<(Self::State, Self::Outcome)>;

    /// Returns whether the outcome has become impossible in this state and in every later one. A
    /// model that overrides this function lets the search backtrack early; otherwise every
    /// operation with an unknown outcome can double the search time.
    fn rules_out(_state: &Self::State, _outcome: &Self::Outcome) -> bool {
        false
    }
}

/// One operation of a history. Moments are unique numbers that increase with time.
#[derive(Debug, Clone)]
pub struct Operation<A, O> {
    /// The requested action.
    pub action: A,
    /// The moment of the call.
    pub called: u64,
    /// The moment and value of the answer. `None` if the answer is unknown: the action may then
    /// take effect at any moment after its call, or never.
    pub answered: Option<(u64, O)>,
}

impl<A, O> Operation<A, O> {
    /// Returns the last moment at which the operation can take effect.
    fn latest(&self) -> u64 {
        self.answered
            .as_ref()
            .map_or(u64::MAX, |(moment, _)| *moment)
    }
}

/// The operations of a history of this model.
pub type History<M> = [Operation<<M as Model>::Action, <M as Model>::Outcome>];

/// Searches for an order that explains the history, starting from the state `initial`.
///
/// # Errors
/// Returns a [`Violation`] if no such order exists.
pub fn check<M: Model>(initial: M::State, history: &History<M>) -> Result<(), Violation> {
    let mut operations: Vec<_> = history.iter().collect();
    operations.sort_by_key(|operation| operation.called);
    let answered = operations
        .iter()
        .filter(|operation| operation.answered.is_some())
        .count();
    let none_done = Set::empty(operations.len());
    let first = Step::<M>::new(none_done, initial, answered, &operations);
    let mut violation = first.violation(&operations, 0);
    let mut path = vec![first];
    let mut tried = HashSet::new();
    while let Some(step) = path.last_mut() {
        if step.left == 0 {
            return Ok(());
        }
        let Some(index) = step.candidates.next() else {
            // The dead end that explains the most answers is the most informative one.
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

/// A node of the search: the operations ordered so far and the state they led to.
struct Step<M: Model> {
    done: Set,
    state: M::State,
    /// The number of answered operations that are not ordered yet.
    left: usize,
    /// The operations that can come next and have not been tried yet.
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

    /// Returns the node after the operation, if the operation is possible here and changes
    /// anything.
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

    /// Returns whether an answered operation that is still to be ordered has become impossible.
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

/// Returns the operations that may come next: those called before any remaining one was answered.
/// They are tried in the order of their answers, unanswered ones last, because that order is the
/// most likely one.
fn candidates<A, O>(done: &Set, operations: &[&Operation<A, O>]) -> Vec<usize> {
    let mut earliest_answer = u64::MAX;
    let mut candidates: Vec<_> = operations
        .iter()
        .enumerate()
        .filter(|(index, _)| !done.contains(*index))
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

/// A set of indices, stored as bits.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Set(Box<[u64]>);

impl Set {
    fn empty(capacity: usize) -> Self {
        Self(vec![0; capacity.div_ceil(64)].into())
    }

    fn contains(&self, index: usize) -> bool {
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

/// A history that no order explains: the longest partial order, and the operations that cannot
/// extend it.
#[derive(Debug)]
pub struct Violation {
    /// The number of answers that the partial order explains.
    pub explained: usize,
    /// The state after the partial order.
    pub state: String,
    /// The operations that could come next, each of which contradicts its answer.
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
