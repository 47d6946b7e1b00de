//! stub for now
pub fn run(_: &[String]) -> i32 {
    2
}
