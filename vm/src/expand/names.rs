//! Names without meaning: what to say of them, where they stand, and what may have been meant.

use super::Analyser;
use crate::layout::{Kind, slot, var_flag};
use crate::machine::{ErrKind, Exit};
use crate::prim::types;
use crate::value::Value;
use yin_ast::Span;
use yin_ast::diag::Diag;

impl Analyser<'_> {
    pub(super) fn unresolved(&mut self, id: u32) -> Exit {
        let text = self.vm.names.text(id).to_string();
        if let Some((class, member)) = text.split_once('/')
            && types::is_known_class(class)
            && !member.is_empty()
        {
            let m = format!("No matching method or field {member} of class {class}");
            return self.vm.err(ErrKind::NoMethod, m);
        }
        let mut message = match text.split_once('/') {
            Some((ns, n)) if !ns.is_empty() && !n.is_empty() => {
                let nsid = self.vm.names.intern(ns);
                if self.vm.ns_of_alias(nsid).is_some() {
                    Diag::NoVar.message(&[&text])
                } else {
                    Diag::NoNamespace.message(&[ns])
                }
            }
            _ if text.contains('.') && !text.starts_with('.') => Diag::NoClass.message(&[&text]),
            _ => Diag::NoSymbol.message(&[&text]),
        };
        if let Some(s) = self.locate(&text) {
            self.span = s;
        }
        if let Some(near) = self.did_you_mean(&text) {
            message.push_str(&format!(". Did you mean {near}?"));
        }
        self.vm.err(ErrKind::Unbound, message)
    }
    /// The known name nearest to `text`, if one is near.
    fn did_you_mean(&mut self, text: &str) -> Option<String> {
        let cur = self.vm.current_ns();
        let core = self.vm.core_ns();
        let mut best: Option<(usize, String)> = None;
        let mut consider = |name: &str| {
            let d = distance(text, name);
            if d <= 1 + text.len() / 5
                && d < name.len()
                && best.as_ref().is_none_or(|b| (d, name) < (b.0, b.1.as_str()))
            {
                best = Some((d, name.to_string()));
            }
        };
        let names = &self.vm.names;
        let spaces = &self.vm.namespaces;
        if let Some((alias, _)) = text.split_once('/').filter(|(a, b)| !a.is_empty() && !b.is_empty()) {
            let aliases = spaces.get(&cur).map(|n| &n.aliases);
            let full = names.find(alias).map(|id| aliases.and_then(|a| a.get(&id)).copied().unwrap_or(id));
            match full.and_then(|id| Some((id, spaces.get(&id)?))) {
                // A name of that namespace, as this one spells it.
                Some((id, n)) => n
                    .mappings
                    .iter()
                    .filter(|(_, v)| {
                        v.as_kind(Kind::Var).is_some_and(|o| {
                            o.get(slot::VAR_NS) == Value::symbol(id)
                                && o.get(slot::VAR_FLAGS).fix_get() & var_flag::PRIVATE == 0
                        })
                    })
                    .for_each(|(k, _)| consider(&format!("{alias}/{}", names.text(*k)))),
                None => {
                    let rest = &text[alias.len()..];
                    aliases.into_iter().flatten().for_each(|(k, _)| consider(&format!("{}{rest}", names.text(*k))));
                    spaces.keys().for_each(|k| consider(&format!("{}{rest}", names.text(*k))));
                }
            }
            return best.map(|b| b.1);
        }
        self.locals.iter().for_each(|(id, _)| consider(names.text(*id)));
        for ns in [cur, core] {
            if let Some(n) = spaces.get(&ns) {
                n.mappings.keys().for_each(|k| consider(names.text(*k)));
            }
        }
        best.map(|b| b.1)
    }
    /// Where the name stands in the text of the form being analysed. Symbols carry no place of their own, so that macros
    /// meet the plain values they expect; the text still knows.
    fn locate(&self, name: &str) -> Option<Span> {
        let Span { file, start, end } = self.span;
        let text = self.vm.ast.file(file)?.text.get(start as usize..end as usize)?;
        let (at, len) = find_token(text, name)?;
        Some(Span { file, start: start + at as u32, end: start + (at + len) as u32 })
    }
}

/// Offset and length of the first token of a source text that is `name`, also as a class to make (`Name.`).
fn find_token(text: &str, name: &str) -> Option<(usize, usize)> {
    let ends = |c: char| {
        c.is_whitespace()
            || matches!(c, ',' | '"' | ';' | '@' | '^' | '`' | '~' | '\'' | '\\')
            || matches!(c, '(' | ')' | '[' | ']' | '{' | '}')
    };
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let at = text.len() - rest.len();
        let skip = match c {
            ';' => rest.find('\n').unwrap_or(rest.len()),
            '"' => {
                let mut escaped = false;
                let close = rest[1..].find(|c| {
                    let end = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    end
                });
                close.map_or(rest.len(), |i| i + 2)
            }
            '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            c if ends(c) => c.len_utf8(),
            _ => {
                let len = rest.find(|c: char| ends(c) && c != '\'').unwrap_or(rest.len());
                let token = rest[..len].trim_start_matches('#');
                if token == name || token.strip_suffix('.') == Some(name) {
                    return Some((at + len - token.len(), name.len()));
                }
                len
            }
        };
        rest = &rest[skip..];
    }
    None
}

/// Edit distance of two names (Wagner & Fischer), bounded by their lengths.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut last = row[0];
        row[0] = i + 1;
        for j in 0..b.len() {
            let cost = last + (x != b[j]) as usize;
            last = row[j + 1];
            row[j + 1] = cost.min(last + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
