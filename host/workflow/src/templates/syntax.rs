//! Functions, variables and templates that a template uses without their being there. Go refuses them when it parses;
//! gotmpl only when it executes the very place, which may be in the middle of an incident.

use std::collections::BTreeSet;

use gotmpl::parse::{BranchNode, CommandNode, Expr, ListNode, Node, PipeNode};

use super::TemplateProblem;
use crate::spelling;

/// The functions of Go's text/template, and `default`.
const FUNCTIONS: [&str; 20] = [
    "and", "call", "default", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or",
    "print", "printf", "println", "slice", "urlquery",
];

/// Checks one tree; `templates` are the names that `define` and `block` gave.
pub(super) fn check(tree: &ListNode, templates: &BTreeSet<&str>) -> Result<(), TemplateProblem> {
    Scope { variables: vec!["$"], templates }.list(tree)
}

struct Scope<'tree, 'names> {
    variables: Vec<&'tree str>,
    templates: &'names BTreeSet<&'names str>,
}

impl<'tree> Scope<'tree, '_> {
    fn list(&mut self, list: &'tree ListNode) -> Result<(), TemplateProblem> {
        list.nodes.iter().try_for_each(|node| match node {
            Node::List(list) => self.list(list),
            Node::Action(action) => self.pipe(&action.pipe),
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => self.branch(branch),
            Node::Template(call) => {
                if !self.templates.contains(call.name.as_str()) {
                    // The string itself is a template too, but nobody means it.
                    let others = self.templates.iter().copied().filter(|name| *name != super::NAME);
                    let help = spelling::suggestion(&call.name, others);
                    return Err(refusal(format!("the template {:?} is not defined; {help}", call.name)));
                }
                call.pipe.as_ref().map_or(Ok(()), |pipe| self.pipe(pipe))
            }
            Node::Text(_) | Node::Define(_) | Node::Break(_) | Node::Continue(_) => Ok(()),
        })
    }

    /// What a branch's pipe declares lives in both of its bodies, what a body declares in that body.
    fn branch(&mut self, branch: &'tree BranchNode) -> Result<(), TemplateProblem> {
        let outside = self.variables.len();
        self.pipe(&branch.pipe)?;
        let inside = self.variables.len();
        self.list(&branch.body)?;
        self.variables.truncate(inside);
        if let Some(other) = &branch.else_body {
            self.list(other)?;
        }
        self.variables.truncate(outside);
        Ok(())
    }

    fn pipe(&mut self, pipe: &'tree PipeNode) -> Result<(), TemplateProblem> {
        pipe.commands.iter().try_for_each(|command| self.command(command))?;
        for name in &pipe.decl {
            if pipe.is_assign {
                self.variable(name)?;
            } else {
                self.variables.push(name);
            }
        }
        Ok(())
    }

    fn command(&mut self, command: &'tree CommandNode) -> Result<(), TemplateProblem> {
        if super::meter::has_too_many_arguments(command) {
            return Err(refusal("a function has too many arguments, at most 99 may be".to_owned()));
        }
        command.args.iter().try_for_each(|argument| self.expression(argument))
    }

    fn expression(&mut self, expression: &'tree Expr) -> Result<(), TemplateProblem> {
        match expression {
            Expr::Identifier(_, name) if FUNCTIONS.contains(&name.as_str()) => Ok(()),
            Expr::Identifier(_, name) => {
                let help = match spelling::nearest(name, FUNCTIONS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "values begin with a dot: `.Action`, `.Trigger`, `.Instance`".to_owned(),
                };
                Err(refusal(format!("there is no function `{name}`; {help}")))
            }
            Expr::Variable(_, name, _) => self.variable(name),
            Expr::Pipe(_, pipe) => self.pipe(pipe),
            Expr::Chain(_, inner, _) => self.expression(inner),
            Expr::Dot(_)
            | Expr::Field(..)
            | Expr::String(..)
            | Expr::Number(..)
            | Expr::Bool(..)
            | Expr::Nil(_) => Ok(()),
        }
    }

    fn variable(&self, name: &str) -> Result<(), TemplateProblem> {
        if self.variables.contains(&name) {
            return Ok(());
        }
        Err(refusal(format!(
            "the variable `{name}` is not declared here; declare it before: {{{{{name} := ...}}}}"
        )))
    }
}

fn refusal(message: String) -> TemplateProblem {
    TemplateProblem::Syntax(message)
}
