//! A little Markdown, safely: everything is escaped first, and only what is listed here becomes HTML.
//!
//! Code blocks, inline code, bold, links to http and https, `~channel`, `@mention`, line breaks.

/// What the text may refer to.
pub(super) struct Links<'a> {
    /// Address and display name of a channel by its handle.
    pub(super) channel: &'a dyn Fn(&str) -> Option<(String, String)>,
    /// Whether a user has this name.
    pub(super) person: &'a dyn Fn(&str) -> bool,
}

/// `text` as HTML.
pub(super) fn html(text: &str, links: &Links<'_>) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("```") {
        let Some((code, after)) = after.split_once("```") else { break };
        lines(before.strip_suffix('\n').unwrap_or(before), links, &mut out);
        out.push_str("<pre><code>");
        escape(without_language(code), &mut out);
        out.push_str("</code></pre>");
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    lines(rest, links, &mut out);
    out
}

/// A code block may name its language on its first line.
fn without_language(code: &str) -> &str {
    match code.split_once('\n') {
        Some((language, code)) if language.chars().all(|c| c.is_ascii_alphanumeric()) => code,
        _ => code,
    }
}

fn lines(text: &str, links: &Links<'_>, out: &mut String) {
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push_str("<br>");
        }
        inline(line, links, out);
    }
}

fn inline(mut rest: &str, links: &Links<'_>, out: &mut String) {
    let mut previous = ' ';
    while let Some(next) = rest.chars().next() {
        let taken = match next {
            '`' => enclosed(rest, "`").map(|(code, after)| {
                out.push_str("<code>");
                escape(code, out);
                out.push_str("</code>");
                after
            }),
            '*' => enclosed(rest, "**").map(|(bold, after)| {
                out.push_str("<strong>");
                inline(bold, links, out);
                out.push_str("</strong>");
                after
            }),
            '[' => link(rest, out),
            'h' if !previous.is_alphanumeric() => address(rest, out),
            '~' if !previous.is_alphanumeric() => channel(rest, links, out),
            '@' if !previous.is_alphanumeric() => mention(rest, links, out),
            _ => None,
        };
        match taken {
            Some(after) => {
                rest = after;
                previous = ' ';
            }
            None => {
                escape_char(next, out);
                previous = next;
                rest = rest.get(next.len_utf8()..).unwrap_or_default();
            }
        }
    }
}

/// What stands between two marks, not empty, and what follows.
fn enclosed<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let (inner, after) = text.strip_prefix(mark)?.split_once(mark)?;
    (!inner.is_empty()).then_some((inner, after))
}

/// `[text](address)`
fn link<'a>(text: &'a str, out: &mut String) -> Option<&'a str> {
    let (label, after) = text.strip_prefix('[')?.split_once("](")?;
    let (target, after) = after.split_once(')')?;
    if !is_web(target) || label.contains('[') {
        return None;
    }
    anchor(target, label, out);
    Some(after)
}

/// A bare address. A stop at its end belongs to the sentence.
fn address<'a>(text: &'a str, out: &mut String) -> Option<&'a str> {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let target = text.get(..end)?.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '*', '>']);
    if !is_web(target) {
        return None;
    }
    anchor(target, target, out);
    text.get(target.len()..)
}

fn is_web(target: &str) -> bool {
    let rest = target.strip_prefix("http://").or_else(|| target.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty()) && !target.chars().any(char::is_whitespace)
}

fn anchor(target: &str, label: &str, out: &mut String) {
    out.push_str("<a rel=\"noopener noreferrer\" target=\"_blank\" href=\"");
    escape(target, out);
    out.push_str("\">");
    escape(label, out);
    out.push_str("</a>");
}

fn channel<'a>(text: &'a str, links: &Links<'_>, out: &mut String) -> Option<&'a str> {
    let (name, after) = word(text.strip_prefix('~')?, "-_");
    let (target, display_name) = (links.channel)(name)?;
    out.push_str("<a class=\"channel-link\" href=\"");
    escape(&target, out);
    out.push_str("\">~");
    escape(&display_name, out);
    out.push_str("</a>");
    Some(after)
}

fn mention<'a>(text: &'a str, links: &Links<'_>, out: &mut String) -> Option<&'a str> {
    let all = text.strip_prefix('@')?;
    let mut name = word(all, "-_.").0;
    if !(links.person)(name) {
        name = name.trim_end_matches(['.', '-', '_']);
    }
    if !(links.person)(name) && !matches!(name, "all" | "channel" | "here") {
        return None;
    }
    out.push_str("<span class=\"mention\">@");
    escape(name, out);
    out.push_str("</span>");
    all.get(name.len()..)
}

fn word<'a>(text: &'a str, more: &str) -> (&'a str, &'a str) {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !more.contains(c)).unwrap_or(text.len());
    text.split_at(end)
}

fn escape(text: &str, out: &mut String) {
    text.chars().for_each(|c| escape_char(c, out));
}

fn escape_char(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        _ => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        html(
            text,
            &Links {
                channel: &|name| {
                    (name == "war-1").then(|| ("/?channel=1&as=\"".to_owned(), "War <1>".to_owned()))
                },
                person: &|name| name == "jon",
            },
        )
    }

    #[test]
    fn marks_become_html() {
        assert_eq!(show("**a** `b` c\nd"), "<strong>a</strong> <code>b</code> c<br>d");
        assert_eq!(show("**x `y`**"), "<strong>x <code>y</code></strong>");
        assert_eq!(show("x\n```rust\nlet a = 1;\n```\ny"), "x<pre><code>let a = 1;\n</code></pre>y");
        assert_eq!(show("hi @jon."), "hi <span class=\"mention\">@jon</span>.");
        assert_eq!(
            show("~war-1!"),
            "<a class=\"channel-link\" href=\"/?channel=1&amp;as=&quot;\">~War &lt;1&gt;</a>!"
        );
        let anchor = "<a rel=\"noopener noreferrer\" target=\"_blank\" href=\"http://a.test/x\">";
        assert_eq!(show("[D](http://a.test/x)"), format!("{anchor}D</a>"));
        assert_eq!(show("see http://a.test/x."), format!("see {anchor}http://a.test/x</a>."));
    }

    #[test]
    fn everything_else_stays_text() {
        for hostile in [
            "<script>alert(1)</script>",
            "[x](javascript:alert(1))",
            "`<img src=x onerror=alert(1)>`",
            "```\n</code><b>\n```",
            "**<i>**",
            "[<b>](http://a.test/\"onclick=\"x)",
            "~<b> @<b> a@jon a~war-1",
        ] {
            let shown = show(hostile);
            for tag in ["<script", "<img", "<b", "<i", "\"onclick"] {
                assert!(!shown.contains(tag), "{hostile} became {shown}");
            }
            assert!(!shown.contains("href=\"javascript"), "{hostile} became {shown}");
        }
        assert_eq!(show("** a * `` [x] ~nope @nobody"), "** a * `` [x] ~nope @nobody");
        assert_eq!(show("a@jon"), "a@jon");
        assert_eq!(show("```open"), "```open");
    }
}
