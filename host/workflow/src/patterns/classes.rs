//! Classes of characters: what Go's `\d`, `[:alpha:]` and `\p{Greek}` mean.

use std::collections::HashMap;

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

use super::scripts::SCRIPTS;

/// Go's general categories. The group `C` is spelled out: Go's has no unassigned characters in it.
const CATEGORIES: [&str; 37] = [
    "C", "Cc", "Cf", "Co", "Cs", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl",
    "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs",
    "Any",
];

/// A class of these ranges. Ranges of code points that no text holds are left out.
pub(super) fn of(ranges: &[(u32, u32)]) -> ClassUnicode {
    ClassUnicode::new(ranges.iter().filter_map(|(low, high)| range(*low, *high)))
}

/// The range between two code points, without surrogates at its ends; none when nothing is left.
pub(super) fn range(low: u32, high: u32) -> Option<ClassUnicodeRange> {
    let low = char::from_u32(low).unwrap_or('\u{E000}');
    let high = char::from_u32(high).unwrap_or('\u{D7FF}');
    (low <= high).then(|| ClassUnicodeRange::new(low, high))
}

/// Go's `\d`, `\s`, `\w`: ASCII. The letter is in lower case.
pub(super) fn perl(letter: char) -> Option<ClassUnicode> {
    Some(match letter {
        'd' => of(&[(0x30, 0x39)]),
        's' => of(&[(0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)]),
        'w' => of(&[(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]),
        _ => return None,
    })
}

/// A class of POSIX by its name, such as `alpha`: ASCII too.
pub(super) fn posix(name: &str) -> Option<ClassUnicode> {
    Some(match name {
        "alnum" => of(&[(0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)]),
        "alpha" => of(&[(0x41, 0x5A), (0x61, 0x7A)]),
        "ascii" => of(&[(0x00, 0x7F)]),
        "blank" => of(&[(0x09, 0x09), (0x20, 0x20)]),
        "cntrl" => of(&[(0x00, 0x1F), (0x7F, 0x7F)]),
        "digit" => of(&[(0x30, 0x39)]),
        "graph" => of(&[(0x21, 0x7E)]),
        "lower" => of(&[(0x61, 0x7A)]),
        "print" => of(&[(0x20, 0x7E)]),
        "punct" => of(&[(0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)]),
        "space" => of(&[(0x09, 0x0D), (0x20, 0x20)]),
        "upper" => of(&[(0x41, 0x5A)]),
        "word" => of(&[(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]),
        "xdigit" => of(&[(0x30, 0x39), (0x41, 0x46), (0x61, 0x66)]),
        _ => return None,
    })
}

/// Unicode's classes, each looked up once for a pattern: a pattern can name the same one a thousand times.
#[derive(Default)]
pub(super) struct Unicode {
    known: HashMap<(String, bool), Option<ClassUnicode>>,
}

impl Unicode {
    /// A category or script by Go's name for it; `fold` adds what differs in case only.
    pub(super) fn class(&mut self, name: &str, fold: bool) -> Option<ClassUnicode> {
        let known = self.known.entry((name.to_owned(), fold));
        known.or_insert_with(|| look_up(name, fold)).clone()
    }
}

fn look_up(name: &str, fold: bool) -> Option<ClassUnicode> {
    let mut class = match name {
        "Any" => of(&[(0x00, 0x10_FFFF)]),
        // Of surrogates no text consists.
        "Cs" => of(&[]),
        "C" => {
            let mut class = ClassUnicode::empty();
            for part in ["Cc", "Cf", "Co"] {
                class.union(&table(&format!(r"\p{{{part}}}"))?);
            }
            class
        }
        _ if CATEGORIES.contains(&name) => table(&format!(r"\p{{{name}}}"))?,
        _ if SCRIPTS.binary_search(&name).is_ok() => table(&format!(r"\p{{Script={name}}}"))?,
        _ => return None,
    };
    if fold {
        class.case_fold_simple();
    }
    Some(class)
}

/// The tables of regex-syntax are reached by its parser only.
fn table(pattern: &str) -> Option<ClassUnicode> {
    match regex_syntax::parse(pattern).ok()?.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class),
        // A class of one character is simplified.
        HirKind::Literal(literal) => {
            let character = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
            Some(ClassUnicode::new([ClassUnicodeRange::new(character, character)]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_go_is_known() {
        let mut unicode = Unicode::default();
        for name in CATEGORIES.iter().chain(&SCRIPTS) {
            assert!(unicode.class(name, false).is_some(), "{name}");
        }
        for name in ["greek", "Letter", "Lx", "", "L&", "Grek"] {
            assert!(unicode.class(name, false).is_none(), "{name}");
        }
    }

    #[test]
    fn surrogates_are_left_out() {
        assert_eq!(range(0xD800, 0xDFFF), None);
        assert_eq!(range(0x61, 0xDABC), Some(ClassUnicodeRange::new('a', '\u{D7FF}')));
        assert_eq!(range(0xDABC, 0xFFFF), Some(ClassUnicodeRange::new('\u{E000}', '\u{FFFF}')));
    }
}
