//! A bound on the work and the memory of a template.
//!
//! gotmpl bounds rounds and recursion, but not what functions make: `print` of a variable by itself doubles it at every
//! round. So the tree is rewritten: each argument of a function is paid for, by its bytes, before the call, each result
//! after it, and each pipeline and body costs a step. What is alive at any time was paid for, so it is bounded too.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gotmpl::parse::{BranchNode, CommandNode, Expr, ListNode, Node, PipeNode, Pos, SmolStr};
use gotmpl::{Template, TemplateError, Value};

use super::{OUTPUT_BYTES_MAX, STEPS_EXECUTED_MAX, WORK_BYTES_MAX};

/// Names of the meter's functions. They are no words, so no template can call them.
const ARGUMENT: &str = "argument of a function";
const RESULT: &str = "result of a function";
const FORMAT: &str = "format of printf";
const STEP: &str = "one step";
/// What the meter says. Errors pass through gotmpl as text.
pub(super) const TOO_MUCH: &str = "too much work";
pub(super) const TOO_LONG: &str = "too long a text";
/// The most arguments of one call; nobody writes so many, but a width of `*` can come from each.
const ARGUMENTS_MAX: usize = 100;
/// The most bytes by which one argument of `printf` can widen its output: gotmpl's own bound of a width.
const WIDTH_MAX: usize = 65_535;

/// Counts for one execution.
#[derive(Debug, Default)]
pub(super) struct Meter {
    bytes: AtomicUsize,
    steps: AtomicUsize,
}

impl Meter {
    /// The template with the meter's functions in it.
    pub(super) fn install(self, template: Template) -> Template {
        let meter = Arc::new(self);
        let (argument, result, format, step) =
            (Arc::clone(&meter), Arc::clone(&meter), Arc::clone(&meter), meter);
        template
            .func(ARGUMENT, move |values: &[Value]| argument.argument(values))
            .func(RESULT, move |values: &[Value]| result.result(values))
            .func(FORMAT, move |values: &[Value]| format.format(values))
            .func(STEP, move |_: &[Value]| {
                step.step()?;
                Ok(Value::String("".into()))
            })
    }

    fn pay(&self, bytes: usize) -> gotmpl::Result<()> {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > WORK_BYTES_MAX { Err(refusal(TOO_MUCH)) } else { Ok(()) }
    }

    fn step(&self) -> gotmpl::Result<()> {
        let before = self.steps.fetch_add(1, Ordering::Relaxed);
        if before >= STEPS_EXECUTED_MAX { Err(refusal(TOO_MUCH)) } else { Ok(()) }
    }

    fn argument(&self, values: &[Value]) -> gotmpl::Result<Value> {
        let value = only(values)?;
        self.pay(size(value, WORK_BYTES_MAX))?;
        Ok(value.clone())
    }

    fn result(&self, values: &[Value]) -> gotmpl::Result<Value> {
        let value = only(values)?;
        self.step()?;
        if let Value::String(text) = value {
            self.pay(text.len())?;
            if text.len() > OUTPUT_BYTES_MAX {
                return Err(refusal(TOO_LONG));
            }
        }
        Ok(value.clone())
    }

    /// Pays for the widths and precisions that a format names before they are made.
    fn format(&self, values: &[Value]) -> gotmpl::Result<Value> {
        let value = only(values)?;
        if let Value::String(format) = value {
            self.pay(widths(format))?;
        }
        Ok(value.clone())
    }
}

/// The sum of all numbers in a format, which are its widths and precisions, or more than those; a `*` is the widest.
fn widths(format: &str) -> usize {
    let (mut sum, mut number) = (0_usize, 0_usize);
    for byte in format.bytes() {
        if byte.is_ascii_digit() {
            number = number.saturating_mul(10).saturating_add(usize::from(byte - b'0')).min(WIDTH_MAX);
            continue;
        }
        sum = sum.saturating_add(price(std::mem::take(&mut number)));
        if byte == b'*' {
            sum = sum.saturating_add(WIDTH_MAX);
        }
    }
    sum.saturating_add(price(number))
}

/// The largest numbers are never paid for: the standard library cannot make so many digits of a float.
fn price(number: usize) -> usize {
    if number >= WIDTH_MAX { WORK_BYTES_MAX + 1 } else { number }
}

/// About how many bytes a value has when it is printed; counting ends above `most`.
fn size(value: &Value, most: usize) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::List(items) => items.iter().fold(1, |sum, item| {
            if sum > most { sum } else { sum.saturating_add(1).saturating_add(size(item, most)) }
        }),
        Value::Map(members) => members.iter().fold(1, |sum, (key, item)| {
            if sum > most { sum } else { sum.saturating_add(2 + key.len()).saturating_add(size(item, most)) }
        }),
        _ => 8,
    }
}

fn only(values: &[Value]) -> gotmpl::Result<&Value> {
    values.first().ok_or_else(|| refusal("a function has no value"))
}

fn refusal(message: &str) -> TemplateError {
    TemplateError::Exec(message.to_owned())
}

/// Puts the meter into a tree.
pub(super) fn meter_list(list: &mut ListNode) {
    for node in &mut list.nodes {
        match node {
            Node::List(list) => meter_list(list),
            Node::Action(action) => meter_pipe(&mut action.pipe),
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => meter_branch(branch),
            Node::Template(call) => {
                if let Some(pipe) = &mut call.pipe {
                    meter_pipe(pipe);
                }
            }
            Node::Text(_) | Node::Define(_) | Node::Break(_) | Node::Continue(_) => {}
        }
    }
    let pipe =
        PipeNode { pos: list.pos, decl: Vec::new(), commands: vec![call(STEP, list.pos)], is_assign: false };
    list.nodes.insert(0, Node::Action(gotmpl::parse::ActionNode { pos: list.pos, pipe }));
}

fn meter_branch(branch: &mut BranchNode) {
    meter_pipe(&mut branch.pipe);
    meter_list(&mut branch.body);
    if let Some(other) = &mut branch.else_body {
        meter_list(other);
    }
}

fn meter_pipe(pipe: &mut PipeNode) {
    let mut metered = Vec::with_capacity(pipe.commands.len() + 2);
    for (place, mut command) in std::mem::take(&mut pipe.commands).into_iter().enumerate() {
        let position = command.pos;
        let function = called(&command).map(str::to_owned);
        if let Some(function) = &function {
            if place > 0 {
                metered.push(call(ARGUMENT, position));
                if function == "printf" && command.args.len() == 1 {
                    metered.push(call(FORMAT, position));
                }
            }
            meter_arguments(&mut command, function);
        } else {
            command.args.iter_mut().for_each(meter_inside);
        }
        metered.push(command);
        if function.is_some() {
            metered.push(call(RESULT, position));
        }
    }
    pipe.commands = metered;
}

/// The function that a command calls, also when members of its result are read.
fn called(command: &CommandNode) -> Option<&str> {
    match command.args.first()? {
        Expr::Identifier(_, name) => Some(name),
        Expr::Chain(_, inner, _) => match inner.as_ref() {
            Expr::Identifier(_, name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

fn meter_arguments(command: &mut CommandNode, function: &str) {
    let position = command.pos;
    for (place, argument) in command.args.iter_mut().enumerate().skip(1) {
        meter_inside(argument);
        // Literals that are no text cost nothing; nil is an argument, but no pipeline.
        if matches!(argument, Expr::Number(..) | Expr::Bool(..) | Expr::Nil(_) | Expr::Identifier(..)) {
            continue;
        }
        let value = std::mem::replace(argument, Expr::Nil(position));
        let mut commands = vec![CommandNode { pos: position, args: vec![value] }, call(ARGUMENT, position)];
        if function == "printf" && place == 1 {
            commands.push(call(FORMAT, position));
        }
        *argument =
            Expr::Pipe(position, PipeNode { pos: position, decl: Vec::new(), commands, is_assign: false });
    }
}

fn meter_inside(expression: &mut Expr) {
    match expression {
        Expr::Pipe(_, pipe) => meter_pipe(pipe),
        Expr::Chain(_, inner, _) => meter_inside(inner),
        _ => {}
    }
}

fn call(function: &'static str, position: Pos) -> CommandNode {
    CommandNode { pos: position, args: vec![Expr::Identifier(position, SmolStr::new_static(function))] }
}

/// Whether a call has so many arguments that what it makes cannot be bounded.
pub(super) fn has_too_many_arguments(command: &CommandNode) -> bool {
    command.args.len() > ARGUMENTS_MAX
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{TEMPLATE_BYTES_MAX, TemplateProblem, check_template, render};
    use super::*;

    fn problem(template: &str) -> Option<TemplateProblem> {
        let data = json!({"Long": "x".repeat(OUTPUT_BYTES_MAX), "One": "x"});
        render(template, &data).err().map(|error| error.problem)
    }

    #[test]
    fn an_intermediate_text_has_at_most_64_kib() {
        assert_eq!(problem("{{$x := print .Long}}{{len $x}}"), None);
        assert_eq!(problem("{{$x := print .Long .One}}"), Some(TemplateProblem::TooLong));
        assert_eq!(problem("{{len (html (print .Long \"<\"))}}"), Some(TemplateProblem::TooLong));
        for function in ["html", "js", "urlquery"] {
            let template = |count: usize| format!("{{{{$x := {function} \"{}\"}}}}", "<".repeat(count));
            assert_eq!(problem(&template(OUTPUT_BYTES_MAX / 6)), None, "{function}");
            assert!(problem(&template(OUTPUT_BYTES_MAX / 3 + 1)).is_some(), "{function}");
        }
    }

    #[test]
    fn doubling_in_a_loop_ends() {
        let double = |rounds: u32| {
            format!("{{{{$x := \"x\"}}}}{{{{range {rounds}}}}}{{{{$x = print $x $x}}}}{{{{end}}}}")
        };
        assert_eq!(problem(&double(16)), None);
        assert_eq!(problem(&double(17)), Some(TemplateProblem::TooLong));
    }

    #[test]
    fn a_precision_beyond_what_can_be_made_is_refused() {
        // Found by fuzzing.
        assert_eq!(problem("{{$x := printf \"%.65534e\" 9.5}}"), Some(TemplateProblem::TooLong));
        for precision in ["65535", "21111111111111111111111111111111105555"] {
            let template = format!("{{{{$x := printf \"%5.{precision}e\" 9.5}}}}");
            assert_eq!(problem(&template), Some(TemplateProblem::TooMuchWork), "{precision}");
        }
    }

    #[test]
    fn widths_of_printf_are_paid_for() {
        assert_eq!(problem("{{$x := printf \"%60000d\" 1}}"), None);
        assert_eq!(problem("{{$x := printf \"%40000d%40000d\" 1 1}}"), Some(TemplateProblem::TooLong));
        let many = "%65535d".repeat(70);
        assert_eq!(problem(&format!("{{{{$x := printf \"{many}\"}}}}")), Some(TemplateProblem::TooMuchWork));
        assert_eq!(
            problem(&format!("{{{{$x := \"{many}\" | printf}}}}")),
            Some(TemplateProblem::TooMuchWork)
        );
        assert_eq!(
            problem(&format!("{{{{$f := \"{}\"}}}}{{{{$x := printf $f 60000 1}}}}", "%*d".repeat(70))),
            Some(TemplateProblem::TooMuchWork)
        );
    }

    #[test]
    fn what_functions_read_is_paid_for() {
        // A round reads 64 KiB and one byte more of the literal.
        let compare =
            |rounds: usize| format!("{{{{range {rounds}}}}}{{{{$x := eq $.Long \"\"}}}}{{{{end}}}}");
        let rounds = WORK_BYTES_MAX / OUTPUT_BYTES_MAX;
        assert_eq!(problem(&compare(rounds)), None);
        assert_eq!(problem(&compare(rounds + 1)), Some(TemplateProblem::TooMuchWork));
    }

    #[test]
    fn steps_are_bounded() {
        // The template itself, each round, and each result: one step.
        let steps = |rounds: usize| format!("{{{{range {rounds}}}}}{{{{$x := not 1}}}}{{{{end}}}}");
        assert_eq!(problem(&steps((STEPS_EXECUTED_MAX - 1) / 2)), None);
        assert_eq!(problem(&steps(STEPS_EXECUTED_MAX / 2)), Some(TemplateProblem::TooMuchWork));
        let tree =
            "{{define \"a\"}}{{if .}}{{template \"a\" slice . 1}}{{template \"a\" slice . 1}}{{end}}{{end}}";
        assert_eq!(problem(&format!("{tree}{{{{template \"a\" \"12345678\"}}}}")), None);
        assert_eq!(
            problem(&format!("{tree}{{{{template \"a\" \"12345678901234567890\"}}}}")),
            Some(TemplateProblem::TooMuchWork)
        );
    }

    #[test]
    fn a_call_has_at_most_99_arguments() {
        let call = |count: usize| format!("{{{{print{}}}}}", " 1".repeat(count));
        assert!(check_template(&call(ARGUMENTS_MAX - 1)).is_ok());
        assert!(check_template(&call(ARGUMENTS_MAX)).is_err());
    }

    #[test]
    fn a_template_has_at_most_64_kib() {
        let long = |length: usize| format!("{{{{/*{}*/}}}}", "x".repeat(length - 8));
        assert!(check_template(&long(TEMPLATE_BYTES_MAX)).is_ok());
        assert!(check_template(&long(TEMPLATE_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn nesting_is_bounded() {
        let parentheses = |depth: usize| format!("{{{{{}1{}}}}}", "(".repeat(depth), ")".repeat(depth));
        let blocks = |depth: usize| format!("{}{}", "{{if 1}}".repeat(depth), "{{end}}".repeat(depth));
        let chain = |depth: usize| format!("{{{{if 1}}}}{}{{{{end}}}}", "{{else if 1}}".repeat(depth));
        for (template, most) in [(&parentheses as &dyn Fn(usize) -> String, 40), (&blocks, 40), (&chain, 39)]
        {
            assert_eq!(problem(&template(most)), None);
            for above in [most + 1, 4_000] {
                let refusal = problem(&template(above)).unwrap().to_string();
                assert!(refusal.contains("more than 40 deep"), "{refusal}");
            }
        }
        assert_eq!(problem(&format!("{{{{\"{}\"}}}}", "(".repeat(50))), None);
    }
}
