//! Frozen bytes without the code in them, so that only code the other side lacks has to travel.

use super::{MAGIC, open};
use yin_ast::pack::{In, Out};

type Res<T> = Result<T, String>;

/// Bytes before the tables.
const HEAD: usize = MAGIC.len() + 2;

/// Frozen bytes, taken apart.
pub struct Parts<'a> {
    /// Everything but the packed forms.
    pub skeleton: Vec<u8>,
    /// The packed forms, in the order they stand.
    pub forms: Vec<&'a [u8]>,
}

/// Reads up to the forms; their number.
fn find_forms(b: &mut In) -> Res<usize> {
    b.take(32)?;
    for _ in 0..2 {
        for _ in 0..b.count(1)? {
            b.text()?;
        }
    }
    b.count(32)
}

/// Takes frozen bytes apart. O(n).
///
/// # Errors
/// They are not frozen bytes of this version, or damaged.
pub fn split(bytes: &[u8]) -> Res<Parts<'_>> {
    let (_, body) = open(bytes)?;
    let mut b = In::new(body);
    let n = find_forms(&mut b)?;
    let mut skeleton = bytes[..HEAD + body.len() - b.rest.len()].to_vec();
    let mut forms = Vec::with_capacity(n);
    for _ in 0..n {
        skeleton.extend(b.take(32)?);
        forms.push(b.bytes()?);
    }
    skeleton.extend(&bytes[HEAD + body.len() - b.rest.len()..]);
    Ok(Parts { skeleton, forms })
}

/// The other way round. What comes out is frozen bytes only if the forms are the right ones: whoever opens it finds out.
///
/// # Errors
/// The skeleton is none, or has another number of forms.
pub fn join(skeleton: &[u8], forms: &[&[u8]]) -> Res<Vec<u8>> {
    let body = skeleton.get(HEAD..).ok_or("the bytes end too early")?;
    let mut b = In::new(body);
    if find_forms(&mut b)? != forms.len() {
        return Err("the number of forms is another".into());
    }
    let mut out = Out(skeleton[..skeleton.len() - b.rest.len()].to_vec());
    for f in forms {
        out.0.extend(b.take(32)?);
        out.bytes(f);
    }
    out.0.extend(b.rest);
    Ok(out.0)
}
