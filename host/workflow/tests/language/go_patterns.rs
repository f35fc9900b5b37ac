//! Patterns mean what they mean in Go. `regexes.json` holds what Go 1.19.8 does with each.

use serde::Deserialize;
use warroom_workflow::Pattern;

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    pattern: String,
    text: String,
    compile_error: bool,
    #[serde(rename = "match")]
    matches: bool,
}

#[test]
fn patterns_match_as_in_go() {
    let cases: Cases = serde_json::from_str(include_str!("../fixtures/regexes.json")).unwrap();
    assert_eq!(cases.cases.len(), 106);
    let mut wrong = Vec::new();
    for case in &cases.cases {
        let ours = Pattern::new(&case.pattern).ok().map(|pattern| pattern.is_match(&case.text));
        // Go 1.22 took this spelling in.
        let is_newer =
            case.pattern.contains("(?<") && !case.pattern.contains("(?<=") && !case.pattern.contains("(?<!");
        let gos = (!case.compile_error).then_some(case.matches);
        if ours != gos && !(is_newer && case.compile_error) {
            wrong.push(format!("{:?} on {:?}: ours {ours:?}, Go {gos:?}", case.pattern, case.text));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_go_is_known_to_do() {
    for (pattern, text, matches) in [
        (r"(?i)k", "\u{212A}", true),
        (r"(?i)\w", "\u{17F}", true),
        (r"\w", "\u{E9}", false),
        (r"\bx", "\u{E9}x", true),
        ("a{01}", "a{01}", true),
        ("a{,2}", "a{,2}", true),
        ("x{", "x{", true),
        (r"[\]-a]", "^", true),
        ("[]a]", "]", true),
        ("[^]a]", "]", false),
        ("[a-]", "-", true),
        ("[[:foo]", ":", true),
        (r"\Qa.b\E.", "a.bx", true),
        (r"\Qa.b", "axb", false),
        (r"\x{1F600}", "\u{1F600}", true),
        (r"\101\x41", "AA", true),
        (r"(?s).", "\n", true),
        ("(?m)^b$", "a\nb\nc", true),
        ("(?m:^b$)|^c", "a\nc", false),
        ("(?i)a|b", "B", true),
        ("(?:(?i)a)b", "aB", false),
        (r"[^\x00-\x{10FFFF}]", "a", false),
        ("\\v", "\u{B}", true),
        (r"\s", "\u{B}", false),
        ("[[:space:]]", "\u{B}", true),
        (r"\pN", "\u{664}", true),
        (r"\p{^Greek}", "a", true),
        ("(|a)*", "", true),
        (r"\_", "_", true),
        ("a*?b", "aab", true),
        ("(?U)a+", "a", true),
        ("]}", "]}", true),
        // Found by fuzzing: such a name is taken here and not by the engine's own syntax.
        ("(?P<2a>x)", "x", true),
        (r"\x{D800}", "a", false),
    ] {
        let compiled = Pattern::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        assert_eq!(compiled.is_match(text), matches, "{pattern} on {text:?}");
    }
    for pattern in [
        r"\8",
        r"\1",
        r"\q",
        r"\C",
        r"\E",
        r"\Z",
        "(?",
        "(?-)",
        "(?i-)",
        "(?P=a)",
        "(?P<>a)",
        "a{1001}",
        "a{2}{3}",
        "a*+",
        "a??+",
        "x{2,1}",
        r"\p{Nope}",
        r"\pé",
        "[b-a]",
        "[a",
        "[]",
        "[^]",
        r"\x{110000}",
        r"\x{}",
        r"\xg0",
        r"[a-\d]",
        "(?i",
        "|*",
        "(*)",
        "+",
        "((a{10}){10}){11}",
    ] {
        assert!(Pattern::new(pattern).is_err(), "{pattern}");
    }
}
