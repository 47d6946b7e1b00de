//! The result of a query: columns that are decoded when they are looked at.

use super::ast::{Find, Query};
use super::env::Env;
use super::error::QueryError;
use super::exec::Step;
use super::space::Decoder;
use crate::edn::Edn;
use crate::value::Word;
use std::fmt;

/// One element of `:find` for all rows.
#[derive(Clone, Debug)]
pub(super) enum Column {
    Const(Word),
    Ents(Vec<u32>),
    Words(Vec<Word>),
    Values(Vec<Edn>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    Set,
    Bag,
    Coll,
    Tuple,
    Scalar,
}

/// What a query found.
#[derive(Clone)]
pub struct Output {
    shape: Shape,
    keys: Option<Vec<Edn>>,
    columns: Vec<Column>,
    n: usize,
    /// Rows in the order asked for, when it is not the one they were found in.
    order: Option<Vec<u32>>,
    decoder: Decoder,
    steps: Vec<Step>,
}

impl Output {
    pub(super) fn new(
        query: &Query,
        columns: Vec<Column>,
        n: usize,
        bag: bool,
        steps: Vec<Step>,
        env: Env,
    ) -> Result<Self, QueryError> {
        let shape = match query.find {
            Find::Rel(_) if bag => Shape::Bag,
            Find::Rel(_) => Shape::Set,
            Find::Coll(_) => Shape::Coll,
            Find::Tuple(_) => Shape::Tuple,
            Find::Scalar(_) => Shape::Scalar,
        };
        let keys = query.keys.clone();
        let mut out = Self { shape, keys, columns, n, order: None, decoder: env.space.finish(), steps };
        if !query.order.is_empty() {
            let keys: Vec<(Vec<Edn>, bool)> = query
                .order
                .iter()
                .map(|o| ((0..out.n).map(|i| out.value(i, o.column)).collect(), o.descending))
                .collect();
            let mut order: Vec<u32> = (0..out.n as u32).collect();
            order.sort_by(|a, b| {
                keys.iter()
                    .map(|(k, descending)| {
                        let o = k[*a as usize].cmp(&k[*b as usize]);
                        if *descending { o.reverse() } else { o }
                    })
                    .find(|o| o.is_ne())
                    .unwrap_or(std::cmp::Ordering::Equal)
            });
            out.order = Some(order);
        }
        if query.offset > 0 || query.limit.is_some() {
            let from = query.offset.min(out.n);
            let to = query.limit.map_or(out.n, |l| from.saturating_add(l).min(out.n));
            let order = out.order.take().unwrap_or_else(|| (0..out.n as u32).collect());
            out.order = Some(order[from..to].to_vec());
            out.n = to - from;
        }
        Ok(out)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.n
    }

    /// True if nothing was found.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// How many elements a row has.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    fn at(&self, row: usize) -> usize {
        self.order.as_ref().map_or(row, |o| o[row] as usize)
    }

    /// One element of a row. `row` is less than [`len`](Self::len) and `column` than [`width`](Self::width).
    pub fn value(&self, row: usize, column: usize) -> Edn {
        let row = self.at(row);
        match &self.columns[column] {
            Column::Const(w) => self.decoder.decode(*w),
            Column::Ents(e) => Edn::Int(i64::from(e[row])),
            Column::Words(w) => self.decoder.decode(w[row]),
            Column::Values(v) => v[row].clone(),
        }
    }

    /// One element as an integer, without making a value of it; `None` if it is something else.
    pub fn int(&self, row: usize, column: usize) -> Option<i64> {
        let row = self.at(row);
        match &self.columns[column] {
            Column::Const(w) => w.as_int(),
            Column::Ents(e) => Some(i64::from(e[row])),
            Column::Words(w) => w[row].as_int(),
            Column::Values(v) => v[row].as_int(),
        }
    }

    /// The rows one after another.
    pub fn rows(&self) -> impl Iterator<Item = Vec<Edn>> + '_ {
        (0..self.n).map(|i| (0..self.columns.len()).map(|j| self.value(i, j)).collect())
    }

    fn shaped(&self, row: usize) -> Edn {
        let values: Vec<Edn> = (0..self.columns.len()).map(|j| self.value(row, j)).collect();
        match &self.keys {
            Some(keys) => Edn::map(keys.iter().cloned().zip(values)),
            None => Edn::vector(values),
        }
    }

    /// The result as DataScript would give it: a set of tuples, a sequence, a vector of values, a tuple or a value.
    pub fn to_edn(&self) -> Edn {
        let rows = || (0..self.n).map(|i| self.shaped(i)).collect::<Vec<_>>();
        match self.shape {
            // A set has no order; who asks for one gets a sequence.
            Shape::Set if self.order.is_none() => Edn::Set(rows().into()),
            Shape::Set | Shape::Bag => Edn::list(rows()),
            Shape::Coll => {
                let mut values: Vec<Edn> = (0..self.n).map(|i| self.value(i, 0)).collect();
                values.shrink_to_fit();
                Edn::vector(values)
            }
            Shape::Tuple if self.n == 0 => Edn::Nil,
            Shape::Tuple => self.shaped(0),
            Shape::Scalar if self.n == 0 => Edn::Nil,
            Shape::Scalar => self.value(0, 0),
        }
    }

    /// The steps that were taken, if [`Options::explain`](super::Options::explain) asked for them.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The steps as a table: expected and real rows of each.
    pub fn explain(&self) -> String {
        let mut out = format!("{:>12} {:>12} {:>12}  clause\n", "estimated", "rows in", "rows out");
        for s in &self.steps {
            let estimated = if s.estimated < 0.0 { "-".into() } else { format!("{:.0}", s.estimated) };
            let indent = "  ".repeat(s.depth);
            out += &format!("{estimated:>12} {:>12} {:>12}  {indent}{}\n", s.rows_in, s.rows_out, s.form);
        }
        out
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_edn())
    }
}
