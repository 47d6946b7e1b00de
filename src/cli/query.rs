//! `yin query`: Datalog over programs, their instructions and their machine.

use super::shape::{self, Shape};
use super::{Options, eval, machine};
use datoms::disk::Store;
use datoms::edn::{Edn, Symbol, read};
use datoms::lazy::{Lexicon, Part, Union};
use datoms::query::{Input, Options as QueryOptions, Output, Prepared};
use datoms::source::Source;
use datoms::store::Database;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use yin_vm::Vm;
use yin_vm::inspect::ask::Wanted;
use yin_vm::inspect::library::Rules;
use yin_vm::inspect::{exec, globals, load};

/// What to ask about.
const SOURCES: &[&str] = &["ast", "exec", "types", "run", "jit", "frozen"];

/// A query as asked: its form, its rules, its inputs.
pub struct Question {
    pub query: Edn,
    pub rules: Rules,
    pub inputs: Vec<(Symbol, Edn)>,
    pub sources: Vec<String>,
    /// Stores on disk, by the names of inputs with `$`.
    pub stores: Vec<(String, Database)>,
}

pub fn run(o: &Options) -> i32 {
    match ask(o) {
        Ok(code) => code,
        Err((code, message)) => {
            eprintln!("yin: {message}");
            code
        }
    }
}

type Failed = (i32, String);

fn usage(m: impl Into<String>) -> Failed {
    (2, m.into())
}

/// The query that a command line names: a file, a query, or clauses such as `(callers f ?x)`.
pub fn question(o: &Options) -> Result<Question, Failed> {
    let Some(text) = &o.file else {
        return Err(usage("query takes a query, or a file with one, and the files or folders to ask about"));
    };
    let from_file = Path::new(text).is_file();
    let text = if from_file {
        std::fs::read_to_string(text).map_err(|e| usage(format!("{text}: {e}")))?
    } else {
        text.clone()
    };
    let form = read(&text).map_err(|e| usage(format!("the query: {e}")))?;
    let (query, own) = whole(form).map_err(usage)?;
    let mut rules = Rules::library();
    for file in &o.rules {
        let text = std::fs::read_to_string(file).map_err(|e| usage(format!("{file}: {e}")))?;
        rules.add(&text).map_err(|e| usage(format!("{file}: {e}")))?;
    }
    if let Some(own) = own {
        rules.add(&own.to_string()).map_err(|e| usage(format!("the query's :rules: {e}")))?;
    }
    let (mut inputs, mut stores) = (Vec::new(), Vec::new());
    for i in &o.inputs {
        let (name, value) = i.split_once('=').ok_or_else(|| usage(format!("--in takes NAME=EDN, not {i}")))?;
        if name.starts_with('$') && Path::new(value).is_dir() {
            let db = Store::read_only(Path::new(value)).map_err(|e| usage(format!("{value}: {e}")))?;
            stores.push((name.to_string(), db));
            continue;
        }
        let value = read(value).map_err(|e| usage(format!("--in {name}: {e}")))?;
        let name = if name.starts_with(['?', '$']) { name.to_string() } else { format!("?{name}") };
        inputs.push((Symbol::new(name), value));
    }
    let sources: Vec<String> = o.source.as_deref().unwrap_or("ast").split(',').map(|s| s.trim().to_string()).collect();
    if let Some(bad) = sources.iter().find(|s| !SOURCES.contains(&s.as_str())) {
        return Err(usage(format!("--source knows {}, not {bad}", SOURCES.join(", "))));
    }
    Ok(Question { query, rules, inputs, sources, stores })
}

/// A query with all its parts: bare clauses find all their variables; a map may hold `:rules`.
fn whole(form: Edn) -> Result<(Edn, Option<Edn>), String> {
    match &form {
        Edn::Map(m) => {
            let key = |k: &Edn| k.as_keyword().is_some_and(|k| k.as_str() == "rules");
            let own = m.iter().find(|(k, _)| key(k)).map(|(_, v)| v.clone());
            Ok((Edn::map(m.iter().filter(|(k, _)| !key(k)).map(|(k, v)| (k.clone(), v.clone()))), own))
        }
        Edn::Vector(items) if items.first().is_some_and(|x| x.as_keyword().is_some_and(|k| k.as_str() == "find")) => {
            Ok((form, None))
        }
        Edn::Vector(_) | Edn::List(_) => {
            let clauses = match &form {
                Edn::Vector(items) if items.iter().all(|x| matches!(x, Edn::Vector(_) | Edn::List(_))) => {
                    items.to_vec()
                }
                _ => vec![form.clone()],
            };
            let mut vars = Vec::new();
            clauses.iter().for_each(|c| variables(c, &mut vars));
            if vars.is_empty() {
                return Err("the query has no variable to find".into());
            }
            let mut q = vec![Edn::keyword("find")];
            q.extend(vars);
            q.push(Edn::keyword("where"));
            q.extend(clauses);
            Ok((Edn::vector(q), None))
        }
        _ => Err("a query is a vector [:find …], a map {:find …}, or clauses".into()),
    }
}

fn variables(form: &Edn, out: &mut Vec<Edn>) {
    match form {
        Edn::Symbol(s) if s.as_str().starts_with('?') && !out.contains(form) => out.push(form.clone()),
        Edn::List(items)
            if items.first().is_some_and(|x| x.as_symbol().is_some_and(|s| s.as_str().starts_with("not"))) => {}
        Edn::List(items) | Edn::Vector(items) => items.iter().for_each(|x| variables(x, out)),
        _ => {}
    }
}

/// The section `:in` of a query, if it is written.
fn written_inputs(query: &Edn) -> Option<Vec<Edn>> {
    let is_in = |x: &Edn| x.as_keyword().is_some_and(|k| k.as_str() == "in");
    match query {
        Edn::Map(m) => {
            m.iter().find(|(k, _)| is_in(k)).map(|(_, v)| v.as_seq().map(<[Edn]>::to_vec).unwrap_or_default())
        }
        Edn::Vector(items) => {
            let at = items.iter().position(is_in)?;
            Some(items[at + 1..].iter().take_while(|x| x.as_keyword().is_none()).cloned().collect())
        }
        _ => None,
    }
}

/// A query with a section `:in`, and what it names: as written, or `$`, `%` if there are rules, and the names that have values.
pub fn with_section_in<'n>(query: &Edn, named: impl Iterator<Item = &'n str>, rules: bool) -> (Edn, Vec<Edn>) {
    match written_inputs(query) {
        Some(names) => (query.clone(), names),
        None => {
            let names: Vec<Edn> =
                std::iter::once("$").chain(rules.then_some("%")).chain(named).map(Edn::symbol).collect();
            (with_inputs(query, names.clone()), names)
        }
    }
}

/// The name of an input: of a binding that of its first variable.
pub fn input_name(binding: &Edn) -> String {
    let mut vars = Vec::new();
    match binding {
        Edn::Symbol(s) => return s.as_str().to_string(),
        _ => variables(binding, &mut vars),
    }
    vars.first().and_then(|v| v.as_symbol()).map_or(String::new(), |s| s.as_str().to_string())
}

fn with_inputs(query: &Edn, inputs: Vec<Edn>) -> Edn {
    match query {
        Edn::Map(m) => {
            Edn::map(m.iter().map(|(k, v)| (k.clone(), v.clone())).chain([(Edn::keyword("in"), Edn::vector(inputs))]))
        }
        other => {
            let mut items = other.as_seq().map(<[Edn]>::to_vec).unwrap_or_default();
            let at =
                items.iter().position(|x| x.as_keyword().is_some_and(|k| k.as_str() == "where")).unwrap_or(items.len());
            let section = std::iter::once(Edn::keyword("in")).chain(inputs);
            items.splice(at..at, section);
            Edn::vector(items)
        }
    }
}

impl Question {
    /// The attributes it looks at.
    pub fn wanted(&self) -> Wanted {
        Wanted::of(&self.query, &self.rules.branches)
    }

    /// Runs it on parts that together are `$`.
    pub fn run(&self, parts: &[(&str, &dyn Part)]) -> Result<Output, String> {
        let union = Union::new(parts.iter().map(|p| p.1).collect()).ok_or("there is nothing to ask")?;
        let (query, names) = with_section_in(
            &self.query,
            self.stores.iter().map(|(n, _)| n.as_str()).chain(self.inputs.iter().map(|(n, _)| n.as_str())),
            true,
        );
        let mut inputs: Vec<Input> = Vec::new();
        for name in &names {
            let text = name.as_symbol().map_or("", |s| s.as_str());
            let part = |n: &str| parts.iter().find(|p| p.0 == n).map(|p| p.1);
            inputs.push(match text {
                "$" => Input::Source(&union),
                "%" => Input::Value(self.rules.value()),
                _ if let Some((_, db)) = self.stores.iter().find(|(n, _)| n == text) => Input::Source(db),
                _ => match (text.strip_prefix('$').and_then(part), self.value_for(name)) {
                    (Some(p), _) => Input::Source(p as &dyn Source),
                    (None, Some(v)) => Input::Value(v.clone()),
                    (None, None) => return Err(format!("the input {name} has no value: --in '{name}=EDN'")),
                },
            });
        }
        let prepared = Prepared::new(&query).map_err(|e| e.to_string())?;
        prepared.run(&inputs, &QueryOptions::default()).map_err(|e| e.to_string())
    }

    /// The value of an input: by the name of its first variable.
    fn value_for(&self, binding: &Edn) -> Option<&Edn> {
        let name = input_name(binding);
        self.inputs.iter().find(|(n, _)| n.as_str() == name).map(|(_, v)| v)
    }
}

fn ask(o: &Options) -> Result<i32, Failed> {
    if let Some(address) = &o.attach {
        return super::inspect::attach(o, address);
    }
    let question = question(o)?;
    let format = Shape::named(o.format.as_deref(), Shape::Table)?;
    if o.args.is_empty() {
        return Err(usage("query takes files or folders to ask about"));
    }
    let mut vm = machine(o).map_err(|e| (70, e))?;
    let first_root = vm.ast.roots.len();
    let first_code = vm.n_codes();
    let has = |s: &str| question.sources.iter().any(|x| x == s);
    let runs = has("run") || has("types") || has("jit") || o.trace.is_some();
    let wanted = question.wanted();
    let wants = |a: &str| wanted.wants(a);
    let lexicon = Lexicon::shared();
    if has("frozen") {
        let [file] = &o.args[..] else { return Err(usage("--source frozen takes one file of frozen bytes")) };
        return super::inspect::thaw_and_ask(vm, file, first_code, &question, format);
    }
    if runs {
        let files = sources(&o.args)?;
        let [file] = &files[..] else {
            return Err(usage("--source run, types and jit take one program, which is run"));
        };
        return super::inspect::run_and_ask(vm, file, first_code, question, format, o);
    }
    let first_node = yin_ast::NodeId(vm.ast.len() as u32);
    load_all(&mut vm, &o.args)?;
    vm.ast.roots.drain(..first_root);
    let mut passes = o.passes.as_deref().map(super::passes::passes).transpose().map_err(usage)?;
    if let Some(p) = &mut passes {
        let roots = vm.ast.roots.clone();
        p.derive(&mut vm, first_node, &roots).map_err(usage)?;
    }
    if has("exec") {
        vm.install_roots(0)
            .map_err(|e| (eval::failed(&mut vm, &Options::default(), e), "the program cannot be compiled".into()))?;
    }
    let ast = yin_ast::source::program(&vm.ast, &lexicon);
    let globals = globals::source(&vm, &lexicon, &wants);
    let exec = exec::source(&vm, first_code, &lexicon, &|a| has("exec") && wants(a));
    let mut parts: Vec<(&str, &dyn Part)> = vec![("ast", &ast), ("globals", &globals), ("exec", &exec)];
    let derived = passes.as_ref().map(|p| p.source(&lexicon));
    parts.extend(derived.iter().map(|d| ("passes", d as &dyn Part)));
    let out = question.run(&parts).map_err(usage)?;
    print(&out, &question.query, format);
    Ok(0)
}

/// The sources that arguments name: files, and every program under folders, in order of names.
pub fn sources(args: &[String]) -> Result<Vec<load::Source>, Failed> {
    let mut paths = Vec::new();
    for a in args {
        let p = PathBuf::from(a);
        if p.is_dir() {
            folder(&p, &mut paths, 0).map_err(|e| usage(format!("{a}: {e}")))?;
        } else {
            paths.push(p);
        }
    }
    let read = |p: &PathBuf| {
        let name = p.to_string_lossy().into_owned();
        let text = std::fs::read_to_string(p).map_err(|e| usage(format!("{name}: {e}")))?;
        Ok(load::Source { name, text })
    };
    paths.iter().map(read).collect()
}

/// Deepest folders that are entered: a link may lead in circles.
const MAX_FOLDERS: usize = 64;

fn folder(dir: &Path, out: &mut Vec<PathBuf>, depth: usize) -> std::io::Result<()> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(dir)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for p in entries {
        let hidden = p.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if p.is_dir() && !hidden && depth < MAX_FOLDERS {
            folder(&p, out, depth + 1)?;
        } else if p.extension().is_some_and(|x| x == "clj" || x == "cljc") && p.is_file() {
            out.push(p);
        }
    }
    Ok(())
}

/// Reads files and folders into a machine; what cannot be read is reported and left out.
///
/// # Errors
/// If nothing at all could be read.
pub fn load_all(vm: &mut Vm, args: &[String]) -> Result<(), Failed> {
    let files = sources(args)?;
    for a in args {
        let p = Path::new(a);
        let dir = if p.is_dir() { Some(p) } else { p.parent() };
        if let Some(d) = dir {
            vm.source_paths.insert(0, d.to_string_lossy().into_owned());
        }
    }
    let tty = std::io::stderr().is_terminal() && files.len() > 20;
    vm.hold_output = true;
    let failed = vm.load_project(&files, &mut |i, name| {
        if tty {
            eprint!("\r\x1b[K{}/{} {name}", i + 1, files.len());
        }
    });
    vm.hold_output = false;
    vm.out.clear();
    if tty {
        eprint!("\r\x1b[K");
    }
    for (i, e) in &failed {
        eprintln!("yin: {}: not read as a whole", files[*i].name);
        eval::failed(vm, &Options::default(), *e);
    }
    if !failed.is_empty() && failed.len() == files.len() && vm.ast.roots.is_empty() {
        return Err((2, "nothing could be read".into()));
    }
    Ok(())
}

fn heading(query: &Edn, width: usize) -> Vec<String> {
    let items = match query {
        Edn::Map(m) => m
            .iter()
            .find(|(k, _)| k.as_keyword().is_some_and(|k| k.as_str() == "find"))
            .and_then(|(_, v)| v.as_seq().map(<[Edn]>::to_vec))
            .unwrap_or_default(),
        other => other.as_seq().map(|s| s[1.min(s.len())..].to_vec()).unwrap_or_default(),
    };
    let items = match items.first() {
        Some(Edn::Vector(inner)) => inner.to_vec(),
        _ => items,
    };
    (0..width).map(|i| items.get(i).map_or(String::new(), ToString::to_string)).collect()
}

/// Writes a result to standard output. Tables are sorted, so that the same answer is the same text.
pub fn print(out: &Output, query: &Edn, shape: Shape) {
    shape::put(&text(out, query, shape));
}

/// A result as text, lines ended.
pub fn text(out: &Output, query: &Edn, shape: Shape) -> String {
    match shape {
        Shape::Edn => format!("{}\n", out.to_edn()),
        Shape::Json => format!("{}\n", shape::json(&out.to_edn())),
        Shape::Table => {
            let mut rows: Vec<Vec<Edn>> = out.rows().collect();
            let ordered = query.to_string().contains(":order-by");
            if !ordered {
                rows.sort();
            }
            shape::table(&heading(query, out.width()), &rows)
        }
    }
}
