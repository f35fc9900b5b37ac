//! Which variables a template reads, as far as its text alone tells.
//!
//! Where a value comes from is followed through `$variables`, `with`, `index` with literal keys and calls of defined
//! templates. Where it is not known, nothing is read: a check built on this never guesses.

use std::collections::{BTreeMap, BTreeSet};

use gotmpl::parse::{BranchNode, CommandNode, Expr, ListNode, Node, PipeNode, SmolStr};

/// How deep templates that call each other are followed.
const CALLS_DEEP_MAX: usize = 8;
/// How many nodes and expressions of one template are looked at, calls of defined templates counted each time.
const VISITS_MAX: usize = 20_000;

/// A member on the way from the root of the data to a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    pub(crate) name: String,
    /// Whether `index` reads it, for which a missing member is nil, and no error.
    pub(crate) by_index: bool,
}

/// One reading of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) path: Vec<Segment>,
    /// Whether the value is printed as it is, so that nil is an error.
    pub(crate) is_printed: bool,
    /// Where the path stands in the template, in bytes, when it stands there as one word.
    pub(crate) place: Option<std::ops::Range<usize>>,
    /// Paths that are set wherever this is read, since a condition around it tests them.
    pub(crate) tested: Vec<Vec<String>>,
}

impl Read {
    /// Whether the template fails when the member at `level` of the path is not there.
    pub(crate) fn fails_without(&self, level: usize) -> bool {
        let by_field = self.path.get(level).is_none_or(|segment| !segment.by_index);
        let index_of_nil = self.path.iter().skip(level + 1).any(|segment| segment.by_index);
        by_field || index_of_nil || self.is_printed
    }

    /// The path as people write it.
    pub(crate) fn shown(&self) -> String {
        self.path.iter().map(|segment| format!(".{}", segment.name)).collect()
    }
}

/// What is known of a value: its path from the root, or nothing.
type Known = Option<Vec<Segment>>;

/// The variables that a template reads; `defined` are the templates in it.
pub(super) fn reads(text: &str, tree: &ListNode, defined: &BTreeMap<String, ListNode>) -> Vec<Read> {
    let mut assigned = BTreeSet::new();
    for tree in defined.values().chain([tree]) {
        assigned_in_list(tree, &mut assigned);
    }
    let mut reader = Reader {
        text,
        defined,
        assigned,
        dot: Some(Vec::new()),
        variables: vec![("$", Some(Vec::new()))],
        tested: Vec::new(),
        found: Vec::new(),
        calls_deep: 0,
        visits: 0,
    };
    reader.list(tree);
    reader.found
}

struct Reader<'tree> {
    text: &'tree str,
    defined: &'tree BTreeMap<String, ListNode>,
    /// Variables that get another value after their declaration: nobody knows which they have.
    assigned: BTreeSet<&'tree str>,
    dot: Known,
    variables: Vec<(&'tree str, Known)>,
    tested: Vec<Vec<String>>,
    found: Vec<Read>,
    calls_deep: usize,
    visits: usize,
}

impl<'tree> Reader<'tree> {
    fn is_spent(&mut self) -> bool {
        self.visits += 1;
        self.visits > VISITS_MAX
    }

    fn list(&mut self, list: &'tree ListNode) {
        for node in &list.nodes {
            if self.is_spent() {
                return;
            }
            match node {
                Node::List(list) => self.list(list),
                Node::Action(action) => {
                    let from = self.found.len();
                    let value = self.pipe(&action.pipe);
                    if action.pipe.decl.is_empty() && value.is_some() {
                        // The last reading is the printed value's.
                        if let Some(read) = self.found.get_mut(from..).and_then(<[Read]>::last_mut) {
                            read.is_printed = true;
                        }
                    }
                }
                Node::If(branch) => self.branch(branch, Branch::If),
                Node::With(branch) => self.branch(branch, Branch::With),
                Node::Range(branch) => self.branch(branch, Branch::Range),
                Node::Template(call) => {
                    let dot = call.pipe.as_ref().and_then(|pipe| self.pipe(pipe));
                    self.call(&call.name, dot);
                }
                Node::Text(_) | Node::Define(_) | Node::Break(_) | Node::Continue(_) => {}
            }
        }
    }

    fn call(&mut self, name: &str, dot: Known) {
        let Some(tree) = self.defined.get(name).filter(|_| self.calls_deep < CALLS_DEEP_MAX) else { return };
        self.calls_deep += 1;
        let dot_before = std::mem::replace(&mut self.dot, dot.clone());
        let variables = std::mem::replace(&mut self.variables, vec![("$", dot)]);
        self.list(tree);
        self.dot = dot_before;
        self.variables = variables;
        self.calls_deep -= 1;
    }

    fn branch(&mut self, branch: &'tree BranchNode, kind: Branch) {
        let (variables, tested) = (self.variables.len(), self.tested.len());
        let (when_true, when_false) = if matches!(kind, Branch::Range) {
            (Vec::new(), Vec::new())
        } else {
            (self.facts_of_pipe(&branch.pipe, true), self.facts_of_pipe(&branch.pipe, false))
        };
        let value = if matches!(kind, Branch::Range) {
            // What it declares are members, not the value itself.
            for command in &branch.pipe.commands {
                self.command(command, false);
            }
            self.variables.extend(branch.pipe.decl.iter().map(|name| (name.as_str(), None)));
            None
        } else {
            self.pipe(&branch.pipe)
        };
        let inside = self.variables.len();
        let dot = self.dot.clone();
        if !matches!(kind, Branch::If) {
            self.dot = value;
        }
        self.tested.extend(when_true);
        self.list(&branch.body);
        self.dot = dot;
        self.variables.truncate(inside);
        self.tested.truncate(tested);
        if let Some(other) = &branch.else_body {
            self.tested.extend(when_false);
            self.list(other);
            self.tested.truncate(tested);
        }
        self.variables.truncate(variables);
    }

    fn pipe(&mut self, pipe: &'tree PipeNode) -> Known {
        let mut value = None;
        for (place, command) in pipe.commands.iter().enumerate() {
            value = self.command(command, place > 0);
        }
        if !pipe.is_assign {
            for name in &pipe.decl {
                let known = value.clone().filter(|_| !self.assigned.contains(name.as_str()));
                self.variables.push((name, known));
            }
        }
        value
    }

    fn command(&mut self, command: &'tree CommandNode, is_piped: bool) -> Known {
        let (first, arguments) = command.args.split_first()?;
        let Expr::Identifier(_, function) = first else { return self.expression(first) };
        match function.as_str() {
            "and" | "or" => {
                // The arguments are looked at in order, and only while those before are true, or false.
                let tested = self.tested.len();
                for argument in arguments {
                    self.expression(argument);
                    let facts = self.facts_of_expression(argument, function == "and");
                    self.tested.extend(facts);
                }
                self.tested.truncate(tested);
                None
            }
            "index" if !is_piped => self.index(arguments),
            _ => {
                for argument in arguments {
                    self.expression(argument);
                }
                None
            }
        }
    }

    fn index(&mut self, arguments: &'tree [Expr]) -> Known {
        let (base, keys) = arguments.split_first()?;
        let from = self.found.len();
        let base = self.expression(base);
        let mut literal = Vec::new();
        for key in keys {
            self.expression(key);
            literal.push(match key {
                Expr::String(_, name) => Some(Segment { name: name.to_string(), by_index: true }),
                _ => None,
            });
        }
        let mut path = base?;
        path.extend(literal.into_iter().collect::<Option<Vec<_>>>()?);
        // The reading of the base is part of this one.
        self.found.truncate(from);
        Some(self.read(path, None))
    }

    fn expression(&mut self, expression: &'tree Expr) -> Known {
        if self.is_spent() {
            return None;
        }
        match expression {
            Expr::Dot(_) => self.dot.clone(),
            Expr::Field(position, fields) => {
                let base = self.dot.clone()?;
                Some(self.fields(base, fields, position.offset, ""))
            }
            Expr::Variable(position, name, fields) => {
                let (_, known) =
                    self.variables.iter().rev().find(|(declared, _)| *declared == name.as_str())?;
                let base = known.clone()?;
                Some(if fields.is_empty() { base } else { self.fields(base, fields, position.offset, name) })
            }
            Expr::Pipe(_, pipe) => self.pipe(pipe),
            Expr::Chain(_, inner, fields) => {
                let from = self.found.len();
                let base = match inner.as_ref() {
                    Expr::Identifier(..) => None,
                    inner => self.expression(inner),
                }?;
                self.found.truncate(from.max(self.found.len().saturating_sub(1)));
                Some(self.fields(base, fields, usize::MAX, ""))
            }
            _ => None,
        }
    }

    /// Reads members of `base`; they stand at `offset`, after the variable `name`, unless the text there is another.
    fn fields(&mut self, base: Vec<Segment>, fields: &[SmolStr], offset: usize, name: &str) -> Vec<Segment> {
        let written = fields.iter().fold(name.to_owned(), |before, field| format!("{before}.{field}"));
        let end = offset.saturating_add(written.len());
        let place = self.text.get(offset..end).filter(|there| *there == written).map(|_| offset..end);
        let segments = fields.iter().map(|field| Segment { name: field.to_string(), by_index: false });
        let path = base.into_iter().chain(segments).collect();
        self.read(path, place)
    }

    fn read(&mut self, path: Vec<Segment>, place: Option<std::ops::Range<usize>>) -> Vec<Segment> {
        let tested = self.tested.clone();
        self.found.push(Read { path: path.clone(), is_printed: false, place, tested });
        path
    }

    /// The paths that are set when the value of `pipe` is true, or false.
    fn facts_of_pipe(&mut self, pipe: &'tree PipeNode, truth: bool) -> Vec<Vec<String>> {
        match pipe.commands.as_slice() {
            [command] => match command.args.as_slice() {
                [Expr::Identifier(_, name), arguments @ ..] => match (name.as_str(), truth) {
                    ("and", true) | ("or", false) => arguments
                        .iter()
                        .flat_map(|argument| self.facts_of_expression(argument, truth))
                        .collect(),
                    ("and" | "or", _) => Vec::new(),
                    ("not", _) => {
                        arguments.iter().flat_map(|one| self.facts_of_expression(one, !truth)).collect()
                    }
                    ("index", true) => self.mentioned(|reader| reader.command(command, false)),
                    ("index", false) => Vec::new(),
                    // A comparison, or something else that looks at the value: give it the benefit of the doubt.
                    _ => self.mentioned(|reader| reader.command(command, false)),
                },
                [only] => self.facts_of_expression(only, truth),
                _ => Vec::new(),
            },
            _ => self.mentioned(|reader| {
                pipe.commands.iter().fold(None, |_, command| reader.command(command, true))
            }),
        }
    }

    fn facts_of_expression(&mut self, expression: &'tree Expr, truth: bool) -> Vec<Vec<String>> {
        match expression {
            Expr::Pipe(_, pipe) => self.facts_of_pipe(pipe, truth),
            _ if !truth => Vec::new(),
            Expr::Variable(_, _, fields) if fields.is_empty() => {
                let path = self.expression(expression);
                path.into_iter().map(|path| path.into_iter().map(|segment| segment.name).collect()).collect()
            }
            _ => self.mentioned(|reader| reader.expression(expression)),
        }
    }

    /// The paths that an evaluation reads, which itself leaves no trace.
    fn mentioned(&mut self, evaluate: impl FnOnce(&mut Self) -> Known) -> Vec<Vec<String>> {
        let (from, variables) = (self.found.len(), self.variables.len());
        evaluate(self);
        self.variables.truncate(variables);
        let reads = self.found.split_off(from.min(self.found.len()));
        reads.into_iter().map(|read| read.path.into_iter().map(|segment| segment.name).collect()).collect()
    }
}

#[derive(Clone, Copy)]
enum Branch {
    If,
    With,
    Range,
}

fn assigned_in_list<'tree>(list: &'tree ListNode, assigned: &mut BTreeSet<&'tree str>) {
    let mut pipe = |pipe: &'tree PipeNode| {
        if pipe.is_assign {
            assigned.extend(pipe.decl.iter().map(SmolStr::as_str));
        }
    };
    let mut inner = Vec::new();
    for node in &list.nodes {
        match node {
            Node::List(list) => inner.push(list),
            Node::Action(action) => pipe(&action.pipe),
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                pipe(&branch.pipe);
                inner.push(&branch.body);
                inner.extend(&branch.else_body);
            }
            _ => {}
        }
    }
    for list in inner {
        assigned_in_list(list, assigned);
    }
}
