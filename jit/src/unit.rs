//! Units: the pieces of one code, when they are made, installed and dropped.
//!
//! Decisions rest on counts only, so the same run makes the same units. Everything here happens in the driver, when no
//! machine code is running.

use crate::code::{self, Region};
use crate::flow::{self, Shape};
use crate::piece::{self, Env, Memo, Start};
use crate::{Config, abi};
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Module, default_libcall_names};
use rustc_hash::FxHashMap as HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use yin_vm::Vm;
use yin_vm::frame::Code;
use yin_vm::tier::{ExitPoint, ExitReport, Frame, Tier, UnitReport, code_of};

/// Times a code is compiled again because its guards failed; the last time without guesses.
const VERSIONS: u32 = 5;
/// Longest code that is compiled, in words.
const MAX_WORDS: usize = 6000;
/// Translations of a piece until it is given up.
const PASSES: usize = 24;

/// Machine code of one code.
struct Unit {
    version: u32,
    /// Instructions with a piece: loop headers, and what often waits for other code.
    loops: BTreeSet<usize>,
    vars: BTreeSet<u64>,
    bytes: usize,
    pieces: usize,
    guards: usize,
    inlined: usize,
}

impl Unit {
    fn new(version: u32) -> Unit {
        Unit { version, loops: BTreeSet::new(), vars: BTreeSet::new(), bytes: 0, pieces: 0, guards: 0, inlined: 0 }
    }
}

/// Counts for `--stats`.
#[derive(Default)]
struct Counts {
    units: usize,
    pieces: usize,
    elided: usize,
    bytes: usize,
    guards: usize,
    inlined: usize,
    refused: usize,
    dropped: usize,
    ns: u64,
}

pub struct Jit {
    config: Config,
    backend: Option<Backend>,
    units: BTreeMap<usize, Unit>,
    /// Codes that stay interpreted, and why.
    refused: BTreeMap<usize, String>,
    /// How often units of a code were dropped.
    dropped: BTreeMap<usize, u32>,
    /// Exit points of all units: pieces that were dropped may still be named by them.
    #[expect(clippy::vec_box, reason = "machine code holds the addresses")]
    exits: Vec<Box<ExitPoint>>,
    /// Codes that rely on a var's root.
    on_var: BTreeMap<u64, BTreeSet<usize>>,
    shapes: HashMap<usize, Rc<Shape>>,
    versions: BTreeMap<usize, u32>,
    counts: Counts,
}

struct Backend {
    module: JITModule,
    context: Context,
    builder: FunctionBuilderContext,
}

impl Backend {
    fn new() -> Result<Backend, String> {
        let mut flags = settings::builder();
        for (name, value) in [
            ("opt_level", "speed"),
            ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
            ("unwind_info", "false"),
            ("enable_pinned_reg", "true"),
            ("preserve_frame_pointers", "true"),
            ("enable_probestack", "false"),
            ("is_pic", "false"),
        ] {
            flags.set(name, value).map_err(|e| e.to_string())?;
        }
        let isa = cranelift_native::builder()?.finish(settings::Flags::new(flags)).map_err(|e| e.to_string())?;
        let mut b = JITBuilder::with_isa(isa, default_libcall_names());
        b.memory_provider(Box::new(Region::reserve().map_err(|e| e.to_string())?));
        Ok(Backend { module: JITModule::new(b), context: Context::new(), builder: FunctionBuilderContext::new() })
    }
}

impl Jit {
    pub fn new(config: Config) -> Jit {
        Jit {
            config,
            backend: None,
            units: BTreeMap::new(),
            refused: BTreeMap::new(),
            dropped: BTreeMap::new(),
            exits: Vec::new(),
            on_var: BTreeMap::new(),
            shapes: HashMap::default(),
            versions: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    /// Compiles the pieces `starts` of `code` and installs them.
    ///
    /// # Errors
    /// Why the code stays interpreted.
    fn compile(
        &mut self,
        vm: &mut Vm,
        code: *const Code,
        starts: &[Start],
        frame: Option<(usize, Frame)>,
    ) -> Result<(), String> {
        let began = yin_vm::clock::now_ns();
        if self.backend.is_none() {
            self.backend = Some(Backend::new()?);
            vm.install_stubs(abi::stubs());
        }
        let backend = self.backend.as_mut().expect("just made");
        let c = code_of(code);
        let shape = self.shapes.entry(code as usize).or_insert_with(|| Rc::new(flow::shape(c))).clone();
        let version = self.versions.get(&(code as usize)).copied().unwrap_or(0);
        let (metered, vm_fail_once) = (vm.metered(), vm.zeal.exit);
        let name = vm.code_name(c.id).unwrap_or("fn").to_string();
        let dump = &self.config.dump;
        let dumped = dump.name.as_ref().is_none_or(|n| name.contains(n.as_str()));
        let mut env = Env {
            vm,
            code: c,
            shape,
            shapes: std::mem::take(&mut self.shapes),
            frame,
            metered,
            fail_once: vm_fail_once,
            plain: version >= VERSIONS,
            vars: BTreeSet::new(),
            wanted: BTreeSet::new(),
            exits: Vec::new(),
            side_exit: abi::side_exit as *const () as u64,
            n_inlined: 0,
        };
        let mut made: Vec<(Start, cranelift_module::FuncId)> = Vec::new();
        let (mut bytes, mut elided, mut guards, mut inlined) = (0, 0, 0, 0);
        let mut error = None;
        for &start in starts {
            let mut memo = Memo::default();
            env.n_inlined = 0;
            let mut passes = 0;
            let outcome = loop {
                let ctx = &mut backend.context;
                ctx.clear();
                let n = match start {
                    Start::Entry => 2 + (c.n_params as usize + c.variadic as usize).min(abi::REG_ARGS),
                    _ => 2,
                };
                ctx.func.signature = piece::tail_signature(n);
                let first_exit = env.exits.len();
                let b = FunctionBuilder::new(&mut ctx.func, &mut backend.builder);
                let (m, b) = piece::translate(&mut env, &mut memo, b, start);
                passes += 1;
                if m.changed && passes < PASSES {
                    env.exits.truncate(first_exit);
                    // A builder that is dropped unfinished must be emptied by hand.
                    b.func.clear();
                    backend.builder = FunctionBuilderContext::new();
                    continue;
                }
                b.finalize(backend.module.target_config());
                break if m.changed { Err("types did not settle".to_string()) } else { Ok(m) };
            };
            let m = match outcome {
                Ok(m) => m,
                Err(e) => {
                    error = Some(e);
                    break;
                }
            };
            let ctx = &mut backend.context;
            if dumped && dump.clif {
                eprintln!(";; {name} {start:?}\n{}", ctx.func.display());
            }
            ctx.set_disasm(dumped && dump.asm);
            if let Err(e) = ctx.compile(backend.module.isa(), &mut ControlPlane::default()) {
                error = Some(format!("{:?}", e.inner));
                break;
            }
            let compiled = ctx.compiled_code().expect("just compiled");
            if dumped && dump.asm {
                eprintln!(";; {name} {start:?}\n{}", compiled.vcode.as_deref().unwrap_or(""));
            }
            let mut text = compiled.code_buffer().to_vec();
            if !m.native_calls && !self.config.keep_prologues && code::elide(compiled, &mut text, m.n_tails) {
                elided += 1;
            }
            bytes += text.len();
            guards += m.guards;
            inlined += env.n_inlined;
            debug_assert!(compiled.buffer.relocs().is_empty());
            let id = match backend.module.declare_anonymous_function(&piece::tail_signature(2)) {
                Ok(id) => backend.module.define_function_bytes(id, 16, &text, &[]).map(|()| id),
                Err(e) => Err(e),
            };
            match id {
                Ok(id) => made.push((start, id)),
                Err(e) => {
                    error = Some(e.to_string());
                    break;
                }
            }
        }
        let (vars, wanted, exits) = (env.vars, env.wanted, env.exits);
        self.shapes = env.shapes;
        backend.module.finalize_definitions().map_err(|e| e.to_string())?;
        self.exits.extend(exits);
        self.counts.ns += yin_vm::clock::now_ns() - began;
        if let Some(e) = error {
            return Err(e);
        }
        for v in &vars {
            vm.watch_var(*v);
            self.on_var.entry(*v).or_default().insert(code as usize);
        }
        let unit = self.units.entry(code as usize).or_insert_with(|| Unit::new(version));
        unit.vars.extend(vars);
        unit.bytes += bytes;
        unit.pieces += made.len();
        unit.guards += guards;
        unit.inlined += inlined;
        self.counts.guards += guards;
        self.counts.inlined += inlined;
        self.counts.pieces += made.len();
        self.counts.bytes += bytes;
        self.counts.elided += elided;
        for (start, id) in made {
            let at = backend.module.get_finalized_function(id);
            match start {
                Start::Entry => vm.set_entry(code, at),
                Start::Site(i) => vm.set_resume(&c.sites()[i], at),
                Start::At(pc) => {
                    unit.loops.insert(pc);
                    let r = vm.loop_record(code, pc);
                    vm.set_resume(r, at);
                }
            }
        }
        for w in wanted {
            if !self.units.contains_key(&w) && !self.refused.contains_key(&w) {
                self.unit(vm, w as *const Code, None);
            }
        }
        Ok(())
    }

    /// Compiles the whole of a code.
    fn unit(&mut self, vm: &mut Vm, code: *const Code, frame: Option<(usize, Frame)>) {
        let c = code_of(code);
        if c.words().len() > MAX_WORDS {
            self.refuse(code, "too long");
            return;
        }
        let shape = self.shapes.entry(code as usize).or_insert_with(|| Rc::new(flow::shape(c))).clone();
        let mut starts = vec![Start::Entry];
        starts.extend((0..c.sites().len()).map(Start::Site));
        starts.extend(shape.borders.iter().map(|h| Start::At(*h)));
        if let Some((at, _)) = frame
            && at != 0
            && !shape.borders.contains(&at)
            && shape.loops.contains_key(&at)
        {
            starts.push(Start::At(at));
        }
        // Known before its pieces are made: functions that inline each other must not ask in a circle.
        let version = self.versions.get(&(code as usize)).copied().unwrap_or(0);
        self.units.insert(code as usize, Unit::new(version));
        match self.compile(vm, code, &starts, frame) {
            Ok(()) => self.counts.units += 1,
            Err(e) => {
                self.units.remove(&(code as usize));
                self.refuse(code, &e)
            }
        }
    }

    fn refuse(&mut self, code: *const Code, why: &str) {
        self.refused.insert(code as usize, why.to_string());
        self.counts.refused += 1;
        if self.config.dump.asm || self.config.dump.clif {
            eprintln!(";; not compiled: {why}");
        }
    }

    fn drop_unit(&mut self, vm: &mut Vm, code: *const Code) -> Option<Unit> {
        let unit = self.units.remove(&(code as usize))?;
        vm.drop_native(code);
        for v in &unit.vars {
            if let Some(s) = self.on_var.get_mut(v) {
                s.remove(&(code as usize));
            }
        }
        self.counts.dropped += 1;
        *self.dropped.entry(code as usize).or_default() += 1;
        Some(unit)
    }
}

impl Drop for Jit {
    fn drop(&mut self) {
        if let Some(b) = self.backend.take() {
            code::free(b.module)
        }
    }
}

impl Tier for Jit {
    fn request(&mut self, vm: &mut Vm, code: *const Code, at: usize, frame: Frame) {
        if self.refused.contains_key(&(code as usize)) {
            return;
        }
        match self.units.get(&(code as usize)) {
            None => self.unit(vm, code, Some((at, frame))),
            Some(u) if at != 0 && !u.loops.contains(&at) => {
                let is_loop = self.shapes.get(&(code as usize)).is_some_and(|s| s.loops.contains_key(&at));
                if is_loop && let Err(e) = self.compile(vm, code, &[Start::At(at)], Some((at, frame))) {
                    self.refuse(code, &e)
                }
            }
            Some(_) => {}
        }
    }
    fn resume_point(&mut self, vm: &mut Vm, code: *const Code, at: usize) {
        if self.refused.contains_key(&(code as usize)) {
            return;
        }
        if !self.units.contains_key(&(code as usize)) {
            self.unit(vm, code, None);
        }
        if self.units.get(&(code as usize)).is_some_and(|u| !u.loops.contains(&at))
            && let Err(e) = self.compile(vm, code, &[Start::At(at)], None)
        {
            self.refuse(code, &e)
        }
    }
    fn refresh(&mut self, vm: &mut Vm, code: *const Code) {
        let Some(unit) = self.units.get(&(code as usize)) else { return };
        if unit.version >= VERSIONS {
            return;
        }
        let loops: Vec<usize> = unit.loops.iter().copied().collect();
        *self.versions.entry(code as usize).or_default() = unit.version + 1;
        self.drop_unit(vm, code);
        self.unit(vm, code, None);
        if let Some(s) = self.shapes.get(&(code as usize)).cloned() {
            let more: Vec<Start> = loops.into_iter().filter(|l| !s.borders.contains(l)).map(Start::At).collect();
            if !more.is_empty() && self.units.contains_key(&(code as usize)) {
                let _ = self.compile(vm, code, &more, None);
            }
        }
    }
    fn var_changed(&mut self, vm: &mut Vm, var: u64) {
        for code in self.on_var.remove(&var).unwrap_or_default() {
            self.drop_unit(vm, code as *const Code);
        }
    }
    fn units(&self) -> Vec<UnitReport> {
        let mut all: BTreeMap<usize, UnitReport> = BTreeMap::new();
        let mut of = |code: usize, f: &mut dyn FnMut(&mut UnitReport)| {
            let version = self.versions.get(&code).copied().unwrap_or(0);
            f(all.entry(code).or_insert_with(|| UnitReport { code, version, ..Default::default() }));
        };
        for (&code, u) in &self.units {
            of(code, &mut |r| {
                (r.compiled, r.bytes, r.pieces) = (true, u.bytes, u.pieces);
                (r.guards, r.inlined) = (u.guards, u.inlined);
                r.vars = u.vars.iter().copied().collect();
                r.loops = u.loops.iter().copied().collect();
            });
        }
        self.refused.iter().for_each(|(code, why)| of(*code, &mut |r| r.refused = Some(why.clone())));
        self.dropped.iter().for_each(|(code, n)| of(*code, &mut |r| r.dropped = *n));
        all.into_values().collect()
    }
    fn exits(&self) -> Vec<ExitReport> {
        let count = |e: &ExitPoint| e.count.load(std::sync::atomic::Ordering::Relaxed);
        let left = self.exits.iter().filter(|e| count(e) > 0);
        left.map(|e| ExitReport {
            why: e.why,
            owner: e.owner as usize,
            code: e.code as usize,
            pc: e.pc,
            count: count(e),
        })
        .collect()
    }
    fn stats(&self) -> Vec<(&'static str, String)> {
        let c = &self.counts;
        vec![
            ("units compiled", format!("{} ({} pieces, {} without prologue)", c.units, c.pieces, c.elided)),
            ("machine code", format!("{} bytes", c.bytes)),
            ("compile time", format!("{:.3} ms", c.ns as f64 / 1e6)),
            ("guards, inlined calls", format!("{}, {}", c.guards, c.inlined)),
            ("refused, dropped", format!("{}, {}", c.refused, c.dropped)),
            (
                "exits",
                format!(
                    "{}",
                    self.exits.iter().map(|e| e.count.load(std::sync::atomic::Ordering::Relaxed)).sum::<u64>()
                ),
            ),
        ]
    }
}
