//! Turns places into lines.
//!
//! Boxes and labels stand in rows, and the library says where an arrow passes through the rows that lie between its two
//! boxes. Within a row an arrow goes straight up or down, and it swerves only in the gap between two rows, so it crosses
//! no box and no label of another one.

use super::placement::{Link, Placement};
use std::collections::BTreeMap;

/// A place in the drawing, in its units; `y` grows downwards.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// How large something is, in the units of the drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A part of a line. It begins where the one before it ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Part {
    /// Straight up or down.
    Straight { to: Point },
    /// From one column to another; upright at both ends.
    Swerve { to: Point },
    /// Out of the right side of a box, and back into it.
    Loop { reach: f64, to: Point },
}

/// The line of an arrow.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Route {
    pub(super) begin: Point,
    pub(super) parts: Vec<Part>,
}

impl Part {
    pub(super) fn end(&self) -> Point {
        match self {
            Part::Straight { to } | Part::Swerve { to } | Part::Loop { to, .. } => *to,
        }
    }
}

/// The least distance between two arrows at the side of a box, and from its corners.
const BETWEEN_PORTS: f64 = 16.0;
/// How far an arrow goes straight before and behind a row, so that its head is upright.
const ROW_MARGIN: f64 = 9.0;
/// Half the height of a loop.
const LOOP_HALF: f64 = 11.0;
/// How far a loop without a label reaches, and the distance of a loop from its label.
const LOOP_REACH: f64 = 26.0;
const BEFORE_LABEL: f64 = 3.0;

/// The lines of all arrows.
pub(super) fn routes(boxes: &[Size], links: &[Link], placement: &Placement) -> Vec<Route> {
    let rows = Rows::new(boxes, links, placement);
    let ports = ports(boxes, links, placement);
    let route = |(place, link): (usize, &Link)| {
        let passes = placement.links.get(place).map_or(&[][..], |placed| &placed.passes);
        if link.from == link.to || passes.is_empty() {
            return own_loop(place, link, boxes, placement);
        }
        let port = |end: End| ports.get(&(place, end)).copied().unwrap_or_default();
        let (begin, end) = (port(End::From), port(End::To));
        let mut line = Line { at: begin, parts: Vec::new() };
        let down = begin.y < end.y;
        let side = |row: (f64, f64), entry: bool| if down == entry { row.0 } else { row.1 };
        line.straight(side(rows.around(middle(placement, link.from).y), false));
        for pass in passes {
            let row = rows.around(pass.y);
            line.swerve(Point { x: pass.x, y: side(row, true) });
            line.straight(side(row, false));
        }
        line.swerve(Point { x: end.x, y: side(rows.around(middle(placement, link.to).y), true) });
        line.straight(end.y);
        Route { begin, parts: line.parts }
    };
    links.iter().enumerate().map(route).collect()
}

fn middle(placement: &Placement, place: usize) -> Point {
    placement.boxes.get(place).copied().unwrap_or_default()
}

struct Line {
    at: Point,
    parts: Vec<Part>,
}

impl Line {
    fn straight(&mut self, y: f64) {
        self.go(Part::Straight { to: Point { x: self.at.x, y } });
    }

    fn swerve(&mut self, to: Point) {
        self.go(if to.x == self.at.x { Part::Straight { to } } else { Part::Swerve { to } });
    }

    fn go(&mut self, part: Part) {
        if part.end() == self.at {
            return;
        }
        self.at = part.end();
        match (self.parts.last_mut(), part) {
            (Some(Part::Straight { to: last }), Part::Straight { to }) => *last = to,
            _ => self.parts.push(part),
        }
    }
}

/// The top and the bottom of each row, with a margin, by the `y` of its middle.
struct Rows {
    halves: BTreeMap<i64, f64>,
}

impl Rows {
    fn new(boxes: &[Size], links: &[Link], placement: &Placement) -> Rows {
        let mut rows = Rows { halves: BTreeMap::new() };
        for (point, size) in placement.boxes.iter().zip(boxes) {
            rows.add(point.y, size.height);
        }
        for (placed, link) in placement.links.iter().zip(links) {
            if let (Some(point), Some(size)) = (placed.label, link.label) {
                rows.add(point.y, size.height);
            }
        }
        rows
    }

    fn add(&mut self, y: f64, height: f64) {
        let half = self.halves.entry(row(y)).or_default();
        *half = half.max(height / 2.0);
    }

    fn around(&self, y: f64) -> (f64, f64) {
        let half = self.halves.get(&row(y)).copied().unwrap_or_default();
        (y - half - ROW_MARGIN, y + half + ROW_MARGIN)
    }
}

/// The library computes the `y` of a row once, yet shifts its members one by one.
#[expect(clippy::cast_possible_truncation, reason = "a drawing is not 10^17 units high")]
fn row(y: f64) -> i64 {
    (y * 10.0).round() as i64
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    From,
    To,
}

/// Where arrows meet their boxes: as near as possible below or above where they go, in the same order, and apart.
fn ports(boxes: &[Size], links: &[Link], placement: &Placement) -> BTreeMap<(usize, End), Point> {
    // What meets the upper or the lower side of a box, with the column where it comes from.
    type Wanted = Vec<(f64, usize, End)>;
    let mut sides: BTreeMap<(usize, bool), Wanted> = BTreeMap::new();
    for (place, (link, placed)) in links.iter().zip(&placement.links).enumerate() {
        let ends = [(link.from, placed.passes.first(), End::From), (link.to, placed.passes.last(), End::To)];
        for (place_of_box, pass, end) in ends {
            if let Some(pass) = pass {
                let below = pass.y > middle(placement, place_of_box).y;
                sides.entry((place_of_box, below)).or_default().push((pass.x, place, end));
            }
        }
    }
    let mut ports = BTreeMap::new();
    for ((place_of_box, below), mut wanted) in sides {
        wanted.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let middle = middle(placement, place_of_box);
        let size = boxes.get(place_of_box).copied().unwrap_or(Size { width: 0.0, height: 0.0 });
        let y = if below { middle.y + size.height / 2.0 } else { middle.y - size.height / 2.0 };
        let columns = spread(wanted.iter().map(|(x, ..)| *x), middle.x, size.width);
        for ((_, place, end), x) in wanted.into_iter().zip(columns) {
            ports.insert((place, end), Point { x, y });
        }
    }
    ports
}

/// Moves sorted columns into a side of this middle and width, as little as possible and apart.
fn spread(wanted: impl ExactSizeIterator<Item = f64>, middle: f64, width: f64) -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a file of 4 MiB has fewer arrows than 2^52")]
    let count = wanted.len() as f64;
    let gap = BETWEEN_PORTS.min(width / (count + 1.0));
    let (left, right) = (middle - width / 2.0 + gap, middle + width / 2.0 - gap);
    let mut columns: Vec<f64> = Vec::with_capacity(wanted.len());
    for x in wanted {
        let free = columns.last().map_or(left, |last| last + gap);
        columns.push(x.max(free));
    }
    let mut free = right;
    for x in columns.iter_mut().rev() {
        *x = x.min(free);
        free = *x - gap;
    }
    columns
}

/// A transition from a step to itself, between the box and its label.
fn own_loop(place: usize, link: &Link, boxes: &[Size], placement: &Placement) -> Route {
    let middle = middle(placement, link.from);
    let right = middle.x + boxes.get(link.from).map_or(0.0, |size| size.width / 2.0);
    let label = placement.links.get(place).and_then(|placed| placed.label).zip(link.label);
    let reach = label.map_or(LOOP_REACH, |(at, size)| at.x - size.width / 2.0 - BEFORE_LABEL - right);
    Route {
        begin: Point { x: right, y: middle.y - LOOP_HALF },
        parts: vec![Part::Loop { reach, to: Point { x: right, y: middle.y + LOOP_HALF } }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_move_no_further_than_they_must() {
        let spread = |wanted: &[f64]| spread(wanted.iter().copied(), 100.0, 100.0);
        assert_eq!(spread(&[90.0, 120.0]), [90.0, 120.0]);
        assert_eq!(spread(&[100.0, 101.0]), [100.0, 116.0]);
        assert_eq!(spread(&[-50.0, -40.0]), [66.0, 82.0]);
        assert_eq!(spread(&[400.0, 500.0]), [118.0, 134.0]);
        let crowded = spread(&[100.0; 99]);
        assert_eq!((crowded[0].round(), crowded[98].round()), (51.0, 149.0));
        assert!(crowded.is_sorted_by(|one, other| one < other));
    }

    #[test]
    fn straight_parts_become_one() {
        let mut line = Line { at: Point::default(), parts: Vec::new() };
        line.straight(0.0);
        line.straight(5.0);
        line.swerve(Point { x: 0.0, y: 9.0 });
        line.swerve(Point { x: 4.0, y: 12.0 });
        let (down, aside) = (Point { x: 0.0, y: 9.0 }, Point { x: 4.0, y: 12.0 });
        assert_eq!(line.parts, [Part::Straight { to: down }, Part::Swerve { to: aside }]);
    }
}
