//! The node table, stated once. Kinds, their children in evaluation order, and what the datom form calls them.

/// How often a child occurs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    One,
    Opt,
    /// Any number; at most one such child per kind.
    Many,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct KindInfo {
    pub kind: Kind,
    /// Value of `:yin/type`.
    pub name: &'static str,
    /// Attribute and number of each child, in evaluation order.
    pub children: &'static [(&'static str, Shape)],
    /// Has it a `:yin/name`?
    pub named: bool,
    /// Has it a `:yin/value`?
    pub valued: bool,
    pub doc: &'static str,
}

macro_rules! nodes {
    ($($doc:literal $kind:ident $name:literal $named:tt $valued:tt [$($attr:literal $shape:ident),*];)*) => {
        /// Kinds of nodes.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        pub enum Kind { $(#[doc = $doc] $kind,)* }
        /// One row per kind, in order.
        pub const KINDS: &[KindInfo] = &[$(KindInfo {
            kind: Kind::$kind,
            name: $name,
            children: &[$(($attr, Shape::$shape)),*],
            named: nodes!(@flag $named),
            valued: nodes!(@flag $valued),
            doc: $doc,
        },)*];
    };
    (@flag y) => { true };
    (@flag n) => { false };
}

nodes! {
    "Itself." Literal "literal" n y [];
    "A local (`:yin/refers-to` its binder) or, with a qualified name, the value of a global." Variable "variable" y n [];
    "A parameter: a binder." Parameter "parameter" y n [];
    "A local and its value: a binder." Binding "binding" y n ["init" Opt];
    "A function of one arity; `rest` takes further arguments as a list." Lambda "lambda" y n ["parameters" Many, "rest" Opt, "body" One];
    "A function of several arities; `self` is the binder of its own name." Function "function" y n ["self" Opt, "arities" Many];
    "A call: operator first, then operands, then the call." Application "application" n n ["operator" One, "operands" Many];
    "Only nil and false are false." If "if" n n ["test" One, "consequent" One, "alternate" Opt];
    "One after the other; the value of the last." Do "do" n n ["statements" Many];
    "Locals in order, then the body." Let "let" n n ["bindings" Many, "body" One];
    "Locals that `recur` may bind anew." Loop "loop" n n ["bindings" Many, "body" One];
    "Binds the locals of the enclosing loop or function anew and goes there." Recur "recur" n n ["operands" Many];
    "Functions that know each other." Letrec "letrec" n n ["bindings" Many, "body" One];
    "A global: its qualified name, metadata and value." Define "define" y n ["metadata" Opt, "init" Opt];
    "A global itself, not its value." Var "var" y n [];
    "Assigns a global or a field." Set "set" n n ["target" One, "val-node" One];
    "Runs the body; `finally` runs in any case." Try "try" n n ["body" One, "catches" Many, "finally" Opt];
    "Takes exceptions of a class." Catch "catch" n n ["class" One, "binding" One, "body" One];
    "Raises." Throw "throw" n n ["val-node" One];
    "A vector of computed elements." VectorOf "vector" n n ["elements" Many];
    "A map of computed keys and values, alternating." MapOf "map" n n ["elements" Many];
    "A set of computed elements." SetOf "set-of" n n ["elements" Many];
    "Chooses by a constant: `:yin/value` is a vector of vectors of constants, one per branch." Case "case" n y ["test" One, "default" One, "branches" Many];
    "A field of the method's object: `:yin/value` is its index." Field "field" y y ["target" One];
    "A method of the host, by name." HostCall "host-call" y n ["target" One, "operands" Many];
    "A new object of a host class, by name." New "new" y n ["operands" Many];
}

impl Kind {
    pub fn info(self) -> &'static KindInfo {
        &KINDS[self as usize]
    }
    /// The kind a `:yin/type` names.
    pub fn named(name: &str) -> Option<Kind> {
        KINDS.iter().find(|k| k.name == name).map(|k| k.kind)
    }
    /// Kind by number, as stored.
    pub fn from_u8(n: u8) -> Option<Kind> {
        KINDS.get(n as usize).map(|k| k.kind)
    }
}
