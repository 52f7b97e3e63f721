//! Medians, quantiles and spreads.

/// The middle value; of an even number the mean of the two in the middle. 0 of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    let upper = sorted.get(half).copied().unwrap_or(0.0);
    if sorted.len() % 2 == 1 {
        return upper;
    }
    let lower = half.checked_sub(1).and_then(|at| sorted.get(at)).copied().unwrap_or(upper);
    f64::midpoint(lower, upper)
}

/// The median of `value / base`, pair by pair: what one round disturbs, it disturbs on both sides.
pub(crate) fn median_ratio(values: &[f64], bases: &[f64]) -> f64 {
    let ratios: Vec<f64> = values.iter().zip(bases).map(|(value, base)| ratio(*value, *base)).collect();
    median(&ratios)
}

/// `value / base`, 0 where there is no base.
pub(crate) fn ratio(value: f64, base: f64) -> f64 {
    if base == 0.0 { 0.0 } else { value / base }
}

/// What the best tenth of the values reaches. Neighbours on a machine only ever make a rate
/// smaller, so this comes closest to what it is without them.
pub(crate) fn best(rates: &[f64]) -> f64 {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len().saturating_sub(1) as f64 * 0.9).round() as usize;
    sorted.get(place).copied().unwrap_or(0.0)
}

/// The value below which the share `at` lies; `values` in any order.
pub(crate) fn quantile(values: &mut [u32], at: f64) -> u32 {
    values.sort_unstable();
    let place = (values.len().saturating_sub(1) as f64 * at).round() as usize;
    values.get(place).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn the_best_is_not_one_lucky_value() {
        let rates: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(best(&rates), 18.0);
        assert_eq!(best(&[]), 0.0);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        assert_eq!(median_ratio(&[2.0, 20.0, 200.0], &[1.0, 10.0, 100.0]), 2.0);
        assert_eq!(ratio(1.0, 0.0), 0.0);
    }

    #[test]
    fn a_quantile_is_a_value_that_occurred() {
        assert_eq!(quantile(&mut [5, 1, 3], 0.5), 3);
        assert_eq!(quantile(&mut [5, 1, 3], 0.99), 5);
        assert_eq!(quantile(&mut [], 0.5), 0);
    }
}
