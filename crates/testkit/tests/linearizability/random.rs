//! Random histories, both valid and arbitrary.

use proptest::prelude::*;
use taskhold_testkit::linearizability::task::{
    Action, Change, Outcome, Shown, TaskModel, TaskState,
};
use taskhold_testkit::linearizability::{History, Model, Operation, check};

use super::{TaskOperation, check_history, created, set_title, task_view, unanswered};

/// Simulates clients of one correct task. `random` selects the client of each step, its request and
/// the answers that are lost.
fn simulate(random: &[u32]) -> Vec<TaskOperation> {
    const CLIENTS: usize = 8;
    let mut history = vec![created()];
    let (mut state, _) = TaskModel::apply(&TaskState::NotCreated, &history[0].action).unwrap();
    // The operation that each client waits for, and its outcome once it has taken effect.
    let mut waiting: [Option<(usize, Option<Outcome>)>; CLIENTS] = Default::default();
    for (moment, number) in (2..).zip(random) {
        let (client, number) = (*number as usize % CLIENTS, number / 8);
        waiting[client] = match waiting[client].take() {
            None => {
                let if_match = (number % 3 == 0).then_some(u64::from(number / 8 % 40));
                let action = match number / 1024 % 32 {
                    0..10 => Action::Read,
                    10..20 => set_title(&number.to_string(), if_match),
                    _ => Action::Change {
                        change: Change::Toggle,
                        if_match,
                    },
                };
                history.push(unanswered(moment, action));
                Some((history.len() - 1, None))
            }
            // The answer is lost before or after the operation takes effect.
            Some(_) if number % 64 == 0 => None,
            Some((index, None)) => {
                let (next, outcome) = TaskModel::apply(&state, &history[index].action).unwrap();
                state = next;
                Some((index, Some(outcome)))
            }
            Some((index, Some(outcome))) => {
                history[index].answered = Some((moment, outcome));
                None
            }
        };
    }
    history
}

/// One bit that can be read and flipped. Its few states make arbitrary answers likely to be valid.
enum Switch {}

impl Model for Switch {
    type State = bool;
    /// Whether to flip the bit.
    type Action = bool;
    type Outcome = bool;

    fn apply(on: &bool, flip: &bool) -> Option<(bool, bool)> {
        Some((on ^ flip, on ^ flip))
    }
}

/// Applies the definition: searches for any order of the answered operations and some of the
/// others.
fn is_linearizable_by_definition<M: Model>(
    initial: &M::State,
    history: &History<M>,
    order: &mut Vec<usize>,
) -> bool {
    let is_complete =
        (0..history.len()).all(|index| order.contains(&index) || history[index].answered.is_none());
    if is_complete
        && respects_real_time(order, history)
        && follows_model::<M>(initial, history, order)
    {
        return true;
    }
    (0..history.len()).any(|index| {
        !order.contains(&index) && {
            order.push(index);
            let found = is_linearizable_by_definition::<M>(initial, history, order);
            order.pop();
            found
        }
    })
}

fn respects_real_time<A, O>(order: &[usize], history: &[Operation<A, O>]) -> bool {
    order.iter().enumerate().all(|(place, earlier)| {
        order[place..]
            .iter()
            .all(|later| match &history[*later].answered {
                Some((moment, _)) => *moment > history[*earlier].called,
                None => true,
            })
    })
}

fn follows_model<M: Model>(initial: &M::State, history: &History<M>, order: &[usize]) -> bool {
    let mut state = initial.clone();
    order.iter().all(|index| {
        let Operation {
            action, answered, ..
        } = &history[*index];
        let Some((next, outcome)) = M::apply(&state, action) else {
            return false;
        };
        state = next;
        answered
            .as_ref()
            .is_none_or(|(_, answer)| *answer == outcome)
    })
}

/// Returns concurrent operations with arbitrary answers or none. Each operation uses two moments.
fn arbitrary_history<A: Clone, O: Clone>(
    moments: &[u64],
    operations: &[(A, Option<O>)],
) -> Vec<Operation<A, O>> {
    moments
        .chunks(2)
        .zip(operations)
        .map(|(moments, (action, outcome))| Operation {
            action: action.clone(),
            called: moments[0].min(moments[1]),
            answered: outcome
                .clone()
                .map(|outcome| (moments[0].max(moments[1]), outcome)),
        })
        .collect()
}

/// Generates moments for five operations.
fn moments() -> impl Strategy<Value = Vec<u64>> {
    Just((2..12).collect::<Vec<u64>>()).prop_shuffle()
}

fn action() -> impl Strategy<Value = Action> {
    let if_match = prop::option::weighted(0.3, 1..4_u64);
    prop_oneof![
        2 => Just(Action::Read),
        1 => Just(Action::List),
        1 => if_match.clone().prop_map(|if_match| Action::Delete { if_match }),
        3 => if_match.prop_map(|if_match| Action::Change { change: Change::Toggle, if_match }),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let task = (1..4_u64).prop_map(|version| task_view("first", version % 2 == 0, version));
    prop_oneof![
        6 => task.clone().prop_map(Outcome::Shown),
        1 => task.clone().prop_map(Outcome::Stale),
        1 => task.prop_map(|Shown { title, completed, .. }| Outcome::Listed { title, completed }),
        1 => Just(Outcome::Missing),
        1 => Just(Outcome::Deleted),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn valid_history_is_linearizable(
        random in prop::collection::vec(any::<u32>(), 0..1500),
    ) {
        let history = simulate(&random);
        prop_assert!(check_history(&history).is_ok());
    }

    #[test]
    fn swapped_answers_are_detected(random in prop::collection::vec(any::<u32>(), 100..1500)) {
        let mut history = simulate(&random);
        let changes: Vec<_> = (0..history.len())
            .filter(|index| matches!(
                (&history[*index].action, &history[*index].answered),
                (Action::Change { .. }, Some((_, Outcome::Shown(_))))
            ))
            .collect();
        let pair = changes.iter().find_map(|first| {
            let over = history[*first].answered.as_ref()?.0;
            let second = changes.iter().find(|second| history[**second].called > over)?;
            Some((*first, *second))
        });
        prop_assume!(pair.is_some());
        let (first, second) = pair.unwrap();
        let outcome = |index: usize| history[index].answered.as_ref().unwrap().1.clone();
        let (one, other) = (outcome(first), outcome(second));
        history[first].answered.as_mut().unwrap().1 = other;
        history[second].answered.as_mut().unwrap().1 = one;
        prop_assert!(check_history(&history).is_err());
    }

    #[test]
    fn check_agrees_with_brute_force(
        moments in moments(),
        operations in prop::collection::vec((any::<bool>(), any::<Option<bool>>()), 1..6),
    ) {
        let history = arbitrary_history(&moments, &operations);
        let explained = is_linearizable_by_definition::<Switch>(&false, &history, &mut Vec::new());
        prop_assert_eq!(check::<Switch>(false, &history).is_ok(), explained);
    }

    #[test]
    fn check_agrees_with_brute_force_on_tasks(
        moments in moments(),
        operations in prop::collection::vec((action(), prop::option::weighted(0.7, outcome())), 1..6),
    ) {
        let history = arbitrary_history(&moments, &operations);
        let created_task = TaskState::Present(task_view("first", false, 1));
        let explained = is_linearizable_by_definition::<TaskModel>(&created_task, &history, &mut Vec::new());
        prop_assert_eq!(check::<TaskModel>(created_task, &history).is_ok(), explained);
    }
}
