//! Those who wait for something, lane by lane. At any time one at most sees to a lane.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lanes `L` in which some `T` wait. A lane is here as long as somebody sees to it.
pub(crate) struct Lanes<L, T> {
    waiting: Mutex<HashMap<L, VecDeque<T>>>,
}

impl<L, T> Default for Lanes<L, T> {
    fn default() -> Self {
        Self { waiting: Mutex::default() }
    }
}

impl<L: Clone + Eq + Hash, T> Lanes<L, T> {
    fn waiting(&self) -> MutexGuard<'_, HashMap<L, VecDeque<T>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts somebody in a lane; true: nobody sees to it yet, and whoever asks must.
    pub(crate) fn put(&self, lane: &L, one: T) -> bool {
        match self.waiting().entry(lane.clone()) {
            Entry::Occupied(mut some) => {
                some.get_mut().push_back(one);
                false
            }
            Entry::Vacant(nobody) => {
                nobody.insert(VecDeque::from([one]));
                true
            }
        }
    }

    /// Takes those of a lane who are next, `most` of them at most; who may not join those before him keeps his place.
    pub(crate) fn next(&self, lane: &L, most: usize, mut joins: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut lanes = self.waiting();
        let Some(waiting) = lanes.get_mut(lane) else { return Vec::new() };
        let (mut next, mut aside) = (Vec::with_capacity(waiting.len().min(most)), Vec::new());
        while next.len() < most
            && let Some(one) = waiting.pop_front()
        {
            let list = if joins(&one) { &mut next } else { &mut aside };
            list.push(one);
        }
        aside.into_iter().rev().for_each(|one| waiting.push_front(one));
        next
    }

    /// Whoever saw to a lane leaves it. Returns what `of` says of somebody who waits there still: whoever asks must see to it
    /// that somebody sees to the lane further.
    pub(crate) fn leave<R>(&self, lane: &L, of: impl FnOnce(&T) -> R) -> Option<R> {
        let mut lanes = self.waiting();
        let next = lanes.get(lane)?.front().map(of);
        if next.is_none() {
            lanes.remove(lane);
        }
        next
    }

    /// Nobody can see to a lane any more: who waits there is dropped.
    pub(crate) fn give_up(&self, lane: &L) {
        // Not under the lock: whom it wakes is not ours to know.
        let given_up = self.waiting().remove(lane);
        drop(given_up);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(upto: u32) -> Lanes<&'static str, u32> {
        let lanes = Lanes::default();
        for number in 1..=upto {
            assert_eq!(lanes.put(&"lane", number), number == 1, "who comes first sees to it");
        }
        lanes
    }

    #[test]
    fn those_who_are_next_come_in_order_and_not_too_many() {
        let lanes = numbers(5);
        assert_eq!(lanes.next(&"lane", 3, |_| true), [1, 2, 3]);
        assert_eq!(lanes.leave(&"lane", |first| *first), Some(4), "somebody must go on");
        assert!(!lanes.put(&"lane", 6), "and somebody does");
        assert_eq!(lanes.next(&"lane", 9, |_| true), [4, 5, 6]);
        assert!(lanes.next(&"lane", 9, |_| true).is_empty());
    }

    #[test]
    fn who_may_not_join_keeps_his_place() {
        let lanes = numbers(6);
        assert_eq!(lanes.next(&"lane", 2, |number| number % 3 == 0), [3, 6]);
        assert_eq!(lanes.next(&"lane", 2, |_| true), [1, 2]);
        assert_eq!(lanes.next(&"lane", 2, |_| true), [4, 5]);
    }

    #[test]
    fn a_lane_where_nobody_waits_is_forgotten_by_who_leaves_it() {
        let lanes = numbers(1);
        assert!(lanes.put(&"another", 1));
        assert_eq!(lanes.next(&"lane", 9, |_| true), [1]);
        assert_eq!(lanes.leave(&"lane", |first| *first), None);
        assert_eq!(lanes.waiting().len(), 1);
        assert!(lanes.put(&"lane", 2), "whoever comes now sees to it");
    }

    #[test]
    fn who_is_given_up_is_let_go_and_the_next_one_begins_anew() {
        let lanes = Lanes::default();
        let one = std::sync::Arc::new(());
        assert!(lanes.put(&"lane", one.clone()));
        lanes.give_up(&"lane");
        assert_eq!(std::sync::Arc::strong_count(&one), 1);
        assert!(lanes.put(&"lane", one));
    }
}
