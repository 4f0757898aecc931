//! The order of a waiting line: who is next for which scale, and where somebody is put who does not simply join its end.
//!
//! A place is a number, lowest first. Numbers that drivers were shown have no part in it: they never change.

/// What a truck comes for, as far as a scale may mind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// `IN` or `OUT`; none: either.
    pub direction: Option<String>,
    pub product_id: Option<i64>,
}

/// What a scale takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takes {
    pub directions: Vec<String>,
    /// All where it is empty.
    pub product_ids: Vec<i64>,
}

/// One who waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    pub id: i64,
    pub position: f64,
    /// Was let in before the others, for a reason.
    pub priority: bool,
    pub wish: Wish,
}

/// Where somebody is put.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spot {
    At(f64),
    /// Between two places that lie too close together: the line is [spaced](spaced) first.
    NoRoom,
}

impl Takes {
    /// A truck that does not say what it comes for goes to any scale.
    pub fn takes(&self, wish: &Wish) -> bool {
        let direction = wish.direction.as_ref();
        let product = wish.product_id.as_ref();
        direction.is_none_or(|direction| self.directions.contains(direction))
            && product.is_none_or(|product| self.product_ids.is_empty() || self.product_ids.contains(product))
    }
}

/// The first of a line, in its order, whom the scale takes.
pub fn first_for<'a>(takes: &Takes, line: &'a [Waiting]) -> Option<&'a Waiting> {
    line.iter().find(|waiting| takes.takes(&waiting.wish))
}

/// Before everyone. `own` is the place of who is put there, kept where nobody else waits.
pub fn head(line: &[Waiting], own: f64) -> f64 {
    line.first().map_or(own, |first| own.min(first.position - 1.0))
}

/// Behind everyone. `own` is the place of who joins, kept where nobody was moved beyond it.
pub fn tail(line: &[Waiting], own: f64) -> f64 {
    line.last().map_or(own, |last| own.max(last.position + 1.0))
}

/// Right behind an entry of the line; none where it does not wait there.
pub fn behind(line: &[Waiting], after_id: i64) -> Option<Spot> {
    let at = line.iter().position(|waiting| waiting.id == after_id)?;
    let before = line.get(at)?.position;
    let Some(next) = line.get(at + 1) else {
        return Some(Spot::At(before + 1.0));
    };
    let middle = f64::midpoint(before, next.position);
    let fits = before < middle && middle < next.position;
    Some(if fits { Spot::At(middle) } else { Spot::NoRoom })
}

/// For one who goes before the others: behind those who do so already, in the order in which they came.
pub fn for_priority(line: &[Waiting], own: f64) -> Spot {
    match line.iter().rev().find(|waiting| waiting.priority) {
        Some(last) => behind(line, last.id).unwrap_or(Spot::NoRoom),
        None => Spot::At(head(line, own)),
    }
}

/// The same order with room between all; nobody comes to stand behind where the last stood, for there the next will join.
pub fn spaced(line: &[Waiting]) -> Vec<(i64, f64)> {
    let last = line.last().map_or(0.0, |last| last.position);
    let mut places: Vec<_> = (line.iter().rev())
        .scan(last, |place, waiting| {
            let here = *place;
            *place -= 1.0;
            Some((waiting.id, here))
        })
        .collect();
    places.reverse();
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn waiting(id: i64, position: f64) -> Waiting {
        Waiting {
            id,
            position,
            priority: false,
            wish: Wish::default(),
        }
    }

    fn takes(directions: &[&str], product_ids: &[i64]) -> Takes {
        Takes {
            directions: directions.iter().map(|name| (*name).to_owned()).collect(),
            product_ids: product_ids.to_vec(),
        }
    }

    fn wish(direction: Option<&str>, product_id: Option<i64>) -> Wish {
        Wish {
            direction: direction.map(str::to_owned),
            product_id,
        }
    }

    #[test]
    fn a_scale_takes_what_it_says_and_who_does_not_say() {
        let inward = takes(&["IN"], &[7]);
        assert!(inward.takes(&wish(None, None)));
        assert!(inward.takes(&wish(Some("IN"), Some(7))));
        assert!(!inward.takes(&wish(Some("OUT"), Some(7))));
        assert!(!inward.takes(&wish(Some("IN"), Some(8))));
        assert!(takes(&["IN", "OUT"], &[]).takes(&wish(Some("OUT"), Some(8))));
    }

    #[test]
    fn the_first_whom_a_scale_takes_is_next() {
        let mut line = [waiting(1, 1.0), waiting(2, 2.0), waiting(3, 3.0)];
        line[0].wish = wish(Some("OUT"), None);
        let next = |directions: &[&str]| first_for(&takes(directions, &[]), &line).map(|next| next.id);
        assert_eq!(next(&["IN", "OUT"]), Some(1));
        assert_eq!(next(&["IN"]), Some(2));
        assert_eq!(first_for(&takes(&["IN"], &[]), &line[..1]), None);
    }

    #[test]
    fn who_has_priority_stands_behind_those_who_have_it_and_before_the_others() {
        let mut line = [waiting(1, 1.0), waiting(2, 2.0)];
        assert_eq!(for_priority(&line, 9.0), Spot::At(0.0));
        line[0].priority = true;
        assert_eq!(for_priority(&line, 9.0), Spot::At(1.5));
        assert_eq!(for_priority(&[], 9.0), Spot::At(9.0));
    }

    #[test]
    fn who_joins_stands_behind_whoever_was_moved_to_the_end() {
        let mut line = vec![waiting(1, 1.0), waiting(2, 2.0), waiting(3, 3.0)];
        assert_eq!(Spot::At(tail(&line, 4.0)), Spot::At(4.0));
        for id in [1, 2] {
            let last = line.last().unwrap().id;
            let Some(Spot::At(place)) = behind(&line, last) else {
                panic!("no room at the end")
            };
            line.retain(|waiting| waiting.id != id);
            line.push(waiting(id, place));
        }
        assert!(tail(&line, 4.0) > line.last().unwrap().position);
        assert_eq!(Spot::At(tail(&[], 4.0)), Spot::At(4.0));
    }

    #[test]
    fn a_place_between_two_that_touch_is_made_by_spacing_the_line() {
        let line = [waiting(1, 1.0), waiting(2, 1.0 + f64::EPSILON), waiting(3, 5.0)];
        assert_eq!(behind(&line, 1), Some(Spot::NoRoom));
        assert_eq!(behind(&line, 9), None);
        assert_eq!(spaced(&line), [(1, 3.0), (2, 4.0), (3, 5.0)]);
    }

    proptest! {
        /// However often somebody is moved, everybody stands where he was put.
        #[test]
        fn a_moved_entry_stands_where_it_was_put(moves in proptest::collection::vec((0usize..6, 0usize..7), 1..120)) {
            let mut line: Vec<Waiting> = (1i32..=6).map(|n| waiting(i64::from(n), f64::from(n))).collect();
            let mut order: Vec<i64> = (1..=6).collect();
            for (who, to) in moves {
                let id = order.remove(who);
                let moved_at = line.iter().position(|waiting| waiting.id == id).unwrap();
                let mut moved = line.remove(moved_at);
                let to = to.min(order.len());
                let spot = |line: &[Waiting]| match to.checked_sub(1) {
                    None => Spot::At(head(line, moved.position)),
                    Some(before) => behind(line, order[before]).unwrap(),
                };
                if spot(&line) == Spot::NoRoom {
                    for ((_, place), waiting) in spaced(&line).into_iter().zip(&mut line) {
                        waiting.position = place;
                    }
                }
                let Spot::At(position) = spot(&line) else { panic!("still no room") };
                moved.position = position;
                line.push(moved);
                line.sort_by(|a, b| a.position.total_cmp(&b.position).then(a.id.cmp(&b.id)));
                order.insert(to, id);
                prop_assert_eq!(line.iter().map(|waiting| waiting.id).collect::<Vec<_>>(), order.clone());
            }
        }
    }
}
