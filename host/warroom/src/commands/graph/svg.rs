//! Draws machines as an SVG picture. It holds shapes and escaped text, no script, no link, no font and no picture.

use super::machine::{Arrow, Kind, Machine, State};
use super::placement::{Link, PlacementError, Work, place};
use super::route::{Part, Point, Route, Size, routes};
use super::state_box::{self, DOT_RADIUS, Style, Text};
use super::text::{one_line, shorten, width, xml};
use std::fmt::{Display, Formatter, Write as _};

const MARGIN: f64 = 24.0;
const BETWEEN_WORKFLOWS: f64 = 56.0;
const LABEL_LINE_HEIGHT: f64 = 16.0;
const LABEL_WIDTH_MAX: f64 = 280.0;
/// Around the text of a label.
const LABEL_PADDING: Size = Size { width: 6.0, height: 2.0 };
const HEAD: Size = Size { width: 8.0, height: 9.0 };
const LEGEND_HEIGHT: f64 = 30.0;
/// The least width in which a description is written.
const DESCRIPTION_WIDTH: f64 = 520.0;
/// How much of a shortened text a pointer shows, in characters.
const HINT_CHARS_MAX: usize = 500;

/// The background is part of the picture: it is read on light pages and on dark ones.
const STYLE: &str = "\
text{font-family:'DejaVu Sans',Verdana,Arial,sans-serif;font-size:12px;fill:#1f2937}
.page{fill:#ffffff}
.name{font-size:20px;font-weight:bold}
.step{font-size:15px;font-weight:bold}
.muted{fill:#5b6472}
.small{font-size:11px;fill:#5b6472}
.box{fill:#f6f8fb;stroke:#64748b;stroke-width:1.2}
.head{fill:#dfe8f5}
.rule{stroke:#c5cedb;stroke-width:1}
.lost{stroke-dasharray:5 4;stroke:#b45309}
.dot{fill:#1f2937}
.ring{fill:none;stroke:#1f2937;stroke-width:1.5}
.line{fill:none;stroke:#2457a6;stroke-width:1.6}
.automatic{stroke:#5b6472;stroke-dasharray:6 4}
.tip{fill:#2457a6}
.tip-automatic{fill:#5b6472}
.back{fill:#ffffff}
.label{fill:#1d4686}
";

/// A number with one digit behind the point, if that is not 0.
pub(super) struct Num(pub(super) f64);

impl Display for Num {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.1}", self.0);
        let short = text.strip_suffix(".0").unwrap_or(&text);
        f.write_str(if short == "-0" { "0" } else { short })
    }
}

/// One picture, the machines one below the other.
///
/// # Errors
/// When they are too tangled to be laid out.
pub(super) fn draw(machines: &[Machine<'_>]) -> Result<String, PlacementError> {
    let mut work = Work::default();
    let mut body = String::new();
    let is_unreachable = |state: &State| matches!(state, State::Step(step) if !step.reachable);
    let has_unreachable = machines.iter().any(|machine| machine.states.iter().any(is_unreachable));
    let (legend, legend_width) = legend(LEGEND_HEIGHT / 2.0, has_unreachable);
    let (mut right, mut below) = (legend_width, MARGIN);
    for (place, machine) in machines.iter().enumerate() {
        if place > 0 {
            below += BETWEEN_WORKFLOWS;
        }
        let sheet = sheet(machine, &mut work)?;
        let _ =
            writeln!(body, "<g transform=\"translate({} {})\">\n{}</g>", Num(MARGIN), Num(below), sheet.body);
        right = right.max(sheet.size.width);
        below += sheet.size.height;
    }
    below += BETWEEN_WORKFLOWS / 2.0;
    let _ = writeln!(body, "<g transform=\"translate({} {})\">\n{legend}</g>", Num(MARGIN), Num(below));
    let size = Size { width: right + 2.0 * MARGIN, height: below + LEGEND_HEIGHT + MARGIN / 2.0 };
    let (wide, high) = (Num(size.width), Num(size.height));
    let names: Vec<_> = machines.iter().map(|machine| xml(machine.name)).collect();
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}\" height=\"{high}\" viewBox=\"0 0 {wide} {high}\" \
         role=\"img\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n\
         <rect class=\"page\" width=\"{wide}\" height=\"{high}\"/>\n{body}</svg>\n",
        names.join(", ")
    ))
}

/// A workflow, drawn.
struct Sheet {
    body: String,
    size: Size,
}

fn sheet(machine: &Machine<'_>, work: &mut Work) -> Result<Sheet, PlacementError> {
    let boxes = box_sizes(machine);
    let link = |arrow: &Arrow| Link { from: arrow.from, to: arrow.to, label: label_size(arrow) };
    let links: Vec<Link> = machine.arrows.iter().map(link).collect();
    let placement = place(&boxes, &links, work)?;
    let routes = routes(&boxes, &links, &placement);

    let mut extent = Extent::default();
    for (point, size) in placement.boxes.iter().zip(&boxes) {
        extent.add(*point, *size);
    }
    for (placed, link) in placement.links.iter().zip(&links) {
        if let (Some(point), Some(size)) = (placed.label, link.label) {
            extent.add(point, size);
        }
    }
    for route in &routes {
        extent.add_route(route);
    }

    let mut body = String::new();
    let (title_height, title_width) = title(machine, extent.width().max(DESCRIPTION_WIDTH), &mut body);
    let _ = writeln!(
        body,
        "<g transform=\"translate({} {})\">",
        Num(-extent.left),
        Num(title_height - extent.top)
    );
    for (arrow, route) in machine.arrows.iter().zip(&routes) {
        line(arrow.kind, route, &mut body);
    }
    for (state, (middle, size)) in machine.states.iter().zip(placement.boxes.iter().zip(&boxes)) {
        state_box::draw(state, *middle, *size, &mut body);
    }
    for (arrow, (placed, link)) in machine.arrows.iter().zip(placement.links.iter().zip(&links)) {
        if let (Some(middle), Some(size)) = (placed.label, link.label) {
            label(arrow, middle, size, &mut body);
        }
    }
    body.push_str("</g>\n");
    let size =
        Size { width: extent.width().max(title_width), height: title_height + extent.bottom - extent.top };
    Ok(Sheet { body, size })
}

fn box_sizes(machine: &Machine<'_>) -> Vec<Size> {
    let mut arrows = vec![0; machine.states.len()];
    for end in machine.arrows.iter().flat_map(|arrow| [arrow.from, arrow.to]) {
        if let Some(count) = arrows.get_mut(end) {
            *count += 1;
        }
    }
    machine.states.iter().zip(arrows).map(|(state, arrows)| state_box::size(state, arrows)).collect()
}

/// The rectangle that holds everything.
struct Extent {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Default for Extent {
    fn default() -> Extent {
        Extent {
            left: f64::INFINITY,
            right: f64::NEG_INFINITY,
            top: f64::INFINITY,
            bottom: f64::NEG_INFINITY,
        }
    }
}

impl Extent {
    fn width(&self) -> f64 {
        self.right - self.left
    }

    fn add(&mut self, middle: Point, size: Size) {
        self.left = self.left.min(middle.x - size.width / 2.0);
        self.right = self.right.max(middle.x + size.width / 2.0);
        self.top = self.top.min(middle.y - size.height / 2.0);
        self.bottom = self.bottom.max(middle.y + size.height / 2.0);
    }

    fn add_route(&mut self, route: &Route) {
        let stroke = Size { width: HEAD.width, height: 0.0 };
        self.add(route.begin, stroke);
        for part in &route.parts {
            let reach = if let Part::Loop { reach, .. } = part { *reach } else { 0.0 };
            self.add(part.end(), stroke);
            self.add(Point { x: part.end().x + reach, ..part.end() }, stroke);
        }
    }
}

/// Writes the workflow's name and description; gives their height and width.
fn title(machine: &Machine<'_>, width_max: f64, out: &mut String) -> (f64, f64) {
    let name = shorten(machine.name, width_max, 20.0, true);
    text(out, &Text { class: "name", ..Text::new(Point { x: 0.0, y: 18.0 }, &name, machine.name) });
    let name_width = width(&name, 20.0, true);
    let Some(description) = machine.description.map(one_line).filter(|description| !description.is_empty())
    else {
        return (40.0, name_width);
    };
    let shown = shorten(&description, width_max, 12.0, false);
    text(out, &Text { class: "muted", ..Text::new(Point { x: 0.0, y: 38.0 }, &shown, &description) });
    (58.0, name_width.max(width(&shown, 12.0, false)))
}

fn label_size(arrow: &Arrow) -> Option<Size> {
    if arrow.labels.is_empty() {
        return None;
    }
    let widths = arrow.labels.iter().map(|label| width(label, 12.0, false).min(LABEL_WIDTH_MAX));
    let lines = u32::try_from(arrow.labels.len()).unwrap_or(u32::MAX);
    Some(Size {
        width: widths.fold(0.0, f64::max) + 2.0 * LABEL_PADDING.width,
        height: f64::from(lines) * LABEL_LINE_HEIGHT + 2.0 * LABEL_PADDING.height,
    })
}

fn label(arrow: &Arrow, middle: Point, size: Size, out: &mut String) {
    let (left, top) = (middle.x - size.width / 2.0, middle.y - size.height / 2.0);
    let _ = writeln!(
        out,
        "<rect class=\"back\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
        Num(left),
        Num(top),
        Num(size.width),
        Num(size.height)
    );
    let class = if arrow.kind == Kind::Trigger { "muted" } else { "label" };
    let mut y = top + LABEL_PADDING.height + 12.0;
    for line in &arrow.labels {
        let shown = shorten(line, LABEL_WIDTH_MAX, 12.0, false);
        let at = Point { x: middle.x, y };
        text(out, &Text { class, style: Style::Middle, ..Text::new(at, &shown, line) });
        y += LABEL_LINE_HEIGHT;
    }
}

/// Writes a text; what was shortened is shown whole by the pointer.
pub(super) fn text(out: &mut String, text: &Text<'_>) {
    let anchor = match text.style {
        Style::Left => "",
        Style::Middle => " text-anchor=\"middle\"",
        Style::Right => " text-anchor=\"end\"",
    };
    let class = if text.class.is_empty() { String::new() } else { format!(" class=\"{}\"", text.class) };
    let _ = write!(out, "<text{class} x=\"{}\" y=\"{}\"{anchor}>", Num(text.at.x), Num(text.at.y));
    if text.shown != text.whole {
        let hint: String = text.whole.chars().take(HINT_CHARS_MAX).collect();
        let _ = write!(out, "<title>{}</title>", xml(&hint));
    }
    let _ = writeln!(out, "{}</text>", xml(text.shown));
}

fn line(kind: Kind, route: &Route, out: &mut String) {
    let mut at = route.begin;
    let mut path = format!("M{} {}", Num(at.x), Num(at.y));
    for part in &route.parts {
        match *part {
            Part::Straight { to } => {
                let _ = write!(path, "V{}", Num(to.y));
            }
            Part::Swerve { to } => {
                let between = Num(f64::midpoint(at.y, to.y));
                let _ = write!(
                    path,
                    "C{} {between} {} {between} {} {}",
                    Num(at.x),
                    Num(to.x),
                    Num(to.x),
                    Num(to.y)
                );
            }
            Part::Loop { reach, to } => {
                // A cubic curve reaches three quarters of the way to its two inner points.
                let far = Num(at.x + reach * 4.0 / 3.0);
                let _ = write!(path, "C{far} {} {far} {} {} {}", Num(at.y), Num(to.y), Num(to.x), Num(to.y));
            }
        }
        at = part.end();
    }
    let automatic = kind == Kind::Automatic;
    let (of_line, of_tip) = if automatic { ("line automatic", "tip-automatic") } else { ("line", "tip") };
    let _ = writeln!(out, "<path class=\"{of_line}\" d=\"{path}\"/>");
    tip(route, of_tip, out);
}

/// The head of an arrow, drawn as a shape of its own: not every viewer knows markers.
fn tip(route: &Route, class: &str, out: &mut String) {
    let Some(last) = route.parts.last() else { return };
    let before = route.parts.iter().rev().nth(1).map_or(route.begin, Part::end);
    let end = last.end();
    let half = HEAD.width / 2.0;
    let (dx, dy) = match last {
        Part::Loop { .. } => (1.0, 0.0),
        _ if end.y > before.y => (0.0, -1.0),
        _ => (0.0, 1.0),
    };
    let (x, y) = (end.x + dx * HEAD.height, end.y + dy * HEAD.height);
    let _ = writeln!(
        out,
        "<path class=\"{class}\" d=\"M{} {}L{} {}L{} {}Z\"/>",
        Num(end.x),
        Num(end.y),
        Num(x - dy * half),
        Num(y + dx * half),
        Num(x + dy * half),
        Num(y - dx * half)
    );
}

/// What the signs mean, on a line in the middle of `y`, and how wide that is.
fn legend(y: f64, has_unreachable: bool) -> (String, f64) {
    let mut out = String::new();
    let mut x = 0.0;
    for (sign, meaning) in [(State::Start, "start"), (State::End, "end")] {
        let size = state_box::size(&sign, 0);
        state_box::draw(&sign, Point { x: x + DOT_RADIUS, y }, size, &mut out);
        x += 2.0 * DOT_RADIUS + 8.0;
        x = meaning_at(x, y, meaning, &mut out);
    }
    for (kind, meaning) in
        [(Kind::Offered, "somebody presses it, or an action asks for it"), (Kind::Automatic, "by itself")]
    {
        let class = if kind == Kind::Automatic { "line automatic" } else { "line" };
        let _ = writeln!(out, "<path class=\"{class}\" d=\"M{} {}H{}\"/>", Num(x), Num(y), Num(x + 36.0));
        x = meaning_at(x + 44.0, y, meaning, &mut out);
    }
    if has_unreachable {
        let size = Size { width: 28.0, height: 16.0 };
        state_box::frame("box lost", Point { x: x + size.width / 2.0, y }, size, 4.0, &mut out);
        x = meaning_at(x + size.width + 8.0, y, "no way leads here", &mut out);
    }
    (out, x)
}

fn meaning_at(x: f64, y: f64, meaning: &str, out: &mut String) -> f64 {
    text(out, &Text { class: "small", ..Text::new(Point { x, y: y + 4.0 }, meaning, meaning) });
    x + width(meaning, 11.0, false) + 16.0
}

#[cfg(test)]
mod tests;
