//! The node table, stated once: kinds, their children in evaluation order, and what the datom form calls them.
//!
//! Storage, datoms, checker, printer, content hash and the reference page all walk [`KINDS`]; a new node is a row here.

/// How often a child occurs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Exactly once.
    One,
    /// Once or not at all; absent ones are [`NodeId::NONE`](crate::NodeId::NONE) in the columns.
    Opt,
    /// Any number; at most one such child per kind.
    Many,
}

/// What a child must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Anything with a value.
    Expr,
    /// A [`Kind::Parameter`].
    Param,
    /// A [`Kind::Binding`].
    Bind,
    /// A [`Kind::Lambda`].
    Arity,
    /// A [`Kind::Catch`].
    Handler,
}

/// A child in the table.
#[derive(Clone, Copy, Debug)]
pub struct ChildInfo {
    /// The attribute, `yin/operator`.
    pub attr: &'static str,
    pub shape: Shape,
    pub role: Role,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct KindInfo {
    pub kind: Kind,
    /// Value of `:yin/type`.
    pub name: &'static str,
    /// The children, in evaluation order.
    pub children: &'static [ChildInfo],
    /// May it have a `:yin/name`?
    pub named: bool,
    /// May it have a `:yin/value`?
    pub valued: bool,
    pub doc: &'static str,
}

impl KindInfo {
    /// How many of `n` children belong to the repeated one; `None` if `n` fits no node of this kind. The others occur once
    /// in the columns, absent or not.
    pub fn repeated(&self, n: usize) -> Option<usize> {
        let fixed = self.children.iter().filter(|c| c.shape != Shape::Many).count();
        let many = n.checked_sub(fixed)?;
        (many == 0 || fixed < self.children.len()).then_some(many)
    }
    /// The row's entry for child `i` of `n`.
    pub fn child_at(&self, i: usize, n: usize) -> Option<&'static ChildInfo> {
        let many = self.repeated(n)?;
        let before = self.children.iter().position(|c| c.shape == Shape::Many).unwrap_or(self.children.len());
        let at = if i < before {
            i
        } else if i < before + many {
            before
        } else {
            i + 1 - many
        };
        self.children.get(at)
    }
}

macro_rules! nodes {
    ($($doc:literal $kind:ident $name:literal $named:tt $valued:tt [$($attr:literal $shape:ident $role:ident),*];)*) => {
        /// Kinds of nodes.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        pub enum Kind { $(#[doc = $doc] $kind,)* }
        /// One row per kind, in order.
        pub const KINDS: &[KindInfo] = &[$(KindInfo {
            kind: Kind::$kind,
            name: $name,
            children: &[$(ChildInfo { attr: concat!("yin/", $attr), shape: Shape::$shape, role: Role::$role }),*],
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
    "A local and its value: a binder." Binding "binding" y n ["init" Opt Expr];
    "A function of one arity; `rest` takes further arguments as a list." Lambda "lambda" y n ["parameters" Many Param, "rest" Opt Param, "body" One Expr];
    "A function of several arities; `self` is the binder of its own name." Function "function" y n ["self" Opt Param, "arities" Many Arity];
    "A call: operator first, then operands, then the call." Application "application" n n ["operator" One Expr, "operands" Many Expr];
    "Only nil and false are false." If "if" n n ["test" One Expr, "consequent" One Expr, "alternate" Opt Expr];
    "One after the other; the value of the last." Do "do" n n ["statements" Many Expr];
    "Locals in order, then the body." Let "let" n n ["bindings" Many Bind, "body" One Expr];
    "Locals that `recur` may bind anew." Loop "loop" n n ["bindings" Many Bind, "body" One Expr];
    "Binds the locals of the enclosing loop or function anew and goes there." Recur "recur" n n ["operands" Many Expr];
    "Functions that know each other; uses refer to what their binding refers to." Letrec "letrec" n n ["bindings" Many Bind, "body" One Expr];
    "A global: its qualified name, metadata and value." Define "define" y n ["metadata" Opt Expr, "init" Opt Expr];
    "A global itself, not its value." Var "var" y n [];
    "Assigns a global or a field." Set "set" n n ["target" One Expr, "val-node" One Expr];
    "Runs the body; `finally` runs in any case." Try "try" n n ["body" One Expr, "catches" Many Handler, "finally" Opt Expr];
    "Takes exceptions of a class." Catch "catch" n n ["class" One Expr, "binding" One Param, "body" One Expr];
    "Raises." Throw "throw" n n ["val-node" One Expr];
    "A vector of computed elements." VectorOf "vector" n n ["elements" Many Expr];
    "A map of computed keys and values, alternating." MapOf "map" n n ["elements" Many Expr];
    "A set of computed elements." SetOf "set-of" n n ["elements" Many Expr];
    "Chooses by a constant: `:yin/value` is a vector of vectors of constants, one per branch." Case "case" n y ["test" One Expr, "default" One Expr, "branches" Many Expr];
    "A field of the method's object: `:yin/value` is its index." Field "field" y y ["target" One Expr];
    "A method of the host, by name." HostCall "host-call" y n ["target" One Expr, "operands" Many Expr];
    "A new object of a host class, by name." New "new" y n ["operands" Many Expr];
    "A construct of a source language that has no meaning of its own here; `:yin/name` says which. The machine refuses it." Syntax "syntax" y n ["parts" Many Expr];
}

/// Attributes that any node can have, beside those of its row.
pub const COMMON: &[(&str, &str)] = &[
    ("yin/type", "the kind, a keyword"),
    ("yin/name", "a symbol; names of globals are qualified"),
    ("yin/value", "any value"),
    ("yin/params", "of a lambda: the names of its parameters, a vector of symbols"),
    ("yin/refers-to", "of a variable: its binder"),
    ("yin/tail?", "true for a call in tail position"),
    ("yin/root", "true for a top-level form"),
    ("yin/parent", "the node whose child this is"),
    ("yin/child-index", "which child of the parent, from 0, absent ones counted"),
    ("yin/hash", "hash of what the node means: names of locals, places in the text and tail marks do not count"),
    ("yin/lang", "`:clojure` or `:python`: the language of the source"),
    ("yin/file", "name of the source"),
    ("yin/start", "byte offset of the first byte"),
    ("yin/end", "byte offset behind the last byte"),
    ("yin/line", "line of the first character, from 1"),
    ("yin/column", "column of the first character, from 1, in characters"),
    ("yin/end-line", "line behind the last character"),
    ("yin/end-column", "column behind the last character"),
];

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
    /// Is it a place that variables refer to?
    pub fn is_binder(self) -> bool {
        matches!(self, Kind::Parameter | Kind::Binding)
    }
    /// Does it have a value, so that it may stand for an expression?
    pub fn is_expr(self) -> bool {
        !matches!(self, Kind::Parameter | Kind::Binding | Kind::Catch)
    }
}

impl Role {
    /// May a node of `kind` stand there?
    pub fn takes(self, kind: Kind) -> bool {
        match self {
            Role::Expr => kind.is_expr(),
            Role::Param => kind == Kind::Parameter,
            Role::Bind => kind == Kind::Binding,
            Role::Arity => kind == Kind::Lambda,
            Role::Handler => kind == Kind::Catch,
        }
    }
    fn text(self) -> &'static str {
        match self {
            Role::Expr => "an expression",
            Role::Param => "a parameter",
            Role::Bind => "a binding",
            Role::Arity => "a lambda",
            Role::Handler => "a catch",
        }
    }
}

/// The reference page of the table, as Markdown.
pub fn reference() -> String {
    let mut s = String::from(
        "# Nodes of the Universal AST\n\nGenerated from the node table (`ast/src/schema.rs`); a test keeps it fresh.\n\n\
         Each node is an entity, each attribute a datom `[e a v t m]`. Children are refs; of a repeated child the value \
         is the vector\nof refs, in order. Children are listed in the order in which they are evaluated.\n\n\
         ## Attributes of every node\n\n| attribute | value |\n|---|---|\n",
    );
    for (attr, doc) in COMMON {
        s.push_str(&format!("| `:{attr}` | {doc} |\n"));
    }
    s.push_str("\n## Kinds\n");
    for k in KINDS {
        s.push_str(&format!("\n### `:{}`\n\n{}\n", k.name, k.doc));
        let mut rows = Vec::new();
        if k.named {
            rows.push("| `:yin/name` | symbol |".to_string());
        }
        if k.valued {
            rows.push("| `:yin/value` | value |".to_string());
        }
        for c in k.children {
            let n = match c.shape {
                Shape::One => "",
                Shape::Opt => ", may be absent",
                Shape::Many => ", any number",
            };
            rows.push(format!("| `:{}` | {}{n} |", c.attr, c.role.text()));
        }
        if !rows.is_empty() {
            s.push_str("\n| attribute | value |\n|---|---|\n");
            s.push_str(&rows.join("\n"));
            s.push('\n');
        }
    }
    s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_at_their_number_and_names_are_distinct() {
        for (i, k) in KINDS.iter().enumerate() {
            assert_eq!(k.kind as usize, i);
            assert_eq!(Kind::named(k.name), Some(k.kind));
            assert!(k.children.iter().filter(|c| c.shape == Shape::Many).count() <= 1);
        }
        assert_eq!(Kind::from_u8(KINDS.len() as u8), None);
    }

    #[test]
    fn children_have_their_entries() {
        let t = Kind::Try.info();
        let attr = |i, n| t.child_at(i, n).map(|c| c.attr);
        assert_eq!((attr(0, 4), attr(1, 4), attr(2, 4)), (Some("yin/body"), Some("yin/catches"), Some("yin/catches")));
        assert_eq!((attr(3, 4), attr(4, 4), attr(1, 2)), (Some("yin/finally"), None, Some("yin/finally")));
        assert_eq!(t.repeated(1), None);
        assert_eq!(Kind::If.info().repeated(4), None);
        assert_eq!(Kind::If.info().repeated(3), Some(0));
    }

    /// `UPDATE_EXPECT=1 cargo test -p yin-ast` writes the page anew.
    #[test]
    fn the_reference_page_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/nodes.md");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference"))
                .expect("docs can be written");
            std::fs::write(path, reference()).expect("docs can be written");
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(page == reference(), "docs/reference/nodes.md is stale: UPDATE_EXPECT=1 cargo test -p yin-ast");
    }
}
