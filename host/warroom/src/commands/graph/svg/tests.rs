use super::super::fixtures::{catalog, post, sample, workflow, workflows};
use super::*;
use roxmltree::{Document, Node};
use serde_json::{Value, json};
use warroom_workflow::Workflow;

fn drawn(workflow: &Workflow) -> String {
    draw(&[Machine::new(workflow, &catalog())]).unwrap()
}

fn texts<'xml>(document: &'xml Document<'_>) -> Vec<&'xml str> {
    let is_text = |node: &Node<'_, '_>| node.has_tag_name("text");
    document.descendants().filter(is_text).filter_map(|node| node.last_child()?.text()).collect()
}

fn classes<'xml>(document: &'xml Document<'_>, class: &str) -> Vec<Node<'xml, 'xml>> {
    document.descendants().filter(|node| node.attribute("class") == Some(class)).collect()
}

/// A step that leads to others.
fn step(name: &str, to: &[(&str, &str)]) -> Value {
    json!({"name": name, "start_actions": [post(&format!("Post{name}"), to)]})
}

#[test]
fn the_sample_has_its_steps_actions_and_transitions() {
    let drawn = drawn(&sample());
    let document = Document::parse(&drawn).unwrap();
    let texts = texts(&document);
    for part in [
        "security_issue",
        "Setup",
        "Triage",
        "DevelopFix",
        "Resolved",
        "CreateWarroom",
        "create_channel",
        "finish",
        "TriageConfirmation",
        "Triaged",
        "IssueReported: #sec",
    ] {
        assert!(texts.contains(&part), "{part} is missing in {texts:?}");
    }
    assert_eq!(classes(&document, "box").len(), 4);
    // Four transitions of posts and the trigger; a `transition_to` and the end. The legend shows one of each.
    assert_eq!(classes(&document, "line").len(), 5 + 1);
    assert_eq!(classes(&document, "line automatic").len(), 2 + 1);
}

#[test]
fn the_same_file_gives_the_same_bytes() {
    assert_eq!(drawn(&sample()), drawn(&sample()));
}

#[test]
fn nothing_of_a_text_becomes_markup() {
    let hostile = "</text><script>alert('1')</script><a href=\"x\">&amp;\u{1}]]>";
    let workflow = workflow(json!([step("A", &[(hostile, "A")])]));
    let drawn = drawn(&workflow);
    let document = Document::parse(&drawn).unwrap();
    let allowed = ["svg", "title", "style", "rect", "g", "path", "circle", "text"];
    for node in document.descendants().filter(Node::is_element) {
        assert!(allowed.contains(&node.tag_name().name()), "{:?}", node.tag_name());
        assert!(node.attributes().all(|attribute| !attribute.name().starts_with("on")));
    }
    let whole = document.descendants().find_map(|node| node.text().filter(|text| text.contains("href")));
    assert_eq!(whole, Some("</text><script>alert('1')</script><a href=\"x\">&amp; ]]>"));
}

#[test]
fn several_workflows_stand_one_below_the_other() {
    let one = r##"{"name": "N1", "triggers": [{"name": "T", "type": "text", "match": "#a"}], "steps": [
        {"name": "S", "start_actions": [{"name": "P", "type": "post", "channel_name": "c", "message": "m"}]}]}"##;
    let workflows = workflows(&format!("[{one}, {}]", one.replace("N1", "N2")));
    let machines: Vec<_> = workflows.iter().map(|workflow| Machine::new(workflow, &catalog())).collect();
    let both = draw(&machines).unwrap();
    let document = Document::parse(&both).unwrap();
    let texts = texts(&document);
    assert!(texts.contains(&"N1") && texts.contains(&"N2"), "{texts:?}");
    let height = |drawn: &str| -> f64 {
        Document::parse(drawn).unwrap().root_element().attribute("height").unwrap().parse().unwrap()
    };
    assert!(height(&both) > 1.5 * height(&draw(&machines[..1]).unwrap()));
}

#[test]
fn an_unreachable_step_has_a_frame_of_its_own_and_the_legend_says_so() {
    let workflow = workflow(json!([step("A", &[]), step("B", &[("Back", "A")])]));
    assert_eq!(classes(&Document::parse(&drawn(&workflow)).unwrap(), "box lost").len(), 1 + 1);
    let workflow = self::workflow(json!([step("A", &[("On", "B")]), step("B", &[])]));
    assert!(classes(&Document::parse(&drawn(&workflow)).unwrap(), "box lost").is_empty());
}

#[test]
fn numbers_are_short() {
    let shown: Vec<_> = [1.0, 1.25, -0.01, 12.34].into_iter().map(|number| Num(number).to_string()).collect();
    assert_eq!(shown, ["1", "1.2", "0", "12.3"]);
}

/// A rectangle, as left, top, right, bottom.
type Area = (f64, f64, f64, f64);

fn area(middle: Point, size: Size) -> Area {
    let (x, y) = (size.width / 2.0, size.height / 2.0);
    (middle.x - x, middle.y - y, middle.x + x, middle.y + y)
}

/// Places on a route, near enough to each other that no box fits between.
fn samples(route: &Route) -> Vec<Point> {
    let mut at = route.begin;
    let mut samples = vec![at];
    for part in &route.parts {
        let to = part.end();
        for step in 1..=64 {
            let t = f64::from(step) / 64.0;
            samples.push(match part {
                Part::Straight { .. } => Point { x: to.x, y: at.y + t * (to.y - at.y) },
                Part::Swerve { .. } => {
                    let smooth = t * t * (3.0 - 2.0 * t);
                    let y = (1.0 - t).powi(3) * at.y
                        + 3.0 * t * (1.0 - t) * f64::midpoint(at.y, to.y)
                        + t.powi(3) * to.y;
                    Point { x: at.x + smooth * (to.x - at.x), y }
                }
                Part::Loop { reach, .. } => {
                    Point { x: at.x + 4.0 * t * (1.0 - t) * reach, y: at.y + t * (to.y - at.y) }
                }
            });
        }
        at = to;
    }
    samples
}

fn inside(point: Point, area: Area, margin: f64) -> bool {
    point.x > area.0 + margin
        && point.x < area.2 - margin
        && point.y > area.1 + margin
        && point.y < area.3 - margin
}

/// Fails when arrows cross boxes or labels of others, or when boxes and labels overlap.
fn assert_readable(workflow: &Workflow) {
    let machine = Machine::new(workflow, &catalog());
    let boxes = box_sizes(&machine);
    let link = |arrow: &Arrow| Link { from: arrow.from, to: arrow.to, label: label_size(arrow) };
    let links: Vec<Link> = machine.arrows.iter().map(link).collect();
    let placement = place(&boxes, &links, &mut Work::default()).unwrap();
    let routes = routes(&boxes, &links, &placement);
    let of_boxes = placement.boxes.iter().zip(&boxes).map(|(middle, size)| (None, area(*middle, *size)));
    let of_labels = placement
        .links
        .iter()
        .zip(&links)
        .enumerate()
        .filter_map(|(place, (placed, link))| Some((Some(place), area(placed.label?, link.label?))));
    let areas: Vec<(Option<usize>, Area)> = of_boxes.chain(of_labels).collect();
    for (place, (_, one)) in areas.iter().enumerate() {
        for (_, other) in &areas[place + 1..] {
            let apart = one.2 <= other.0 || other.2 <= one.0 || one.3 <= other.1 || other.3 <= one.1;
            assert!(apart, "{one:?} overlaps {other:?}");
        }
    }
    for (place, route) in routes.iter().enumerate() {
        for point in samples(route) {
            for (owner, area) in &areas {
                let is_own_label = *owner == Some(place);
                assert!(
                    is_own_label || !inside(point, *area, 0.5),
                    "arrow {place} crosses {area:?} at {point:?}"
                );
            }
        }
        let end = route.parts.last().unwrap().end();
        let target = area(placement.boxes[links[place].to], boxes[links[place].to]);
        assert!(inside(end, target, -0.5) && !inside(end, target, 0.5), "arrow {place} ends beside its box");
    }
}

#[test]
fn arrows_cross_no_box_and_no_label() {
    assert_readable(&sample());
    let names: Vec<_> = (0..30).map(|n| format!("Step{n}")).collect();
    let to_all: Vec<_> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
    // The first leads to all, also to itself; each of the others to the next but one, back to the first and to itself.
    let mut steps = vec![step("Step0", &to_all)];
    for (place, name) in names.iter().enumerate().skip(1) {
        let next = names.get(place + 2).map_or("Step1", String::as_str);
        steps.push(step(name, &[("Next", next), ("Back to the very beginning", "Step0"), ("Stay", name)]));
    }
    assert_readable(&workflow(json!(steps)));
}

#[test]
fn long_names_are_shortened_and_widen_no_box_beyond_its_limit() {
    let name = "W".repeat(warroom_workflow::NAME_CHARS_MAX);
    let label = "long ".repeat(200);
    let workflow = workflow(json!([
        {"name": name, "start_actions": [post(&"M".repeat(warroom_workflow::NAME_CHARS_MAX), &[(label.trim(), &name)])]}
    ]));
    assert_readable(&workflow);
    let drawn = drawn(&workflow);
    let document = Document::parse(&drawn).unwrap();
    let wide: f64 = document.root_element().attribute("width").unwrap().parse().unwrap();
    assert!(wide < 900.0, "{wide}");
    assert!(
        document.descendants().any(|node| node.has_tag_name("title") && node.text() == Some(name.as_str()))
    );
}

/// A chain whose steps also lead back to the one before.
fn chain(count: usize) -> Workflow {
    let names: Vec<_> = (0..count).map(|n| format!("Step{n}")).collect();
    let steps = names.iter().enumerate().map(|(place, name)| {
        let next = names.get(place + 1).map(|next| ("Next", next.as_str()));
        let before = place.checked_sub(1).map(|before| ("Back", names[before].as_str()));
        step(name, &next.into_iter().chain(before).collect::<Vec<_>>())
    });
    workflow(json!(steps.collect::<Vec<_>>()))
}

#[test]
fn a_thousand_steps_are_drawn() {
    let drawn = drawn(&chain(warroom_workflow::STEPS_MAX));
    let document = Document::parse(&drawn).unwrap();
    assert_eq!(classes(&document, "box").len(), warroom_workflow::STEPS_MAX);
}

#[test]
fn a_tangle_is_refused() {
    let names: Vec<_> = (0..300).map(|n| format!("Step{n}")).collect();
    let steps: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(place, name)| {
            let to: Vec<_> = [1, 7, 131, 209]
                .iter()
                .map(|far| ("Go", names[(place * 17 + far) % names.len()].as_str()))
                .collect();
            step(name, &to)
        })
        .collect();
    let workflow = workflow(json!(steps));
    let error = draw(&[Machine::new(&workflow, &catalog())]).unwrap_err();
    assert_eq!(error, PlacementError::TooTangled);
    assert!(error.to_string().contains("--format mermaid"));
}
