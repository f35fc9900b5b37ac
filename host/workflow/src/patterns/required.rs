//! What every match of a pattern holds, so that messages without it need not be searched.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::folding::fold;

/// A text that is shorter, in bytes, stands in too many messages to be worth looking for.
const BYTES_MIN: usize = 2;
/// More texts than this are not worth it either.
const TEXTS_MAX: usize = 64;

/// Texts, folded, of which every match holds at least one.
pub(super) fn texts(hir: &Hir) -> Option<Vec<String>> {
    let texts = match walk(hir) {
        Holds::Exactly(text) => BTreeSet::from([text]),
        Holds::OneOf(texts) => texts,
        Holds::Anything => return None,
    };
    let worth_it = texts.len() <= TEXTS_MAX && shortest(&texts) >= BYTES_MIN;
    worth_it.then(|| texts.into_iter().collect())
}

/// What a match of a part holds.
enum Holds {
    /// Nothing but this.
    Exactly(String),
    /// At least one of these.
    OneOf(BTreeSet<String>),
    /// Nobody knows.
    Anything,
}

fn walk(hir: &Hir) -> Holds {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Holds::Exactly(String::new()),
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => Holds::Exactly(text.chars().map(fold).collect()),
            Err(_) => Holds::Anything,
        },
        HirKind::Class(Class::Unicode(class)) => {
            // A letter in either case; larger classes say nothing.
            let all = class.iter().flat_map(|range| range.start()..=range.end());
            let folded: BTreeSet<char> = all.take(CASES_MAX + 1).map(fold).collect();
            match folded.first() {
                Some(only) if folded.len() == 1 && class_len(class) <= CASES_MAX => {
                    Holds::Exactly(only.to_string())
                }
                _ => Holds::Anything,
            }
        }
        HirKind::Class(Class::Bytes(_)) => Holds::Anything,
        HirKind::Capture(capture) => walk(&capture.sub),
        HirKind::Repetition(repetition) => match walk(&repetition.sub) {
            holds if repetition.min == 1 && repetition.max == Some(1) => holds,
            Holds::Exactly(text) if repetition.min > 0 => Holds::OneOf([text].into()),
            Holds::OneOf(texts) if repetition.min > 0 => Holds::OneOf(texts),
            _ => Holds::Anything,
        },
        HirKind::Concat(parts) => concatenation(parts),
        HirKind::Alternation(parts) => alternation(parts),
    }
}

/// The most characters that differ in case only.
const CASES_MAX: usize = 4;

fn class_len(class: &regex_syntax::hir::ClassUnicode) -> usize {
    class.iter().map(regex_syntax::hir::ClassUnicodeRange::len).sum()
}

/// The longest of what the parts hold one after the other.
fn concatenation(parts: &[Hir]) -> Holds {
    let (mut run, mut best) = (String::new(), BTreeSet::new());
    let mut is_exact = true;
    let better = |best: &mut BTreeSet<String>, texts: BTreeSet<String>| {
        if texts.len() <= TEXTS_MAX && shortest(&texts) > shortest(best) {
            *best = texts;
        }
    };
    for part in parts {
        match walk(part) {
            Holds::Exactly(text) => run.push_str(&text),
            other => {
                is_exact = false;
                better(&mut best, [std::mem::take(&mut run)].into());
                if let Holds::OneOf(texts) = other {
                    better(&mut best, texts);
                }
            }
        }
    }
    if is_exact {
        return Holds::Exactly(run);
    }
    better(&mut best, [run].into());
    if best.is_empty() { Holds::Anything } else { Holds::OneOf(best) }
}

fn alternation(parts: &[Hir]) -> Holds {
    let mut texts = BTreeSet::new();
    for part in parts {
        match walk(part) {
            Holds::Exactly(text) => drop(texts.insert(text)),
            Holds::OneOf(more) => texts.extend(more),
            Holds::Anything => return Holds::Anything,
        }
        if texts.len() > TEXTS_MAX {
            return Holds::Anything;
        }
    }
    Holds::OneOf(texts)
}

fn shortest(texts: &BTreeSet<String>) -> usize {
    texts.iter().map(String::len).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use crate::patterns::Pattern;

    fn required(pattern: &str) -> Option<Vec<String>> {
        Pattern::new(pattern).unwrap().required()
    }

    #[test]
    fn the_longest_text_that_must_be_there_is_found() {
        let found = |pattern: &str, texts: &[&str]| {
            assert_eq!(required(pattern).unwrap(), texts, "{pattern}");
        };
        found(r"^\[FIRING:\d+\] HighLatency", &["] highlatency"]);
        found("(?i)Critical", &["critical"]);
        found("disk full|out of memory", &["disk full", "out of memory"]);
        found(r"(?:PROBLEM|DOWN)\s+\S+", &["down", "problem"]);
        found(r"x(ab)+y", &["ab"]);
        found(r"\bweb\d\b", &["web"]);
    }

    #[test]
    fn what_need_not_be_there_is_not_required() {
        for pattern in [r"\d+", "a", "(?:abc)?", "(?:abc)*|def", "[a-z]+", "abc|", "."] {
            assert_eq!(required(pattern), None, "{pattern}");
        }
    }
}
