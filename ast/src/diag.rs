//! Diagnostics, stated once: code, kind, text, what it means, and the smallest program that shows it.
//!
//! Readers and the analyser make their messages from the rows here. What a running program throws carries its own text and
//! is recognised by it ([`Diag::of`]); each kind has a general row for what no other describes. `yin explain CODE`, the
//! reference page and a test per row read the table.

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct DiagInfo {
    pub diag: Diag,
    /// `Y` and four digits: Y01.. reading, Y02.. syntax, Y03.. names, Y04.. running, Y05.. limits. Never reused.
    pub code: &'static str,
    /// Kind word of the report, `error[kind]`.
    pub kind: &'static str,
    /// The message, `{}` where the particulars go; empty for the general row of a kind.
    pub text: &'static str,
    /// What it means and what to do.
    pub why: &'static str,
    /// A program that fails so.
    pub example: &'static str,
}

macro_rules! diags {
    ($($name:ident $code:literal $kind:literal $text:literal $why:literal $example:literal;)*) => {
        /// What can be wrong.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u16)]
        pub enum Diag { $(#[doc = $why] $name,)* }
        /// One row per diagnostic, in order of their codes.
        pub const DIAGS: &[DiagInfo] = &[$(DiagInfo {
            diag: Diag::$name, code: $code, kind: $kind, text: $text, why: $why, example: $example,
        },)*];
    };
}

diags! {
    // ---- reading
    Unmatched "Y0101" "read" "Unmatched delimiter: {}" "A closing delimiter stands where nothing is open. It is one too many, or an opening one is missing before it." "(inc 1))";
    UnmatchedInside "Y0102" "read" "Unmatched delimiter: {}, expected {} to match what starts on line {}" "A collection is closed by a delimiter of another kind. `(` is closed by `)`, `[` by `]`, `{` and `#{` by `}`." "(inc [1)";
    UnmatchedForm "Y0103" "read" "Unmatched delimiter: {}, expected {}" "A closing delimiter stands where a form must follow, as behind a quote, `#_` or a tag." "(list ')";
    EofCollection "Y0104" "read" "EOF while reading a collection that starts on line {}" "The text ends inside a list, vector, map or set. The place is where it opens. If a later form begins at the left edge, the delimiter is most likely missing just before it." "(inc (inc 1)";
    EofString "Y0105" "read" "EOF while reading a string" "The text ends inside a string: its closing `\"` is missing." "(str \"abc)";
    EofForm "Y0106" "read" "EOF while reading {}" "The text ends where a form must follow, or inside one." "(def x 1) '";
    UnexpectedCharacter "Y0107" "read" "unexpected character {}" "No form begins with this character." "";
    Token "Y0108" "read" "Invalid token: {}" "A symbol or keyword is spelt in a way that names nothing: it begins or ends with `/`, ends with `:`, or holds `::`." "(list :a/)";
    KeywordAlias "Y0109" "read" "Invalid token: {} (no alias {})" "`::alias/name` needs a namespace alias that exists when the form is read: `(require '[some.namespace :as alias])`, or `:as-alias`." "::nowhere/x";
    OddMap "Y0110" "read" "Map literal must contain an even number of forms" "A map literal is keys and values in turn; one has no partner." "{:a 1 :b}";
    DuplicateKey "Y0111" "read" "Duplicate key: {}" "A key occurs twice in a map literal, or an element twice in a set literal." "{:a 1 :a 2}";
    UnicodeEscape "Y0112" "read" "Invalid unicode escape" "`\\u` takes exactly four hexadecimal digits that make a character; characters beyond U+FFFF are written as two surrogates." "\"\\u12\"";
    OctalEscape "Y0113" "read" "Octal escape sequence must be in range [0, 377]." "A backslash and up to three octal digits give a character up to U+00FF." "\"\\777\"";
    Escape "Y0114" "read" "Unsupported escape character: \\{}" "Strings know `\\n \\t \\r \\b \\f \\\\ \\\"`, `\\uXXXX` and octal escapes. In a regex literal `#\"…\"` the backslash is the pattern's own." "\"\\d\"";
    Character "Y0115" "read" "Unsupported character: \\{}" "A character literal is one character, `\\newline \\space \\tab \\return \\backspace \\formfeed`, `\\uXXXX` or `\\oNNN`." "\\spoce";
    MetaForm "Y0116" "read" "Metadata must be Symbol,Keyword,String or Map" "Behind `^` stands a map, a keyword (`^:dynamic`) or a type (`^String`)." "^1 x";
    MetaTarget "Y0117" "read" "Metadata can only be applied to IMetas" "Symbols and collections carry metadata; numbers, strings and keywords do not." "^:a 1";
    FnArg "Y0118" "read" "arg literal must be %, %& or %integer" "Inside `#()` a symbol that begins with `%` is a parameter: `%`, `%1` to `%20`, or `%&` for the rest." "#(+ %x 1)";
    NestedFn "Y0119" "read" "Nested #()s are not allowed" "`%` would not say whose parameter it is. Write one of them as `(fn [x] …)`." "#(map #(inc %) %)";
    Dispatch "Y0120" "read" "No dispatch macro for: {}" "No form begins with `#` and this character." "#, 1";
    NotData "Y0121" "read" "{} has no meaning in data" "EDN has no quoting, dereferencing or function literals." "(require 'clojure.edn) (clojure.edn/read-string \"@a\")";
    Symbolic "Y0122" "read" "Invalid symbolic value: ##{}" "There are `##Inf`, `##-Inf` and `##NaN`." "##Infinity";
    MapAlias "Y0123" "read" "Unknown auto-resolved namespace alias: {}" "`#::alias{…}` needs a namespace alias that exists when the form is read." "#::nowhere{:a 1}";
    NamespacedMap "Y0124" "read" "Namespaced map must specify a namespace and a map" "`#:name{:a 1}` gives the keys of the map that follows a namespace." "#:a [1]";
    Unreadable "Y0125" "read" "Unreadable form" "`#<…>` is how objects are shown that have no text form; it cannot be read back." "#<Thing>";
    EvalReader "Y0126" "read" "EvalReader is not supported" "`#=` would run code while reading. Use a macro." "#=(inc 1)";
    ConditionalBody "Y0127" "read" "read-cond body must be a list" "`#?` is followed by a list of features and forms: `#?(:clj 1 :default 2)`." "#?[:clj 1]";
    Feature "Y0128" "read" "Feature should be a keyword" "A reader conditional is features and forms in turn; features are keywords." "#?(clj 1)";
    OddConditional "Y0129" "read" "read-cond requires an even number of forms" "A feature of a reader conditional has no form." "#?(:clj)";
    TopLevelSplice "Y0130" "read" "Reader conditional splicing not allowed at the top level." "`#?@` puts forms into the collection around it; at the top level there is none." "#?@(:clj [1 2])";
    SpliceForm "Y0131" "read" "Spliced form list in read-cond-splicing must be sequential" "What `#?@` splices is a list or vector of forms." "[#?@(:clj 1)]";
    SpliceNotInList "Y0132" "read" "splice not in list" "`~@` puts elements into the collection around it; directly behind a syntax-quote there is none." "`~@[1]";
    TooDeep "Y0133" "read" "forms are nested deeper than {}" "Text nested so deeply is most likely damaged or made by mistake." "";
    NumberToken "Y0134" "read" "Invalid number: {}" "A token that begins with a digit is no number: `42`, `0x2A`, `2r101010`, `42N`, `22/7`, `1.5`, `1e3`, `1.5M`." "12abc";
    DateToken "Y0135" "read" "Unrecognized date/time syntax: {}" "`#inst` takes RFC 3339: `#inst \"2024-01-15T10:00:00.000-00:00\"`, from the year on as far as needed." "#inst \"yesterday\"";
    UuidToken "Y0136" "read" "Invalid UUID string: {}" "`#uuid` takes five groups of hexadecimal digits: 8-4-4-4-12." "#uuid \"12\"";
    NoTagReader "Y0137" "read" "No reader function for tag {}" "A tag needs a function in `*data-readers*`, `default-data-readers` or the `:readers` of the call." "#my/tag [1]";
    Read "Y0199" "read" "" "The text is not a program." "(read-string \"\")";

    // ---- syntax: found before running
    NestedForms "Y0201" "syntax" "forms are nested too deeply" "Code nested so deeply was most likely made by a macro that expands into itself." "(defmacro m [] '(inc (m))) (m)";
    MacroValue "Y0202" "syntax" "Can't take value of a macro: {}" "A macro is not a function: it cannot be passed on. Wrap it: `#(and %1 %2)`." "(map and [1])";
    Member "Y0203" "syntax" "Malformed member expression, expecting {}" "A method is called as `(.method target argument …)`, a field is read as `(.-field target)`." "(.length)";
    NoMethodOfProtocol "Y0204" "syntax" "No single method: {} of a protocol takes 0 arguments" "A protocol's function chooses by its first argument, so it takes at least one." "(defprotocol P (f [x])) (f)";
    ManyArguments "Y0205" "syntax" "a call has more than 250 arguments; use apply" "Arguments are registers of a frame, of which a call takes 250." "";
    FormCount "Y0206" "syntax" "{} takes {}" "A special form has a fixed number of parts." "(quote)";
    FewArguments "Y0207" "syntax" "Too few arguments to {}" "A part of the form is missing." "(if)";
    ManyParts "Y0208" "syntax" "Too many arguments to {}" "The form has a part too many. Several expressions in one place go into `(do …)`." "(if true 1 2 3)";
    RecurTry "Y0209" "syntax" "Cannot recur across try" "`recur` inside `try` would leave it. Let the `try` give a value and `recur` outside." "(loop [] (try (recur) (catch Exception e)))";
    RecurTail "Y0210" "syntax" "Can only recur from tail position{}" "`recur` goes back to the start of a loop or function, so nothing may be left to do behind it." "(fn [x] (recur x) 1)";
    RecurCount "Y0211" "syntax" "Mismatched argument count to recur, expected: {} args, got: {}" "`recur` gives a value to each local of its loop, or to each parameter of its function." "(loop [a 1] (recur))";
    Assignment "Y0212" "syntax" "Malformed assignment, expecting (set! target val)" "`set!` takes what is assigned and its value." "(set! x)";
    AssignLocal "Y0213" "syntax" "Cannot assign to non-mutable local" "Locals do not change. Use `loop`/`recur`, an atom, or a `^:unsynchronized-mutable` field." "(let [x 1] (set! x 2))";
    AssignTarget "Y0214" "syntax" "Invalid assignment target" "`set!` assigns a dynamic var, a mutable field or `(.-field object)`." "(set! (inc 1) 2)";
    OutsideTry "Y0215" "syntax" "Unable to resolve symbol: {} outside of try" "`catch` and `finally` are parts of `try`, at its end." "(catch Exception e 1)";
    OddBindings "Y0216" "syntax" "{} requires an even number of forms in binding vector" "Bindings are names and values in turn; one has no partner." "(let [a] a)";
    BindingVector "Y0217" "syntax" "{} requires a vector for its binding" "Bindings stand in a vector: `[name value …]`." "(let (a 1) a)";
    QualifiedLocal "Y0218" "syntax" "Can't {} qualified name" "Locals have no namespace. In a syntax-quote write `name#`, or `~'name` if the name is meant to be seen." "(fn [a/b] 1)";
    NotASymbol "Y0219" "syntax" "Can't {} what is not a symbol" "A local is named by a symbol." "(letfn* [1 (fn* [] 1)] 1)";
    ArityList "Y0220" "syntax" "a function's arity must be a list that starts with its parameters" "`(fn ([x] …) ([x y] …))`: each arity is a list." "(fn* ([x] 1) 2)";
    ParametersMissing "Y0221" "syntax" "Parameter declaration missing" "A function has a vector of parameters, if only `[]`." "(fn*)";
    ParameterVector "Y0222" "syntax" "Parameter declaration should be a vector" "Parameters stand in a vector." "(fn* (x 1))";
    TwoVariadics "Y0223" "syntax" "Can't have more than 1 variadic overload" "Only one arity may take further arguments with `&`." "(fn ([& a] 1) ([b & a] 2))";
    SameArity "Y0224" "syntax" "Can't have 2 overloads with same arity" "Arities are told apart by their number of parameters." "(fn ([a] 1) ([b] 2))";
    VariadicShorter "Y0225" "syntax" "Can't have fixed arity function with more params than variadic function" "A call with that many arguments would fit both." "(fn ([a b] 1) ([& a] 2))";
    AfterRest "Y0226" "syntax" "Unexpected parameter after &" "`&` is followed by exactly one parameter, the last." "(fn [& a b] 1)";
    ManyParameters "Y0227" "syntax" "Can't specify more than 200 params" "Take the rest with `&`." "";
    DefSymbol "Y0228" "syntax" "First argument to def must be a Symbol" "`def` names a var of the current namespace." "(def 1 2)";
    DefElsewhere "Y0229" "syntax" "Can't refer to qualified var that doesn't exist" "`def` makes vars of the current namespace only." "(def nowhere/x 1)";
    FinallyLast "Y0230" "syntax" "finally clause must be last in try expression" "The order is body, `catch` clauses, `finally`." "(try 1 (finally 2) (catch Exception e 3))";
    TwoFinally "Y0231" "syntax" "Only one finally clause is allowed" "Put both into one `finally`." "(try 1 (finally 2) (finally 3))";
    AfterCatch "Y0232" "syntax" "Only catch or finally clause can follow catch in try expression" "The body of `try` comes before its clauses." "(try 1 (catch Exception e 2) 3)";
    SpecialOnly "Y0233" "syntax" "{} has a meaning inside other forms only" "The symbol belongs to another special form." "";
    Syntax "Y0299" "syntax" "" "A special form or a macro of the core is used in a way it does not allow. The message says which rule it breaks." "(cond 1)";

    // ---- names
    NoSymbol "Y0301" "unbound" "Unable to resolve symbol: {} in this context{}" "No local, var or class has this name here. It is misspelt, defined further down (`declare` helps), or in a namespace that is not required." "(fooo 1)";
    NoVar "Y0302" "unbound" "No such var: {}" "The namespace is there, the name is not. Near names are proposed." "(clojure.string/jion [1])";
    NoNamespace "Y0303" "unbound" "No such namespace: {}" "No namespace and no alias has this name. `(:require [some.namespace :as alias])` makes both." "(nowhere/f 1)";
    NoClass "Y0304" "unbound" "Unable to find the class {}" "Yin runs without a host platform; the classes whose names scripts use most are built in." "com.example.Thing";
    NoClassname "Y0305" "unbound" "Unable to resolve classname: {}" "`new` takes a class that is built in or made by `deftype` or `defrecord`." "(Nowhere. 1)";
    NotPublic "Y0306" "unbound" "var: {} is not public" "The var is private to its namespace. `@#'name` gets at it all the same." "(ns a) (def ^:private x 1) (ns b) a/x";
    NoVarForm "Y0307" "unbound" "Unable to resolve var: {} in this context" "`#'name` takes the name of a var." "#'fooo";
    Unbound "Y0399" "unbound" "" "A name has no meaning here, or a var no value yet." "(declare x) (inc x)";

    // ---- running
    WrongCount "Y0401" "arity" "Wrong number of args ({}) passed to: {}" "The function has no arity for that many arguments." "((fn [x] x))";
    Arity "Y0409" "arity" "" "A function, keyword, collection or macro is called with a number of arguments it does not take." "";
    NotCallable "Y0411" "type" "{} cannot be cast to clojure.lang.IFn: it is not a function" "The first form of a list is called. Data in a list is quoted: `'(1 2)`." "(1 2)";
    NotANumber "Y0412" "type" "{} cannot be cast to java.lang.Number: a number is needed here" "Arithmetic takes numbers. `nil` often means that a lookup found nothing." "(+ 1 :a)";
    NotComparable "Y0413" "type" "{} cannot be compared with {}" "`compare` orders values of one kind. Give `sort` a comparator, or `sort-by` a key." "(compare 1 \"a\")";
    Type "Y0419" "type" "" "A value is of a kind this operation does not take." "(count 1)";
    DivideByZero "Y0421" "arithmetic" "Divide by zero" "Integers, ratios and decimals have no quotient by zero; doubles give `##Inf` or `##NaN`." "(/ 1 0)";
    Overflow "Y0422" "arithmetic" "integer overflow" "The result does not fit 64 bits. `+' -' *' inc'` go on with big integers, `unchecked-add` and its kin wrap." "(inc Long/MAX_VALUE)";
    Arithmetic "Y0429" "arithmetic" "" "A calculation has no exact result." "(/ 1M 3M)";
    Index "Y0431" "index" "" "An index is outside the vector, string, array or list. `get` gives nil there, `nth` takes a default." "(nth [1] 5)";
    Range "Y0441" "argument" "Value out of range for {}: {}" "The number does not fit the type it is converted to." "(byte 1000)";
    NoValueForKey "Y0442" "argument" "No value supplied for key: {}" "Keys and values come in pairs." "(hash-map :a)";
    Argument "Y0449" "argument" "" "A value of the right kind cannot be used here." "(conj {} [1])";
    NotANumberText "Y0451" "parse" "For input string: {}" "The text is no number of this kind. `parse-long` and `parse-double` give nil instead of failing." "(Long/parseLong \"x\")";
    Parse "Y0459" "parse" "" "A text is not what it should be: number, pattern or document." "(re-pattern \"(\")";
    Pop "Y0461" "state" "Can't pop empty {}" "There is nothing to take away; look with `seq` first." "(pop [])";
    TransientUsed "Y0462" "state" "Transient used after persistent! call" "`persistent!` ends a transient. Use the value it gives, and use what `conj!` and `assoc!` return." "(let [t (transient [])] (persistent! t) (conj! t 1))";
    NoPrompt "Y0463" "state" "abort-to-prompt: no prompt with this tag is active" "`abort-to-prompt` needs a `call-with-prompt` of the same tag around it that has not returned." "(yin.control/abort-to-prompt :nowhere 1)";
    State "Y0469" "state" "" "The object is not in a state that allows this." "(atom 1 :validator neg?)";
    NoMethod "Y0471" "no-method" "" "Nothing implements this protocol function, multimethod or host method for such a value. `extend-protocol`, `defmethod` with `:default`." "(defmulti f identity) (f 1)";
    NoClause "Y0472" "no-clause" "" "`case` or `condp` has no branch for this value and no default." "(case 1 2 3)";
    Assert "Y0473" "assert" "" "An `assert`, `:pre` or `:post` condition does not hold." "(assert false)";
    Io "Y0474" "io" "" "A file or stream is missing or cannot be used so." "(slurp \"nowhere.txt\")";
    User "Y0475" "user" "" "The program threw this itself, with `throw`." "(throw (ex-info \"so\" {}))";

    // ---- limits
    Fuel "Y0501" "limit" "the program used up its fuel" "`--fuel N` ends a program after N steps; a step is a call or a turn of a loop." "";
    Memory "Y0502" "limit" "the program needs more memory than --mem allows" "`--mem SIZE` bounds what values and frames take." "";
}

impl Diag {
    pub fn info(self) -> &'static DiagInfo {
        &DIAGS[self as usize]
    }
    pub fn code(self) -> &'static str {
        self.info().code
    }
    /// The message with its particulars, in order. Complexity: linear.
    pub fn message(self, holes: &[&str]) -> String {
        let mut parts = self.info().text.split("{}");
        let mut s = String::from(parts.next().unwrap_or(""));
        let mut holes = holes.iter();
        for p in parts {
            s.push_str(holes.next().copied().unwrap_or(""));
            s.push_str(p);
        }
        s
    }
    /// The row with this code, in any case.
    pub fn named(code: &str) -> Option<Diag> {
        DIAGS.iter().find(|d| d.code.eq_ignore_ascii_case(code)).map(|d| d.diag)
    }
    /// What a report of this kind and message is: of the rows of the kind whose text it has, the one that says most.
    pub fn of(kind: &str, message: &str) -> Option<Diag> {
        let rows = DIAGS.iter().filter(|d| d.kind == kind && (d.text.is_empty() || fits(d.text, message)));
        rows.max_by_key(|d| d.text.len()).map(|d| d.diag)
    }
}

/// Is `message` made from `text`? What follows the text is free: hints stand there.
fn fits(text: &str, message: &str) -> bool {
    let mut parts = text.split("{}");
    let Some(mut rest) = message.strip_prefix(parts.next().unwrap_or("")) else { return false };
    for p in parts {
        match rest.find(p) {
            Some(i) => rest = &rest[i + p.len()..],
            None => return false,
        }
    }
    true
}

/// The long explanation of a diagnostic, for a terminal.
pub fn explain(d: Diag) -> String {
    let i = d.info();
    let mut s = format!("{}: error[{}]", i.code, i.kind);
    if !i.text.is_empty() {
        s.push_str(&format!(": {}", i.text.replace("{}", "…")));
    }
    s.push_str(&format!("\n\n{}\n", i.why));
    if !i.example.is_empty() {
        s.push_str(&format!("\nfor example\n\n    {}\n", i.example));
    }
    s
}

/// The reference page of the table, as Markdown.
pub fn reference() -> String {
    let mut s = String::from(
        "# Diagnostics\n\nGenerated from the table of diagnostics (`ast/src/diag.rs`); a test keeps it fresh. The code stands at \
         the end of the first\nline of a report; `yin explain CODE` prints the same text. Codes do not change and are not \
         used again.\n",
    );
    for i in DIAGS {
        let text =
            if i.text.is_empty() { "any other".to_string() } else { format!("`{}`", i.text.replace("{}", "…")) };
        s.push_str(&format!("\n## {}\n\n`error[{}]`: {text}\n\n{}\n", i.code, i.kind, i.why));
        if !i.example.is_empty() {
            s.push_str(&format!("\n```clojure\n{}\n```\n", i.example));
        }
    }
    s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_rise_and_rows_are_at_their_number() {
        assert!(DIAGS.windows(2).all(|w| w[0].code < w[1].code));
        for (i, d) in DIAGS.iter().enumerate() {
            assert_eq!(d.diag as usize, i);
            assert_eq!(Diag::named(d.code), Some(d.diag));
            assert!(d.code.len() == 5 && !d.why.is_empty());
        }
    }

    #[test]
    fn messages_know_their_row() {
        for d in DIAGS.iter().filter(|d| !d.text.is_empty()) {
            let m = d.diag.message(&["xyz", "uvw", "7"]);
            assert_eq!(Diag::of(d.kind, &m), Some(d.diag), "{m}");
        }
        assert_eq!(Diag::of("type", "no row says this"), Some(Diag::Type));
        assert_eq!(Diag::of("nonsense", "x"), None);
    }

    /// `UPDATE_EXPECT=1 cargo test -p yin-ast` writes the page anew.
    #[test]
    fn the_reference_page_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/diagnostics.md");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(path, reference()).expect("docs can be written");
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(page == reference(), "docs/reference/diagnostics.md is stale: UPDATE_EXPECT=1 cargo test -p yin-ast");
    }
}
