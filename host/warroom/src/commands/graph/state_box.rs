//! Draws a state: a step as a box with its actions, start and end as dots.

use super::machine::{Line, State, StepBox};
use super::route::{Point, Size};
use super::svg::{Num, text};
use super::text::{shorten, width};
use std::fmt::Write as _;

/// Of a start or an end.
pub(super) const DOT_RADIUS: f64 = 9.0;
const PADDING: f64 = 12.0;
const HEAD_HEIGHT: f64 = 30.0;
const CAPTION_HEIGHT: f64 = 20.0;
const LINE_HEIGHT: f64 = 18.0;
const BELOW_LINES: f64 = 8.0;
const BOX_WIDTH_MIN: f64 = 140.0;
const BOX_WIDTH_MAX: f64 = 440.0;
/// A box grows with its arrows, so that their heads stay apart.
const WIDTH_PER_ARROW: f64 = 13.0;
const WIDTH_FOR_ARROWS_MAX: f64 = 1_300.0;
/// Between the name of an action and its type.
const BETWEEN_WORDS: f64 = 20.0;
const UNKNOWN: &str = "a step known at run time";

/// A text to write.
pub(super) struct Text<'text> {
    /// Of the style sheet.
    pub(super) class: &'static str,
    pub(super) style: Style,
    pub(super) at: Point,
    /// What is written.
    pub(super) shown: &'text str,
    /// What it was before it was shortened.
    pub(super) whole: &'text str,
}

/// On which side of its place a text stands.
#[derive(Clone, Copy)]
pub(super) enum Style {
    Left,
    Middle,
    Right,
}

impl<'text> Text<'text> {
    pub(super) fn new(at: Point, shown: &'text str, whole: &'text str) -> Text<'text> {
        Text { class: "", style: Style::Left, at, shown, whole }
    }
}

/// How large a state is drawn at which this many arrows begin or end.
pub(super) fn size(state: &State, arrows: usize) -> Size {
    match state {
        State::Start | State::End => Size { width: 2.0 * DOT_RADIUS, height: 2.0 * DOT_RADIUS },
        State::Unknown => Size { width: width(UNKNOWN, 12.0, false) + 2.0 * PADDING, height: HEAD_HEIGHT },
        State::Step(step) => step_size(step, arrows),
    }
}

fn step_size(step: &StepBox, arrows: usize) -> Size {
    let of_line = |line: &Line| {
        let of_type = match line.type_name.as_str() {
            "" => 0.0,
            type_name => BETWEEN_WORDS + width(type_name, 11.0, false),
        };
        width(&line.name, 12.0, false) + of_type
    };
    let lines = step.start_actions.iter().chain(&step.finish_actions).map(of_line);
    let widest = lines.fold(width(&step.name, 15.0, true), f64::max) + 2.0 * PADDING + 1.0;
    // All arrows may be at the same side.
    let for_arrows = f64::from(u32::try_from(arrows).unwrap_or(u32::MAX)) * WIDTH_PER_ARROW;
    let sections = [&step.start_actions, &step.finish_actions];
    let height: f64 = sections.into_iter().map(|lines| section_height(lines)).sum();
    Size {
        width: widest.clamp(BOX_WIDTH_MIN, BOX_WIDTH_MAX).max(for_arrows.min(WIDTH_FOR_ARROWS_MAX)),
        height: HEAD_HEIGHT + height,
    }
}

fn section_height(lines: &[Line]) -> f64 {
    match u32::try_from(lines.len()) {
        Ok(0) => 0.0,
        lines => CAPTION_HEIGHT + LINE_HEIGHT * f64::from(lines.unwrap_or(u32::MAX)) + BELOW_LINES,
    }
}

/// Draws a state of this size around a place.
pub(super) fn draw(state: &State, middle: Point, size: Size, out: &mut String) {
    let (x, y) = (Num(middle.x), Num(middle.y));
    match state {
        State::Start => {
            let _ = writeln!(out, "<circle class=\"dot\" cx=\"{x}\" cy=\"{y}\" r=\"{}\"/>", Num(DOT_RADIUS));
        }
        State::End => {
            let _ = writeln!(
                out,
                "<circle class=\"ring\" cx=\"{x}\" cy=\"{y}\" r=\"{}\"/>",
                Num(DOT_RADIUS - 0.8)
            );
            let _ = writeln!(
                out,
                "<circle class=\"dot\" cx=\"{x}\" cy=\"{y}\" r=\"{}\"/>",
                Num(DOT_RADIUS - 4.0)
            );
        }
        State::Unknown => {
            frame("box lost", middle, size, size.height / 2.0, out);
            let at = Point { x: middle.x, y: middle.y + 4.0 };
            text(out, &Text { class: "muted", style: Style::Middle, ..Text::new(at, UNKNOWN, UNKNOWN) });
        }
        State::Step(step) => draw_step(step, middle, size, out),
    }
}

/// Draws a rectangle with round corners around a place.
pub(super) fn frame(class: &str, middle: Point, size: Size, radius: f64, out: &mut String) {
    let _ = writeln!(
        out,
        "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>",
        Num(middle.x - size.width / 2.0),
        Num(middle.y - size.height / 2.0),
        Num(size.width),
        Num(size.height),
        Num(radius)
    );
}

fn draw_step(step: &StepBox, middle: Point, size: Size, out: &mut String) {
    let (left, top) = (middle.x - size.width / 2.0, middle.y - size.height / 2.0);
    let room = size.width - 2.0 * PADDING;
    frame(if step.reachable { "box" } else { "box lost" }, middle, size, 6.0, out);
    let _ = writeln!(
        out,
        "<path class=\"head\" d=\"M{} {}v-{v}q0 -5 5 -5h{h}q5 0 5 5v{v}z\"/>",
        Num(left + 1.0),
        Num(top + HEAD_HEIGHT),
        v = Num(HEAD_HEIGHT - 6.0),
        h = Num(size.width - 12.0)
    );
    let name = shorten(&step.name, room, 15.0, true);
    let at = Point { x: left + PADDING, y: top + 20.0 };
    text(out, &Text { class: "step", ..Text::new(at, &name, &step.name) });
    let mut y = top + HEAD_HEIGHT;
    for (caption, lines) in [("start", &step.start_actions), ("finish", &step.finish_actions)] {
        if lines.is_empty() {
            continue;
        }
        let is_second = y > top + HEAD_HEIGHT;
        if is_second {
            let _ = writeln!(
                out,
                "<path class=\"rule\" d=\"M{} {}h{}\"/>",
                Num(left + 1.0),
                Num(y),
                Num(size.width - 2.0)
            );
        }
        let at = Point { x: left + PADDING, y: y + 15.0 };
        text(out, &Text { class: "small", ..Text::new(at, caption, caption) });
        let mut baseline = y + CAPTION_HEIGHT + 13.0;
        for line in lines {
            draw_line(line, left + PADDING, baseline, room, out);
            baseline += LINE_HEIGHT;
        }
        y += section_height(lines);
    }
}

/// The name of an action at the left, its type at the right.
fn draw_line(line: &Line, left: f64, y: f64, room: f64, out: &mut String) {
    // The name gives way to the type only when both do not fit and the type is short.
    let beside_name = room - width(&line.name, 12.0, false) - BETWEEN_WORDS;
    let type_name = shorten(&line.type_name, beside_name.max(room * 0.45), 11.0, false);
    let taken = if type_name.is_empty() { 0.0 } else { width(&type_name, 11.0, false) + BETWEEN_WORDS };
    let name = shorten(&line.name, room - taken, 12.0, false);
    text(out, &Text::new(Point { x: left, y }, &name, &line.name));
    if !type_name.is_empty() {
        let at = Point { x: left + room, y };
        text(
            out,
            &Text { class: "small", style: Style::Right, ..Text::new(at, &type_name, &line.type_name) },
        );
    }
}
