//! Medians and what can be said about them.

/// The middle value; the mean of the two in the middle. None of nothing.
pub fn median(xs: &[f64]) -> Option<f64> {
    let mut v: Vec<f64> = xs.iter().copied().filter(|x| x.is_finite()).collect();
    v.sort_by(f64::total_cmp);
    let n = v.len();
    Some(match n {
        0 => return None,
        _ if n % 2 == 1 => v[n / 2],
        _ => (v[n / 2 - 1] + v[n / 2]) / 2.0,
    })
}

/// Where the median of the population lies, with a probability.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
    /// At least this probability, from 0 to 1.
    pub confidence: f64,
}

/// The interval of the median between two order statistics, as narrow as a confidence of 95 % allows; the whole range and its
/// lower confidence if there are too few values (fewer than 6).
///
/// Nothing is assumed of the distribution: the number of values below the median is binomial (Conover, Practical
/// Nonparametric Statistics, 3.2).
pub fn interval(xs: &[f64]) -> Option<Interval> {
    let mut v: Vec<f64> = xs.iter().copied().filter(|x| x.is_finite()).collect();
    v.sort_by(f64::total_cmp);
    let n = v.len();
    if n == 0 {
        return None;
    }
    // P(fewer than k+1 of n fall below the median).
    let mut tail = 0.5f64.powi(n as i32);
    let mut term = tail;
    let mut best = (0, 1.0 - 2.0 * tail);
    for k in 1..n / 2 {
        term *= (n - k + 1) as f64 / k as f64;
        tail += term;
        let confidence = 1.0 - 2.0 * tail;
        if confidence < 0.95 {
            break;
        }
        best = (k, confidence);
    }
    Some(Interval { low: v[best.0], high: v[n - 1 - best.0], confidence: best.1.max(0.0) })
}

/// The geometric mean of positive numbers; none of nothing.
pub fn geometric_mean(xs: &[f64]) -> Option<f64> {
    (!xs.is_empty()).then(|| (xs.iter().map(|x| x.ln()).sum::<f64>() / xs.len() as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, f64::NAN, 2.0, 3.0]), Some(2.5));
        assert_eq!(geometric_mean(&[1.0, 4.0]), Some(2.0));
    }

    #[test]
    fn intervals_are_the_tabulated_order_statistics() {
        let values = |n: usize| (1..=n).map(|x| x as f64).collect::<Vec<_>>();
        let at = |n| interval(&values(n)).map(|i| (i.low, i.high, (i.confidence * 1e4).round() / 1e4));
        assert_eq!(at(0), None);
        assert_eq!(at(1), Some((1.0, 1.0, 0.0)));
        assert_eq!(at(5), Some((1.0, 5.0, 0.9375)));
        assert_eq!(at(6), Some((1.0, 6.0, 0.9688)));
        assert_eq!(at(9), Some((2.0, 8.0, 0.9609)));
        assert_eq!(at(20), Some((6.0, 15.0, 0.9586)));
    }
}
