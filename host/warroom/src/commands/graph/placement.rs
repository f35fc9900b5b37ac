//! Has a library place boxes, labels and the bends of arrows: `dugong`, a port of dagre, which draws Mermaid's flowcharts.
//!
//! Why this library: it makes room for labels and leads long arrows around boxes, which `layout-rs` and `rust-sugiyama` do
//! not; it counts its work, so that a tangle ends in an error instead of minutes (the port `dagre` does not, and took 20
//! times as long for 100 steps); it is deterministic; and nearly all that it depends on is in the program anyway.

use super::route::{Point, Size};
use super::span::rows_passed;
use dugong::graphlib::{EdgeKey, Graph, GraphOptions};
use dugong::{EdgeLabel, GraphLabel, LabelPos, LayoutError, NodeLabel, WorkControl, WorkError};

/// How much work one drawing may take, in the library's units: about two seconds. A chain of 1,000 steps takes half a
/// million.
const WORK_MAX: usize = 30_000_000;
/// How many rows the arrows of one drawing may pass through: what the library counts late, since it has spent 200 MB on
/// these by then. 200 steps that all lead to the same last one pass through 40,000.
const ROWS_PASSED_MAX: usize = 100_000;

const BETWEEN_BOXES: f64 = 44.0;
const BETWEEN_LINES: f64 = 26.0;
/// Between two rows of boxes; a row of labels divides it.
const BETWEEN_ROWS: f64 = 80.0;

/// Why nothing is drawn.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum PlacementError {
    /// The work is spent.
    #[error(
        "its steps and transitions are too many and too tangled to be laid out as a picture; choose one workflow with \
         --workflow, or print it with --format mermaid"
    )]
    TooTangled,
    /// The library failed.
    #[error("the layout failed: {0}; print it with --format mermaid")]
    Layout(LayoutError),
}

/// How much work is left.
pub(super) struct Work {
    units_left: usize,
    rows_left: usize,
}

impl Default for Work {
    fn default() -> Work {
        Work { units_left: WORK_MAX, rows_left: ROWS_PASSED_MAX }
    }
}

impl WorkControl for Work {
    fn charge(&mut self, units: usize) -> Result<(), WorkError> {
        self.units_left = self.units_left.checked_sub(units).ok_or(WorkError::Interrupted)?;
        Ok(())
    }
}

/// An arrow to place.
pub(super) struct Link {
    /// Places in the list of boxes.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) label: Option<Size>,
}

/// Where things are. Boxes and labels of a row have the same `y`.
pub(super) struct Placement {
    /// The middle of each box.
    pub(super) boxes: Vec<Point>,
    /// For each arrow.
    pub(super) links: Vec<PlacedLink>,
}

pub(super) struct PlacedLink {
    /// The middle of its label.
    pub(super) label: Option<Point>,
    /// Where it passes through the rows between its two boxes, in its own direction; nothing when they are the same box.
    pub(super) passes: Vec<Point>,
}

/// Places boxes of these sizes, the first one on top.
pub(super) fn place(boxes: &[Size], links: &[Link], work: &mut Work) -> Result<Placement, PlacementError> {
    let arrows: Vec<_> = links.iter().map(|link| (link.from, link.to)).collect();
    let rows = rows_passed(boxes.len(), &arrows);
    work.rows_left = work.rows_left.checked_sub(rows).ok_or(PlacementError::TooTangled)?;

    let mut graph: Graph<NodeLabel, EdgeLabel, GraphLabel> =
        Graph::new(GraphOptions { multigraph: true, ..GraphOptions::default() });
    graph.set_graph(GraphLabel {
        nodesep: BETWEEN_BOXES,
        edgesep: BETWEEN_LINES,
        ranksep: BETWEEN_ROWS,
        ..GraphLabel::default()
    });
    for (place, size) in boxes.iter().enumerate() {
        let label = NodeLabel { width: size.width, height: size.height, ..NodeLabel::default() };
        graph.set_node(node(place), label);
    }
    for (place, link) in links.iter().enumerate() {
        let key = key(place, link);
        let label = link.label.unwrap_or(Size { width: 0.0, height: 0.0 });
        let label = EdgeLabel {
            width: label.width,
            height: label.height,
            labelpos: LabelPos::C,
            weight: 1.0,
            ..EdgeLabel::default()
        };
        graph.set_edge_named(key.v, key.w, key.name, Some(label));
    }
    dugong::layout_controlled(&mut graph, work).map_err(|error| match error {
        LayoutError::Work(_) => PlacementError::TooTangled,
        error => PlacementError::Layout(error),
    })?;
    Ok(read(&graph, boxes.len(), links))
}

fn read(graph: &Graph<NodeLabel, EdgeLabel, GraphLabel>, boxes: usize, links: &[Link]) -> Placement {
    let point = |x: Option<f64>, y: Option<f64>| Some(Point { x: x?, y: y? });
    let middle = |place| graph.node(&node(place)).and_then(|node| point(node.x, node.y)).unwrap_or_default();
    let link = |(place, link): (usize, &Link)| {
        let edge = graph.edge_by_key(&key(place, link));
        let label = edge.filter(|_| link.label.is_some()).and_then(|edge| point(edge.x, edge.y));
        let points = edge.map_or(&[][..], |edge| &edge.points);
        // The first and the last are where it meets the boxes.
        let between = points.get(1..points.len().saturating_sub(1)).filter(|_| link.from != link.to);
        let between = between.unwrap_or_default();
        PlacedLink { label, passes: between.iter().map(|point| Point { x: point.x, y: point.y }).collect() }
    };
    Placement { boxes: (0..boxes).map(middle).collect(), links: links.iter().enumerate().map(link).collect() }
}

fn node(place: usize) -> String {
    format!("n{place}")
}

fn key(place: usize, link: &Link) -> EdgeKey {
    EdgeKey::new(node(link.from), node(link.to), Some(format!("e{place}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(count: usize) -> (Vec<Size>, Vec<Link>) {
        let boxes = vec![Size { width: 100.0, height: 40.0 }; count];
        let label = Some(Size { width: 30.0, height: 16.0 });
        (boxes, (1..count).map(|to| Link { from: to - 1, to, label }).collect())
    }

    #[test]
    fn work_is_bounded() {
        let (boxes, links) = chain(20);
        let mut work = Work::default();
        place(&boxes, &links, &mut work).unwrap();
        let units = WORK_MAX - work.units_left;
        let rows = ROWS_PASSED_MAX - work.rows_left;
        for (units_left, rows_left, placed) in
            [(units, rows, true), (units - 1, rows, false), (units, rows - 1, false)]
        {
            let error = place(&boxes, &links, &mut Work { units_left, rows_left }).err();
            assert_eq!(error, if placed { None } else { Some(PlacementError::TooTangled) });
        }
    }

    #[test]
    fn the_rows_that_arrows_pass_are_counted_beforehand() {
        let (boxes, mut links) = chain(12);
        links.extend([(0, 11), (9, 2), (3, 3), (5, 8)].map(|(from, to)| Link { from, to, label: None }));
        let mut work = Work::default();
        let placement = place(&boxes, &links, &mut work).unwrap();
        let passed: usize = placement.links.iter().map(|link| link.passes.len()).sum();
        assert_eq!(passed, ROWS_PASSED_MAX - work.rows_left);
    }

    #[test]
    fn rows_follow_the_arrows() {
        let (boxes, mut links) = chain(3);
        links.push(Link { from: 2, to: 0, label: None });
        let placement = place(&boxes, &links, &mut Work::default()).unwrap();
        let rows: Vec<_> = placement.boxes.iter().map(|point| point.y).collect();
        assert!(rows.is_sorted(), "{rows:?}");
        let back = &placement.links[2].passes;
        assert!(back.len() > 2 && back.iter().rev().map(|point| point.y).is_sorted(), "{back:?}");
        assert_eq!(placement.links[0].label.unwrap().y, (rows[0] + rows[1]) / 2.0);
    }
}
