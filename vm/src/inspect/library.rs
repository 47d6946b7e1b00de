//! The rules that ship with Yin, and files of users' own.
//!
//! A file of rules is EDN: rules as DataScript writes them (`[(head ?x) clause…]`, alone or in vectors), and entries, maps that
//! also say what they are for. An entry's `:rules` are rules; `:check` makes it a check (see `check`), `:pass` a rewriting pass
//! (see `pass`). Every shipped entry has a `:doc` and an `:example`, which tests run and the reference page shows.

use datoms::edn::{Edn, Keyword, read_all};

/// The shipped files: name, text.
pub const FILES: &[(&str, &str)] = &[
    ("program", include_str!("rules/program.edn")),
    ("flow", include_str!("rules/flow.edn")),
    ("exec", include_str!("rules/exec.edn")),
    ("run", include_str!("rules/run.edn")),
];
/// The checks that ship.
pub const CHECKS: &str = include_str!("rules/checks.edn");

/// What files of rules hold.
#[derive(Default, Clone)]
pub struct Rules {
    /// Branches of rules.
    pub branches: Vec<Edn>,
    /// Maps with more than rules.
    pub entries: Vec<Edn>,
}

/// Value of a key of an entry.
pub fn get<'a>(entry: &'a Edn, key: &str) -> Option<&'a Edn> {
    let key = Edn::Keyword(Keyword::new(key));
    entry.as_map()?.iter().find(|(k, _)| *k == key).map(|(_, v)| v)
}

impl Rules {
    /// The library.
    ///
    /// # Panics
    /// If a shipped file is not EDN; a test reads them.
    pub fn library() -> Rules {
        let mut r = Rules::default();
        for (name, text) in FILES {
            r.add(text).unwrap_or_else(|e| panic!("shipped rules {name}: {e}"));
        }
        r
    }
    /// Adds the rules of a text.
    ///
    /// # Errors
    /// Where the text is no EDN, or holds something that is neither rule nor entry.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let forms = read_all(text).map_err(|e| e.to_string())?;
        forms.iter().try_for_each(|f| self.add_form(f))
    }
    fn add_form(&mut self, form: &Edn) -> Result<(), String> {
        match form {
            Edn::Map(_) => {
                if let Some(rules) = get(form, "rules") {
                    self.add_form(rules)?;
                }
                self.entries.push(form.clone());
                Ok(())
            }
            Edn::Vector(items) => match items.first() {
                Some(Edn::List(_)) => {
                    self.branches.push(form.clone());
                    Ok(())
                }
                _ => items.iter().try_for_each(|f| self.add_form(f)),
            },
            other => Err(format!("neither a rule [(head ?x) clause …] nor an entry {{:rules […]}}: {other}")),
        }
    }
    /// All rules as the value of `%`.
    pub fn value(&self) -> Edn {
        Edn::vector(self.branches.clone())
    }
    /// Adds what `other` has. A rule of a name that is here already is one more way to satisfy it.
    pub fn extend(&mut self, other: &Rules) {
        self.branches.extend(other.branches.iter().cloned());
        self.entries.extend(other.entries.iter().cloned());
    }
}

/// The reference page of the library, as Markdown.
pub fn reference() -> String {
    let mut s = String::from(
        "# The library of rules\n\nGenerated from the shipped files of rules; a test keeps it fresh and runs every example. \
         Queries of `yin query`,\n`yin check` and `--passes` may call them all. Further files: `--rules FILE`.\n",
    );
    for (file, title) in
        [("program", "Programs"), ("flow", "Flow of values"), ("exec", "Instructions"), ("run", "The running machine")]
    {
        s.push_str(&format!("\n## {title}\n"));
        let text = FILES.iter().find(|f| f.0 == file).map_or("", |f| f.1);
        for e in read_all(text).unwrap_or_default() {
            let head = get(&e, "rules").and_then(|r| r.as_seq()?.first()?.as_seq()?.first()).map(ToString::to_string);
            let text = |k: &str| get(&e, k).and_then(Edn::as_str).unwrap_or("").to_string();
            s.push_str(&format!("\n### `{}`\n\n{}\n", head.unwrap_or_default(), text("doc")));
            if let Some(example) = get(&e, "example") {
                let part = |k: &str| {
                    get(example, k).map(|v| v.as_str().map_or(v.to_string(), String::from)).unwrap_or_default()
                };
                s.push_str(&format!(
                    "\n```clojure\n{}\n;; {}\n;; => {}\n```\n",
                    part("program"),
                    part("query"),
                    part("answer")
                ));
            }
        }
    }
    s
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_EXPECT=1 cargo test -p yin-vm` writes the page anew.
    #[test]
    fn the_reference_page_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/rules.md");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(path, reference()).expect("docs can be written");
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(page == reference(), "docs/reference/rules.md is stale: UPDATE_EXPECT=1 cargo test -p yin-vm");
    }

    #[test]
    fn shipped_checks_and_passes_are_read() {
        let mut r = Rules::default();
        r.add(CHECKS).expect("checks");
        assert!(
            r.entries.iter().all(|e| get(e, "check").is_some() && get(e, "doc").is_some() && get(e, "query").is_some())
        );
        crate::inspect::pass::Passes::new(crate::inspect::pass::SHIPPED).expect("passes");
        for bad in ["[1]", "{:pass p :rewrite [[(=> ?x (nothing)) [?x :yin/type :if]]]}", "{:rewrite [[(=> ?x ?y)]]}"] {
            assert!(crate::inspect::pass::Passes::new(bad).is_err(), "{bad}");
        }
    }
}
