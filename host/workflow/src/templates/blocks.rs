//! Whether the blocks of a template open and close in pairs.
//!
//! gotmpl's parser stops silently at an `end` or `else` too many, and takes the end of the text for a missing `end`;
//! its tree does not show it. So this looks at the text: only the first word of each action matters.

use super::TemplateProblem;

/// How deep blocks may stand in each other; an `else if` or `else with` stands in the block that it leads on.
const BLOCKS_DEEP_MAX: usize = 40;
/// How deep parentheses may stand in each other.
const PARENTHESES_DEEP_MAX: usize = 40;

struct Block {
    keyword: &'static str,
    has_else: bool,
    /// How many blocks deep its last branch is.
    depth: usize,
}

/// Refuses `end`, `else`, `break` and `continue` without their block, a block without `end`, a nested `define`. What no
/// action can be found in is left to the parser.
pub(super) fn check(template: &str) -> Result<(), TemplateProblem> {
    let mut open: Vec<Block> = Vec::new();
    let mut rest = template;
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((action, next)) = split_action(after) else { return Ok(()) };
        rest = next;
        check_parentheses(action)?;
        enter(&mut open, action)?;
    }
    match open.last() {
        Some(block) => Err(refusal(format!("`{{{{{}}}}}` has no `{{{{end}}}}`", block.keyword))),
        None => Ok(()),
    }
}

fn enter(open: &mut Vec<Block>, action: &str) -> Result<(), TemplateProblem> {
    let word_end = action.find(|character: char| !character.is_alphanumeric() && character != '_');
    let word = action.get(..word_end.unwrap_or(action.len())).unwrap_or_default();
    const OPENING: [&str; 5] = ["if", "range", "with", "block", "define"];
    if let Some(keyword) = OPENING.into_iter().find(|opening| *opening == word) {
        if keyword == "define" && !open.is_empty() {
            return Err(refusal(
                "`{{define}}` stands inside another block; move it to the beginning".to_owned(),
            ));
        }
        let depth = open.last().map_or(0, |block| block.depth) + 1;
        open.push(Block { keyword, has_else: false, depth });
        return check_depth(depth);
    }
    match word {
        "end" => match open.pop() {
            Some(_) => Ok(()),
            None => Err(refusal("`{{end}}` closes nothing; delete it, or open a block before it".to_owned())),
        },
        "else" => match open.last_mut() {
            Some(block) if ["if", "range", "with"].contains(&block.keyword) && !block.has_else => {
                block.has_else = !leads_on(action);
                block.depth += usize::from(!block.has_else);
                check_depth(block.depth)
            }
            _ => Err(refusal("`{{else}}` belongs to no `{{if}}`, `{{range}}` or `{{with}}`".to_owned())),
        },
        "break" | "continue" => {
            let in_range = open.iter().any(|block| block.keyword == "range" && !block.has_else);
            if in_range {
                Ok(())
            } else {
                Err(refusal(format!("`{{{{{word}}}}}` stands outside of a `{{{{range}}}}`")))
            }
        }
        _ => Ok(()),
    }
}

fn check_depth(depth: usize) -> Result<(), TemplateProblem> {
    if depth <= BLOCKS_DEEP_MAX {
        return Ok(());
    }
    Err(refusal(format!("its blocks stand more than {BLOCKS_DEEP_MAX} deep in each other; make it simpler")))
}

/// Parentheses in quotes are text.
fn check_parentheses(action: &str) -> Result<(), TemplateProblem> {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    for character in action.chars() {
        match (quote, character) {
            _ if escaped => escaped = false,
            (Some('"' | '\''), '\\') => escaped = true,
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
        if depth > PARENTHESES_DEEP_MAX {
            return Err(refusal(format!(
                "its parentheses stand more than {PARENTHESES_DEEP_MAX} deep in each other; make it simpler"
            )));
        }
    }
    Ok(())
}

/// Whether it is an `else if` or `else with`, after which another `else` may come.
fn leads_on(action: &str) -> bool {
    action.split_whitespace().nth(1).is_some_and(|word| word == "if" || word == "with")
}

/// The action that `text` begins with, after its `{{`, and what follows its `}}`.
fn split_action(text: &str) -> Option<(&str, &str)> {
    let trimmed = match text.strip_prefix('-') {
        Some(rest) if rest.starts_with([' ', '\t', '\r', '\n']) => rest,
        _ => text,
    };
    let action = trimmed.trim_start();
    if let Some(comment) = action.strip_prefix("/*") {
        let (_, after) = comment.split_once("*/")?;
        return Some(("", after.split_once("}}")?.1));
    }
    let mut characters = action.char_indices();
    while let Some((offset, character)) = characters.next() {
        match character {
            '"' | '\'' => loop {
                match characters.next()? {
                    (_, '\\') => drop(characters.next()),
                    (_, end) if end == character => break,
                    _ => {}
                }
            },
            '`' => drop(characters.find(|(_, end)| *end == '`')?),
            '}' => {
                if let Some(next) = action.get(offset..).and_then(|rest| rest.strip_prefix("}}")) {
                    return Some((action.get(..offset).unwrap_or_default(), next));
                }
            }
            _ => {}
        }
    }
    None
}

fn refusal(message: String) -> TemplateProblem {
    TemplateProblem::Syntax(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_accepted() {
        for template in [
            "{{if .A}}{{else if .B}}{{else}}{{end}}",
            "{{- range .A -}}{{break}}{{if .B}}{{continue}}{{end}}{{else}}{{end}}",
            "{{\"}}{{end}}\"}}",
            "{{`{{if}}`}}",
            "{{'\\''}}{{with .A}}{{end}}",
            "{{/* {{if}} */}}",
            "{{ending}} {{iffy}}",
            "{{define \"a\"}}{{end}}{{block \"b\" .}}{{end}}",
            "}} lone",
        ] {
            assert_eq!(check(template), Ok(()), "{template}");
        }
    }

    #[test]
    fn odd_ones_are_refused() {
        for template in [
            "{{if .A}}",
            "{{end}}",
            "{{if .A}}{{end}}{{end}}",
            "{{else}}",
            "{{if .A}}{{else}}{{else}}{{end}}",
            "{{if .A}}{{else}}{{else if .B}}{{end}}",
            "{{block \"b\" .}}{{else}}{{end}}",
            "{{break}}",
            "{{range .A}}{{else}}{{continue}}{{end}}",
            "{{if .A}}{{define \"a\"}}{{end}}{{end}}",
            "{{- end -}}",
        ] {
            assert!(check(template).is_err(), "{template}");
        }
    }
}
