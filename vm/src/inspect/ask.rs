//! Which attributes a query looks at: those of its patterns and of the rules it can reach.

use datoms::edn::{Edn, Keyword};
use rustc_hash::{FxHashMap, FxHashSet};

/// The attributes of a query, or all of them if some pattern leaves the attribute open.
#[derive(Default, Debug)]
pub struct Wanted {
    all: bool,
    names: FxHashSet<Keyword>,
}

impl Wanted {
    /// Every attribute.
    pub fn everything() -> Wanted {
        Wanted { all: true, names: FxHashSet::default() }
    }
    /// Of a query, given as a vector or map, with rules it may call.
    pub fn of(query: &Edn, rules: &[Edn]) -> Wanted {
        let mut w = Wanted::default();
        follow(query, rules, &mut |form, calls| w.walk(form, calls));
        w
    }
    pub fn wants(&self, attr: &str) -> bool {
        self.all || self.names.contains(&Keyword::new(attr))
    }

    fn walk(&mut self, form: &Edn, calls: &mut Vec<String>) {
        match form {
            Edn::Keyword(k) => {
                self.names.insert(k.clone());
            }
            Edn::Vector(items) => {
                // A pattern whose attribute is a variable: what it will be, nobody knows.
                let at = usize::from(matches!(items.first(), Some(Edn::Symbol(s)) if s.as_str().starts_with('$')));
                let is_open = |x: &Edn| matches!(x, Edn::Symbol(s) if s.as_str().starts_with('?') || s.as_str() == "_");
                let shape = items.len() - at.min(items.len());
                let first = items.get(at);
                if (2..=5).contains(&shape)
                    && items.get(at + 1).is_some_and(is_open)
                    && first.is_some_and(|x| is_open(x) || matches!(x, Edn::Int(_)))
                    && !items.iter().any(|x| x.as_symbol().is_some_and(|s| s.as_str() == "..."))
                {
                    self.all = true;
                }
                items.iter().for_each(|x| self.walk(x, calls));
            }
            Edn::List(items) => {
                let call = items.iter().find(|x| !matches!(x, Edn::Symbol(s) if s.as_str().starts_with('$')));
                if let Some(Edn::Symbol(s)) = call {
                    calls.push(s.as_str().to_string());
                }
                items.iter().for_each(|x| self.walk(x, calls));
            }
            Edn::Map(m) => m.iter().for_each(|(k, v)| {
                self.walk(k, calls);
                self.walk(v, calls);
            }),
            Edn::Set(s) => s.iter().for_each(|x| self.walk(x, calls)),
            _ => {}
        }
    }
}

/// The rules that a query or body can reach.
pub fn reachable(form: &Edn, rules: &[Edn]) -> Vec<Edn> {
    let mut out = Vec::new();
    let mut w = Wanted::default();
    let mut is_query = true;
    follow(form, rules, &mut |f, calls| {
        w.walk(f, calls);
        if !std::mem::take(&mut is_query) {
            out.push(f.clone());
        }
    });
    out
}

/// Calls `see` with a query and then with every rule it can reach, each once; `see` says what a form calls.
fn follow(query: &Edn, rules: &[Edn], see: &mut dyn FnMut(&Edn, &mut Vec<String>)) {
    let mut branches: FxHashMap<&str, Vec<&Edn>> = FxHashMap::default();
    for r in rules {
        let name = r.as_seq().and_then(|b| b.first()?.as_seq()?.first()?.as_symbol());
        if let Some(n) = name {
            branches.entry(n.as_str()).or_default().push(r);
        }
    }
    let mut seen: FxHashSet<String> = FxHashSet::default();
    let mut calls: Vec<String> = Vec::new();
    see(query, &mut calls);
    while let Some(name) = calls.pop() {
        if seen.insert(name.clone()) {
            for body in branches.get(name.as_str()).into_iter().flatten() {
                see(body, &mut calls);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_followed_and_open_attributes_mean_all() {
        let edn = |t: &str| datoms::edn::read(t).expect("valid");
        let rules = datoms::edn::read_all("[(a ?x) (b ?x)] [(b ?x) [?x :p/b 1]] [(c ?x) [?x :p/c 1]]").expect("valid");
        let w = Wanted::of(&edn("[:find ?x :in $ % :where [?x :p/a] (not (a ?x))]"), &rules);
        assert!(w.wants("p/a") && w.wants("p/b") && !w.wants("p/c"));
        assert!(Wanted::of(&edn("[:find ?a :where [?e ?a ?v]]"), &rules).wants("p/c"));
        assert!(Wanted::of(&edn("[:find ?a :where [$run 3 ?a]]"), &rules).wants("p/c"));
        assert!(!Wanted::of(&edn("[:find [?a ...] :in $ [?b ...] :where [?a :p/a ?b]]"), &rules).wants("p/c"));
    }
}
