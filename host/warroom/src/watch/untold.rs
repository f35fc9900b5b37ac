//! What operators are to be told of the workflow files: what is wrong, and that it is mended.

use std::collections::{BTreeMap, BTreeSet};
use warroom_runner::Runner;
use warroom_sandbox::Digest;

/// Of how much operators are shown what it is at once; of the rest, how much there is.
const SHOWN_MAX: usize = 3;
/// How much waits to be told; the newest.
const UNTOLD_MAX: usize = 1_000;

/// What waits to be told, the oldest first.
#[derive(Default)]
pub(crate) struct Untold {
    waiting: Vec<News>,
    /// Of which files operators were told that something is wrong, since they were right last.
    told: BTreeSet<String>,
    /// How often something was wrong with a file and was mended: the same is told anew then.
    mended: BTreeMap<String, u32>,
    /// What operators are being told: one thing after the other, so that they read them in order.
    under_way: Option<String>,
}

struct News {
    /// The name of the file, or what else it is about.
    of: String,
    /// For operators, in Markdown.
    text: String,
    is_good: bool,
}

/// News of one kind as one matter: operators are told once, however many files a change breaks.
#[derive(Debug, PartialEq, Eq)]
struct Together {
    /// The same is told once.
    about: String,
    text: String,
}

impl Untold {
    /// Something is wrong.
    pub(crate) fn wrong(&mut self, of: &str, text: &str) {
        // Who was not told that it is mended still believes the opposite.
        if self.waiting.extract_if(.., |news| news.of == of && news.is_good).count() > 0 {
            self.told.insert(of.to_owned());
        }
        self.push(of, text, false);
    }

    /// Nothing is wrong with it any more. Who was not told before need not be told now.
    pub(crate) fn mended(&mut self, of: &str, text: &str) {
        self.waiting.retain(|news| news.of != of || news.is_good);
        if self.told.remove(of) {
            self.push(of, text, true);
            let mended = self.mended.entry(of.to_owned()).or_default();
            *mended = mended.saturating_add(1);
        }
    }

    fn push(&mut self, of: &str, text: &str, is_good: bool) {
        if self.waiting.len() == UNTOLD_MAX {
            self.waiting.remove(0);
        }
        self.waiting.push(News { of: of.to_owned(), text: text.to_owned(), is_good });
    }

    /// Tells operators what is next, once they were told what came before.
    pub(crate) fn tell(&mut self, runner: &Runner) {
        if self.under_way.as_ref().is_some_and(|about| runner.is_telling(about)) {
            return;
        }
        self.under_way = None;
        for is_good in [false, true] {
            let Some(Together { about, text }) = self.together(is_good) else { continue };
            let is_taken = if is_good {
                runner.tell_operators_of_mending(&about, &text)
            } else {
                runner.tell_operators(&about, &text)
            };
            if is_taken {
                self.taken(is_good);
                self.under_way = Some(about);
            }
            return;
        }
    }

    fn together(&self, is_good: bool) -> Option<Together> {
        let news: Vec<&News> = self.waiting.iter().filter(|news| news.is_good == is_good).collect();
        let about = |news: &&News| {
            let kind = if news.is_good { "mended/" } else { "" };
            let times = self.mended.get(&news.of).map(|times| format!("/{times}")).unwrap_or_default();
            format!("workflow-files/{kind}{}/{}{times}", news.of, Digest::of(news.text.as_bytes()))
        };
        let abouts: Vec<String> = news.iter().map(about).collect();
        let about = match abouts.as_slice() {
            [] => return None,
            [one] => one.clone(),
            several => format!("workflow-files/{}", Digest::of(several.join(" ").as_bytes())),
        };
        let mut texts: Vec<String> = news.iter().take(SHOWN_MAX).map(|news| news.text.clone()).collect();
        if news.len() > SHOWN_MAX {
            texts.push(format!("and {} more, which the log has.", news.len() - SHOWN_MAX));
        }
        Some(Together { about, text: format!("Workflow files: {}", texts.join("\n\n")) })
    }

    fn taken(&mut self, is_good: bool) {
        let taken = self.waiting.extract_if(.., |news| news.is_good == is_good);
        let told: Vec<String> = taken.filter(|news| !news.is_good).map(|news| news.of).collect();
        self.told.extend(told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_at_once_and_counted_where_it_is_much() {
        let mut untold = Untold::default();
        assert_eq!(untold.together(false), None);
        untold.wrong("a", "file 1 is wrong");
        let one = untold.together(false).unwrap();
        assert!(one.about.starts_with("workflow-files/a/"), "{}", one.about);
        assert_eq!(one.text, "Workflow files: file 1 is wrong");
        for n in 2..=5 {
            untold.wrong("b", &format!("file {n} is wrong"));
        }
        let five = untold.together(false).unwrap();
        assert!(five.text.ends_with("file 3 is wrong\n\nand 2 more, which the log has."), "{}", five.text);
        untold.wrong("b", "file 6 is wrong");
        assert_ne!(five.about, untold.together(false).unwrap().about);
    }

    #[test]
    fn only_who_was_told_what_is_wrong_is_told_that_it_is_mended() {
        let mut untold = Untold::default();
        untold.wrong("a", "wrong");
        untold.mended("a", "right");
        assert_eq!((untold.together(false), untold.together(true)), (None, None));
        untold.wrong("a", "wrong");
        untold.taken(false);
        untold.wrong("a", "still wrong");
        untold.mended("a", "right");
        assert_eq!(untold.together(false), None);
        let good = untold.together(true).unwrap();
        assert_eq!(good.text, "Workflow files: right");
        untold.taken(true);
        untold.mended("a", "right");
        assert_eq!(untold.together(true), None, "it was told");
        untold.wrong("a", "wrong");
        untold.taken(false);
        untold.mended("a", "right");
        untold.wrong("a", "wrong again");
        assert_eq!(untold.together(true), None, "it is not right any more");
        untold.mended("a", "right");
        assert!(
            untold.together(true).is_some() && untold.together(false).is_none(),
            "they believe it is wrong"
        );
        untold.taken(true);
        untold.wrong("a", "wrong");
        let wrong = untold.together(false).unwrap();
        assert!(wrong.about.ends_with("/3"), "the same as before, and yet to be told: {}", wrong.about);
        untold.taken(false);
        untold.mended("a", "right");
        assert_ne!(untold.together(true).unwrap().about, good.about);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut untold = Untold::default();
        for n in 0..=UNTOLD_MAX {
            untold.wrong("a", &n.to_string());
        }
        assert_eq!((untold.waiting.len(), untold.waiting[0].text.as_str()), (UNTOLD_MAX, "1"));
    }
}
