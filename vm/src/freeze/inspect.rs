//! What frozen bytes hold, for people: frames with function, line, locals and sizes. Nothing runs.

use super::write::FrameView;
use super::{Content, OnConflict, open};
use crate::layout::{FRAME_HEADER, Kind, slot};
use crate::machine::Vm;
use crate::prim::print;
use crate::value::Value;

/// Most characters of a value's text.
const TEXT: usize = 100;

/// A frame, outermost last.
pub struct FrameInfo {
    pub function: String,
    /// File and line, if known.
    pub place: Option<(String, u32)>,
    /// Name and value of locals that are still needed.
    pub locals: Vec<(String, String)>,
    /// Words the frame takes on the stack.
    pub words: usize,
}

/// What bytes hold.
pub struct Inspection {
    /// A whole program, or a value?
    pub program: bool,
    pub size_bytes: usize,
    /// What `park` was given.
    pub label: Option<String>,
    /// The value, if it is no continuation.
    pub value: Option<String>,
    pub frames: Vec<FrameInfo>,
    /// Globals that come along.
    pub globals: Vec<String>,
}

impl Vm {
    /// Reads frozen bytes into this machine, which should be fresh, and says what they hold.
    ///
    /// # Errors
    /// As for thawing.
    pub fn inspect(&mut self, bytes: &[u8]) -> Result<Inspection, String> {
        let (content, _) = open(bytes)?;
        let mut i = Inspection {
            program: content == Content::Program,
            size_bytes: bytes.len(),
            label: None,
            value: None,
            frames: Vec::new(),
            globals: Vec::new(),
        };
        match content {
            Content::Program => {
                let r = self.read_program(bytes, OnConflict::Theirs)?;
                i.label = r.label.map(|l| self.short_text(l));
                i.frames = self.frames_of(self.roots.kseg, self.koff);
            }
            Content::Value => {
                let v = match self.thaw(bytes, OnConflict::Error) {
                    Ok(v) => v,
                    Err(_) => return Err(self.failure().message),
                };
                let kont = v.as_kind(Kind::KontFn).and_then(|f| f.get(0).obj());
                match kont {
                    Some(k) => {
                        let off = k.get(slot::KONT_OFF).fix_get() as usize;
                        i.frames = self.frames_of(k.get(slot::KONT_SEG), off);
                    }
                    None => i.value = Some(self.short_text(v)),
                }
            }
        }
        let library = self.library;
        let mut globals: Vec<String> = self
            .namespaces
            .values()
            .flat_map(|ns| ns.mappings.values())
            .filter_map(|v| v.as_kind(Kind::Var))
            .filter(|v| !library.has_address(v.0 as usize) && v.get(slot::VAR_ROOT) != Value::UNBOUND)
            .map(|v| self.var_text(v))
            .collect();
        globals.sort();
        globals.dedup();
        i.globals = globals;
        Ok(i)
    }

    /// Reads frozen bytes into this machine, which should be fresh, to be asked about: a program's frames wait to go on, a value
    /// becomes the global `name`.
    ///
    /// # Errors
    /// As for thawing.
    pub fn open_frozen(&mut self, bytes: &[u8], name: &str) -> Result<(), String> {
        if open(bytes)?.0 == Content::Program {
            return self.read_program(bytes, OnConflict::Theirs).map(|_| ());
        }
        let v = self.thaw(bytes, OnConflict::Error).map_err(|_| self.failure().message)?;
        let var = self.var(name);
        self.set_root(var, v);
        Ok(())
    }

    fn frames_of(&mut self, seg: Value, off: usize) -> Vec<FrameInfo> {
        let mut out = Vec::new();
        let mut at = seg.obj().map(|s| (s, off));
        while let Some((seg, end)) = at {
            let f = FrameView::of(seg, end);
            out.push(self.frame_info(&f));
            at = f.parent_place();
        }
        out
    }
    fn frame_info(&mut self, f: &FrameView) -> FrameInfo {
        let r = f.record();
        let function = match r.owner() {
            Some(code) => {
                code.proto().name.as_plain_symbol().map_or("top level".into(), |id| self.names.text(id).to_string())
            }
            None => format!("machine: {:?}", r.native().expect("a frame without code")).to_lowercase(),
        };
        let place = r.owner().and_then(|_| self.place_of_node(r.node));
        let slots: Vec<usize> = f.slots().filter(|i| *i >= FRAME_HEADER || r.is_native()).collect();
        let mut locals: Vec<(String, String)> = Vec::new();
        for i in slots {
            let name = match self.local_name(r, i) {
                Some(n) => n,
                None if r.is_native() => format!("slot {i}"),
                // Values half-way through an expression.
                None => continue,
            };
            let text = self.short_text(f.slot(i));
            locals.push((name, text));
        }
        FrameInfo { function, place, locals, words: r.delta as usize }
    }
    /// The beginning of a value's text.
    fn short_text(&mut self, v: Value) -> String {
        let text = match v.as_str() {
            Some(s) => format!("{:?}", s.chars().take(TEXT).collect::<String>()),
            None => {
                let o = print::Options { length: Some(8), level: Some(4), ..print::Options::default() };
                print::text(self, v, o).unwrap_or_else(|_| format!("a {}", v.kind().map_or("value", Kind::name)))
            }
        };
        if text.chars().count() > TEXT { text.chars().take(TEXT).chain(['…']).collect() } else { text }
    }
}
