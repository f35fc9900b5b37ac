//! Finds the few conditions that a message may meet, reading it once.
//!
//! Each condition is known by texts of which a message that meets it holds one: the phrase itself, or what its pattern requires.
//! One automaton finds them all. It knows no letter case, so that one reading serves phrases that ignore it and those that do
//! not; what it finds is a candidate, and is looked at by the condition itself.

use std::collections::HashMap;
use std::fmt;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind, StartKind};

use crate::folding::folded;
use crate::model::Condition;
use crate::triggers::is_word;

/// How much of a text the automaton looks for, in bytes. More would find hardly fewer candidates.
const TEXT_BYTES_MAX: usize = 32;
/// The most memory that the fast form of the automaton may take, in bytes; above it a smaller one is used.
const FAST_BYTES_MAX: usize = 128 * 1024 * 1024;
/// What the fast form takes for each state and kind of byte, in bytes.
const TRANSITION_BYTES: usize = 4;

/// Which conditions a message may meet. Conditions are numbers: their places in the order they were given.
#[derive(Clone, Default)]
pub(crate) struct Screen {
    automaton: Option<AhoCorasick>,
    /// By the automaton's numbers.
    texts: Vec<Text>,
    /// Conditions that nothing is known of.
    always: Vec<usize>,
}

/// What is known by a text.
#[derive(Clone, Default)]
struct Text {
    /// Phrases: what stands around them must be no word. Those that are cut may go on.
    phrases: Vec<usize>,
    cut_phrases: Vec<usize>,
    patterns: Vec<usize>,
}

impl Screen {
    pub(crate) fn new<'a>(conditions: impl Iterator<Item = &'a Condition>) -> Screen {
        let (mut texts, mut always) = (HashMap::<String, Text>::new(), Vec::new());
        for (number, condition) in conditions.enumerate() {
            match condition {
                // What is taken out of prose leaves a line break, which the message itself does not have.
                Condition::Text { text, .. } if text.contains('\n') => always.push(number),
                Condition::Text { text, .. } => {
                    let whole = folded(text);
                    let known = cut(&whole);
                    let text = texts.entry(known.to_owned()).or_default();
                    if known.len() == whole.len() {
                        text.phrases.push(number);
                    } else {
                        text.cut_phrases.push(number);
                    }
                }
                Condition::Pattern(pattern) => match pattern.required() {
                    Some(required) if !required.iter().any(|text| text.contains('\n')) => {
                        for whole in required {
                            texts.entry(cut(&whole).to_owned()).or_default().patterns.push(number);
                        }
                    }
                    _ => always.push(number),
                },
            }
        }
        let mut texts: Vec<(String, Text)> = texts.into_iter().collect();
        texts.sort_by(|(a, _), (b, _)| a.cmp(b));
        let automaton = automaton(&texts);
        if automaton.is_none() {
            // It does not fit into memory at all, or there is nothing to find.
            always.extend(texts.iter().flat_map(|(_, text)| text.all()));
            always.sort_unstable();
            always.dedup();
        }
        Screen { automaton, texts: texts.into_iter().map(|(_, text)| text).collect(), always }
    }

    /// The conditions that a message may meet, in order, each once. `message` is folded.
    pub(crate) fn candidates(&self, message: &str) -> Vec<usize> {
        let mut candidates = self.always.clone();
        let Some(automaton) = &self.automaton else { return candidates };
        // What was found already: as phrase, as cut phrase, as part of a pattern.
        let mut seen: Vec<[bool; 3]> = Vec::new();
        for found in automaton.find_overlapping_iter(message) {
            if seen.is_empty() {
                seen.resize(self.texts.len(), [false; 3]);
            }
            let number = found.pattern().as_usize();
            let (Some(text), Some(seen)) = (self.texts.get(number), seen.get_mut(number)) else { continue };
            let begins =
                !message.get(..found.start()).and_then(|text| text.chars().next_back()).is_some_and(is_word);
            let ends = !message.get(found.end()..).and_then(|text| text.chars().next()).is_some_and(is_word);
            let fits = [begins && ends, begins, true];
            let lists = [&text.phrases, &text.cut_phrases, &text.patterns];
            for ((seen, fits), list) in seen.iter_mut().zip(fits).zip(lists) {
                if fits && !*seen {
                    *seen = true;
                    candidates.extend(list);
                }
            }
        }
        if !seen.is_empty() {
            candidates.sort_unstable();
            candidates.dedup();
        }
        candidates
    }
}

impl Text {
    fn all(&self) -> impl Iterator<Item = usize> {
        self.phrases.iter().chain(&self.cut_phrases).chain(&self.patterns).copied()
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (texts, always) = (self.texts.len(), self.always.len());
        formatter.debug_struct("Screen").field("texts", &texts).field("always", &always).finish()
    }
}

/// The beginning of a text, whole characters.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or(text)
}

fn automaton(texts: &[(String, Text)]) -> Option<AhoCorasick> {
    if texts.is_empty() {
        return None;
    }
    let states: usize = texts.iter().map(|(text, _)| text.len()).sum();
    let mut kinds = [false; 256];
    texts.iter().flat_map(|(text, _)| text.bytes()).for_each(|byte| {
        if let Some(kind) = kinds.get_mut(usize::from(byte)) {
            *kind = true;
        }
    });
    let kinds = kinds.iter().filter(|kind| **kind).count();
    // Bytes between two that count may be a kind of their own; the form rounds up to a power of two.
    let stride = (2 * kinds + 1).min(256).next_power_of_two();
    let fast = states.saturating_mul(stride).saturating_mul(TRANSITION_BYTES) <= FAST_BYTES_MAX;
    let kind = if fast { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
    AhoCorasick::builder()
        .kind(Some(kind))
        .match_kind(MatchKind::Standard)
        .start_kind(StartKind::Unanchored)
        // A quick search for a few texts would only make small sets quicker than they need to be.
        .prefilter(false)
        .build(texts.iter().map(|(text, _)| text))
        .ok()
}
